import { addressHash } from "../../shared/address.ts";
import type { Deps } from "../../shared/deps.ts";
import { detectLanguage } from "../../shared/language.ts";
import type { Admission, Replay } from "../../shared/results.ts";
import { countTokens } from "../../shared/tokens.ts";
import { continueTrace, type TraceContext } from "../../shared/trace-context.ts";
import { type Ask, newMessages, questionOf } from "./ask.ts";
import { type ChatCaller, identityOf } from "./caller.ts";
import { type ConversationMessage, storedConversation, toolMetadata, wordsOf } from "./conversation.ts";
import { denial, reportDenial } from "./denial.ts";
import type { Attack } from "./guard/guard.ts";
import { attackIn, reportAttack, type Suspect, suspectOf, withoutAttacks } from "./guard/guard-watch.ts";
import type { Idempotency } from "./idempotency.ts";
import { understand, type Understanding } from "./memory/memory.ts";
import type { Protocol } from "./protocol.ts";
import { Timings } from "./timings.ts";
import type { Wishes } from "./model/wishes.ts";

/** A turn that was let in, with all that the model needs. */
export type Admitted = Extract<Admission, { admitted: true }>;

/** A question that was let in and is to be answered, whatever protocol it came by. */
export interface Turn {
  admission: Admitted;
  question: string;
  /** What was said up to now: the history and, last, the question with what was done for it since. */
  conversation: ConversationMessage[];
  /** What the client's program adds, for this turn only. */
  notes: string | null;
  /** The question's language, when it can be told. */
  language: string | null;
  /** What the question means in its conversation. */
  understood: Understanding;
  /** Who asks, as the client names them; believed where the admission says `visitor_verified`. */
  visitorId: string | null;
  /** What the guard found in the question: then it is refused. */
  attack: Attack | null;
  suspect: Suspect;
  /** What the client asks of the model. */
  wishes: Wishes;
  /** When the request came, on the clock of `performance.now()`. */
  startedAt: number;
  requestId: string;
  traceContext: TraceContext;
  timings: Timings;
}

/** Where a question came from. */
export interface Origin {
  request: Request;
  caller: ChatCaller;
  protocol: Pick<Protocol, "name" | "channel">;
  idempotency: Idempotency | null;
  requestId: string;
  /** On the clock of `performance.now()`. */
  startedAt: number;
}

/** Admits a turn, in one call to the database; a denial throws its problem, and what was answered before comes back. */
export async function admit(
  asked: Ask,
  deps: Pick<Deps, "env" | "rpc" | "now" | "background">,
  { request, caller, protocol, idempotency, requestId, startedAt }: Origin,
): Promise<Turn | { replay: Replay }> {
  const { sessionId, metadata, notes = null, wishes = {} } = asked;
  const address = await addressHash(request, deps.env);
  const language = detectLanguage(questionOf(asked.conversation));
  // Not bound to the request's signal: a turn admitted for a client that has left must still be settled.
  const asking = {
    ...identityOf(caller, asked.agentId),
    ...whatIsNew(asked),
    channel: protocol.channel,
    sessionId,
    visitorId: asked.visitorId,
    visitorToken: asked.visitorToken,
    origin: request.headers.get("origin"),
    addressHash: address,
    metadata,
    language,
    minSessionLength: asked.minSessionLength,
    idempotencyKey: idempotency?.key,
    requestHash: idempotency?.requestHash,
    route: idempotency ? protocol.name : undefined,
    regenerate: asked.regenerate,
    resumable: metadata?.resumable === true,
  };
  const timings = new Timings();
  const admission = await timings.measure("admit", () => deps.rpc.admitTurn(asking));
  if (!admission.admitted) {
    if (admission.replay) return { replay: admission.replay };
    const userId = caller.kind === "user" ? caller.userId : undefined;
    deps.background(reportDenial(admission, deps, { request, address, sessionId, userId }));
    throw denial(admission, deps.now());
  }
  const conversation = known(asked, admission);
  const question = questionOf(conversation);
  const suspect = suspectOf(admission, { named: sessionId, address });
  const attack = attackIn(question, admission.flags);
  if (attack) {
    deps.background(reportAttack(attack, deps, { suspect, turnId: admission.turn_id, where: "question" }));
  }
  const traceContext = continueTrace(request.headers);
  return {
    admission,
    question,
    conversation,
    understood: understand(admission, question, conversation),
    visitorId: asked.visitorId ?? null,
    notes,
    language,
    attack,
    suspect,
    wishes,
    startedAt,
    requestId,
    traceContext,
    timings,
  };
}

/** What is to be stored: what is asked now, and what the session does not have of what came before. */
function whatIsNew(asked: Ask) {
  const fresh = newMessages(asked);
  const said = fresh.at(-1)!;
  const { conversation, sessionId, notes = "", wishes } = asked;
  const unstored = [
    ...(sessionId === undefined ? conversation : fresh).filter((message) => message !== said).map(wordsOf),
    notes,
    wishes?.tools ? JSON.stringify(wishes.tools) : "",
  ];
  return {
    message: said.content,
    messageTokens: countTokens(said.content),
    messageMetadata: toolMetadata(said),
    // Of what no tokenizer has seen four characters make a token, here as in the database.
    extraTokens: Math.ceil(unstored.join("").length / 4),
    earlier: fresh.slice(0, -1).map((message) => ({
      role: message.role,
      content: message.content,
      tokens: countTokens(wordsOf(message)),
      metadata: toolMetadata(message),
    })),
  };
}

/**
 * The conversation that the model gets. With a session what is stored of it counts, and of what the client sent only the
 * end; unless that has no question, since a long one did not fit: then the client's own words serve.
 */
function known(asked: Ask, { history, flags }: Admitted): ConversationMessage[] {
  const { conversation, sessionId } = asked;
  if (sessionId === undefined) return withoutAttacks(conversation, flags);
  const whole = [...storedConversation(history), ...withoutAttacks(newMessages(asked), flags)];
  return whole.some(({ role }) => role === "user") ? whole : withoutAttacks(conversation, flags);
}
