import type { Deps } from "../../shared/deps.ts";
import { Problem } from "../../shared/errors.ts";
import { type Handler, json } from "../../shared/http.ts";
import { limitHeaders } from "../../shared/limits.ts";
import type { ResolvedModel } from "../../shared/models.ts";
import type { Replay } from "../../shared/results.ts";
import { admit, type Turn } from "./admission.ts";
import type { Ask } from "./ask.ts";
import { callerOf } from "./caller.ts";
import { type Candidate, candidatesOf, firstReady } from "./model/candidates.ts";
import { EVENT_STREAM_HEADERS, EventStream } from "./events.ts";
import { refusing } from "./guard/guard-model.ts";
import type { Exchange, Protocol } from "./protocol.ts";
import { readIdempotency } from "./idempotency.ts";
import { replayed } from "./protocols/replay.ts";
import type { RunningTurns } from "./running.ts";
import { TurnTrace } from "./trace.ts";
import { failTurn, runTurn } from "./turn.ts";

type ExchangeDeps = Pick<Deps, "env" | "rpc" | "embed" | "resolveModel" | "log" | "background" | "now">;

/** Answers one question by a protocol: read, admit, run, write. */
export function exchange<A extends Ask>(
  protocol: Protocol<A>,
  deps: ExchangeDeps,
  running: RunningTurns,
): Handler {
  return async (received, { requestId }) => {
    const startedAt = performance.now();
    const caller = await callerOf(received, deps, protocol.callers);
    const { request, idempotency } = await readIdempotency(received);
    const asked = await protocol.read(request);
    const turn = await admit(asked, deps, { request, caller, protocol, idempotency, requestId, startedAt });
    if ("replay" in turn) return again(turn.replay, { asked, requestId, protocol });
    const headers = turnHeaders(turn.admission, deps.now());
    const candidates = turn.attack ? [refusing(turn, turn.attack)] : candidatesOf(turn.admission, deps);
    const model = await firstReady(candidates);
    if (!model) throw withHeaders((await failTurn(turn, deps, candidates)).problem, headers);
    const sending = {
      asked,
      turn,
      model,
      candidates,
      requestId,
      startedAt: deps.now(),
      protocol,
      signal: received.signal,
      headers,
      running,
    };
    if (asked.isStream || !protocol.whole) return stream(sending, deps);
    return await whole(sending, protocol.whole, deps);
  };
}

interface Sending<A extends Ask> extends Exchange<A> {
  turn: Turn;
  model: ResolvedModel;
  candidates: Candidate[];
  protocol: Protocol<A>;
  /** Of the request: aborted when the client leaves. */
  signal: AbortSignal;
  headers: Record<string, string>;
  running: RunningTurns;
}

/** Tells the answer that the same request got before. */
function again<A extends Ask>(
  replay: Replay,
  { protocol, ...asking }: Pick<Sending<A>, "asked" | "requestId" | "protocol">,
): Response {
  const { told, end } = replayed(replay);
  const exchange = { ...asking, ...told, startedAt: new Date(replay.created_at) };
  const headers = turnHeaders({ ...told.turn.admission, limits: [] }, new Date(0));
  if (!asking.asked.isStream && protocol.whole) {
    if (end.problem) throw withHeaders(end.problem, headers);
    return json(protocol.whole(exchange, end), 200, headers);
  }
  const events = new EventStream();
  const writer = protocol.write(exchange, events);
  if (end.answer !== "") writer.delta(end.answer);
  end.citations.forEach((citation) => writer.citation(citation));
  end.toolCalls.forEach((call) => writer.toolCall(call));
  writer.end(end);
  events.close();
  return new Response(events.body, { headers: { ...EVENT_STREAM_HEADERS, ...protocol.headers, ...headers } });
}

/** What running a turn takes: an end for when its client leaves, or the events that let the client come back. */
function turnOptions<A extends Ask>(sending: Sending<A>) {
  const { asked, model, candidates, running } = sending;
  const controller = new AbortController();
  const isResumable = asked.metadata?.resumable === true;
  return {
    model,
    candidates,
    running,
    controller,
    leave: isResumable ? () => {} : () => controller.abort(),
    ...(isResumable && { trace: new TurnTrace(sending) }),
  };
}

async function whole<A extends Ask>(
  sending: Sending<A>,
  bodyOf: NonNullable<Protocol<A>["whole"]>,
  deps: ExchangeDeps,
): Promise<Response> {
  const { turn, signal, headers } = sending;
  const { leave, ...options } = turnOptions(sending);
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) leave();
  const listener = { delta: () => {}, citation: () => {}, toolCall: () => {} };
  const running = runTurn(turn, deps, { ...options, listener });
  deps.background(running);
  const end = await running;
  signal.removeEventListener("abort", leave);
  Object.assign(headers, timingHeaders(turn));
  if (end.problem) throw withHeaders(end.problem, headers);
  // The client has left, so this is for the gateway's log alone.
  if (signal.aborted) return new Response(null, { status: 499, headers });
  return json(bodyOf(sending, end), 200, headers);
}

function stream<A extends Ask>(sending: Sending<A>, deps: ExchangeDeps): Response {
  const { turn, signal, protocol, requestId } = sending;
  // Both tell that the client has left, whichever comes first; the signal counts only while the stream is open, since it
  // also aborts after a response that ended well.
  const { leave, ...options } = turnOptions(sending);
  const events = new EventStream({ onCancel: leave });
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) leave();
  const writer = protocol.write(sending, events);
  deps.background(run());
  return new Response(events.body, {
    headers: { ...EVENT_STREAM_HEADERS, ...protocol.headers, ...sending.headers, ...timingHeaders(turn) },
  });

  async function run(): Promise<void> {
    try {
      const end = await runTurn(turn, deps, { ...options, listener: writer });
      // The response began long ago, so the boundary cannot log this one.
      if (end.problem && end.problem.status >= 500) {
        deps.log.error("request_failed", end.problem, { request_id: requestId, function: "chat" });
      }
      writer.end(end);
    } finally {
      signal.removeEventListener("abort", leave);
      events.close();
    }
  }
}

function turnHeaders(
  { turn_id, message_id, session_id, limits }: Pick<
    Turn["admission"],
    "turn_id" | "message_id" | "session_id" | "limits"
  >,
  now: Date,
): Record<string, string> {
  return {
    "x-turn-id": turn_id,
    "x-message-id": message_id,
    // The only way to learn it where the protocol's answers have no place for it; ids of other languages stay out.
    ...(/^[\x21-\x7e]+$/.test(session_id) ? { "x-session-id": session_id } : {}),
    ...limitHeaders(limits, now),
  };
}

/** What is known when the headers go: of a stream the admission alone. */
function timingHeaders({ timings }: Turn): Record<string, string> {
  return { "server-timing": timings.header() };
}

function withHeaders(problem: Problem, headers: Record<string, string>): Problem {
  const { code, detail, members, cause } = problem;
  return new Problem(code, detail, { members, cause, headers: { ...headers, ...problem.headers } });
}
