import { addressHash } from "../../shared/address.ts";
import { missing, readCredential } from "../../shared/auth.ts";
import { readJson } from "../../shared/body.ts";
import type { Deps } from "../../shared/deps.ts";
import { problem } from "../../shared/errors.ts";
import { detectLanguage } from "../../shared/language.ts";
import type { Admission } from "../../shared/results.ts";
import { countTokens } from "../../shared/tokens.ts";
import { denial, reportDenial } from "./denial.ts";
import { CHAT_BYTES, ChatRequest } from "./schema.ts";
import type { Wishes } from "./wishes.ts";

/** A turn that was let in, with all that the model needs. */
export type Admitted = Extract<Admission, { admitted: true }>;

/** One exchange: a question that was let in and is to be answered, whatever protocol it came by. */
export interface Turn {
  admission: Admitted;
  question: string;
  /** The question's language, when it can be told. */
  language: string | null;
  /** What the client asks of the model. */
  wishes: Wishes;
  /** When the request came, on the clock of `performance.now()`. */
  startedAt: number;
}

/** A turn and how its answer is to be sent. */
export interface AdmittedRequest {
  turn: Turn;
  isStream: boolean;
}

/** Reads a `POST /chat` and admits its turn, in one call to the database; a denial throws its problem. */
export async function admit(
  request: Request,
  deps: Pick<Deps, "env" | "rpc" | "now" | "background">,
): Promise<AdmittedRequest> {
  const startedAt = performance.now();
  const keyHash = await keyOf(request, deps);
  const body = await readJson(request, ChatRequest, { maxBytes: CHAT_BYTES });
  const language = detectLanguage(body.message);
  const address = await addressHash(request, deps.env);
  // Not bound to the request's signal: a turn admitted for a client that has left must still be settled.
  const admission = await deps.rpc.admitTurn({
    keyHash,
    message: body.message,
    messageTokens: countTokens(body.message),
    sessionId: body.session_id,
    visitorId: body.visitor_id,
    origin: request.headers.get("origin"),
    addressHash: address,
    metadata: body.metadata,
    language,
  });
  if (!admission.admitted) {
    deps.background(reportDenial(admission, deps, { request, address, sessionId: body.session_id }));
    throw denial(admission, deps.now());
  }
  return {
    turn: { admission, question: body.message, language, wishes: {}, startedAt },
    isStream: body.stream ?? accepts(request, "text/event-stream"),
  };
}

/** The hash of the agent key; the database looks it up when it admits the turn. */
async function keyOf(request: Request, deps: Pick<Deps, "env">): Promise<string> {
  const credential = await readCredential(request, deps);
  if (credential === null) throw missing(["key"]);
  if (credential.kind !== "key") {
    throw problem(
      "forbidden",
      "Cannot chat with this credential: send an agent API key as Bearer or x-api-key",
    );
  }
  return credential.hash;
}

function accepts(request: Request, type: string): boolean {
  const accept = request.headers.get("accept") ?? "";
  return accept.split(",").some((range) => range.split(";")[0]!.trim().toLowerCase() === type);
}
