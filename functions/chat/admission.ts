import { addressHash } from "../../shared/address.ts";
import { type Credential, missing, readCredential } from "../../shared/auth.ts";
import type { Deps } from "../../shared/deps.ts";
import { problem } from "../../shared/errors.ts";
import { detectLanguage } from "../../shared/language.ts";
import type { Admission, Replay } from "../../shared/results.ts";
import type { EarlierMessage } from "../../shared/rpc.ts";
import { countTokens } from "../../shared/tokens.ts";
import { continueTrace, type TraceContext } from "../../shared/trace-context.ts";
import { type Ask, questionOf } from "./ask.ts";
import { type ConversationMessage, storedConversation, toolMetadata, wordsOf } from "./conversation.ts";
import { denial, reportDenial } from "./denial.ts";
import type { Idempotency } from "./idempotency.ts";
import { understand, type Understanding } from "./memory.ts";
import type { Protocol } from "./protocol.ts";
import { Timings } from "./timings.ts";
import type { Wishes } from "./wishes.ts";

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
  /** What the client asks of the model. */
  wishes: Wishes;
  /** When the request came, on the clock of `performance.now()`. */
  startedAt: number;
  requestId: string;
  traceContext: TraceContext;
  timings: Timings;
}

/** Who asks; a key's hash is looked up when the turn is admitted. */
export type ChatCaller = Extract<Credential, { kind: "key" }>;

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
  const { sessionId, visitorId, metadata, notes = null, wishes = {} } = asked;
  const question = questionOf(asked.conversation);
  const language = detectLanguage(question);
  const address = await addressHash(request, deps.env);
  // Not bound to the request's signal: a turn admitted for a client that has left must still be settled.
  const asking = {
    keyHash: caller.hash,
    channel: protocol.channel,
    message: question,
    messageTokens: countTokens(question),
    sessionId,
    visitorId,
    visitorToken: asked.visitorToken,
    origin: request.headers.get("origin"),
    addressHash: address,
    metadata,
    language,
    minSessionLength: asked.minSessionLength,
    idempotencyKey: idempotency?.key,
    requestHash: idempotency?.requestHash,
    route: idempotency ? protocol.name : undefined,
    earlier: earlierMessages(asked),
    regenerate: asked.regenerate,
    resumable: metadata?.resumable === true,
  };
  const timings = new Timings();
  const admission = await timings.measure("admit", () => deps.rpc.admitTurn(asking));
  if (!admission.admitted) {
    if (admission.replay) return { replay: admission.replay };
    deps.background(reportDenial(admission, deps, { request, address, sessionId }));
    throw denial(admission, deps.now());
  }
  const conversation = known(asked, admission);
  const traceContext = continueTrace(request.headers);
  return {
    admission,
    question,
    conversation,
    understood: understand(admission, question, conversation),
    visitorId: visitorId ?? null,
    notes,
    language,
    wishes,
    startedAt,
    requestId,
    traceContext,
    timings,
  };
}

/** What the session does not have yet, besides the question. */
function earlierMessages({ conversation, sessionId, unsaid = 1 }: Ask): EarlierMessage[] | undefined {
  if (sessionId === undefined || unsaid === 1) return undefined;
  const place = conversation.findLastIndex(({ role }) => role === "user");
  return conversation.slice(-unsaid).filter((message) => message !== conversation[place]).map((message) => ({
    role: message.role,
    content: message.content,
    tokens: countTokens(wordsOf(message)),
    metadata: toolMetadata(message),
  }));
}

/** With a session what is stored of it counts, and of what the client sent only the end; else all of that. */
function known({ conversation, sessionId, unsaid = 1 }: Ask, { history }: Admitted): ConversationMessage[] {
  if (sessionId === undefined) return conversation;
  return [...storedConversation(history), ...conversation.slice(-unsaid)];
}

/** Who asks, without a look into the database. */
export async function callerOf(request: Request, deps: Pick<Deps, "env">): Promise<ChatCaller> {
  const credential = await readCredential(request, deps);
  if (credential === null) throw missing(["key"]);
  if (credential.kind !== "key") {
    throw problem(
      "forbidden",
      "Cannot chat with this credential: send an agent API key as Bearer or x-api-key",
    );
  }
  return credential;
}
