import type { Deps } from "../../shared/deps.ts";
import { Problem } from "../../shared/errors.ts";
import { type Handler, json, type RouteContext } from "../../shared/http.ts";
import { limitHeaders } from "../../shared/limits.ts";
import type { ResolvedModel } from "../../shared/models.ts";
import { admit, type Turn } from "./admission.ts";
import { toProblem } from "./answer.ts";
import type { Citation } from "./citations.ts";
import { EVENT_STREAM_HEADERS, EventStream } from "./events.ts";
import { failTurn, runTurn, type TurnEnd } from "./turn.ts";

type ChatDeps = Pick<Deps, "env" | "rpc" | "embed" | "resolveModel" | "log" | "background" | "now">;

/** One exchange with an agent: the answer as JSON, or as server-sent events while it is made. */
export function chat(deps: ChatDeps): Handler {
  return async (request, context) => {
    const { turn, isStream } = await admit(request, deps);
    const headers = turnHeaders(turn, deps.now());
    const model = await modelOf(turn, deps, headers);
    const send = isStream ? stream : whole;
    return await send({ turn, model, headers, request, context }, deps);
  };
}

interface Exchange {
  turn: Turn;
  model: ResolvedModel;
  headers: Record<string, string>;
  request: Request;
  context: RouteContext;
}

async function whole({ turn, model, headers, request }: Exchange, deps: ChatDeps): Promise<Response> {
  const controller = new AbortController();
  const leave = () => controller.abort();
  request.signal.addEventListener("abort", leave, { once: true });
  if (request.signal.aborted) leave();
  const listener = { delta: () => {}, citation: () => {}, toolCall: () => {} };
  const running = runTurn(turn, deps, { model, controller, listener });
  deps.background(running);
  const end = await running;
  request.signal.removeEventListener("abort", leave);
  if (end.problem) throw withHeaders(end.problem, headers);
  // The client has left, so this is for the gateway's log alone.
  if (request.signal.aborted) return new Response(null, { status: 499, headers });
  const { turn_id, message_id, session_id, conversation_id } = turn.admission;
  return json(
    {
      turn_id,
      message_id,
      session_id,
      conversation_id,
      answer: end.answer,
      citations: end.citations,
      usage: end.usage,
      model: model.modelId,
      provider: model.provider,
      finish_reason: end.finishReason,
      response_time_ms: end.responseTimeMs,
      created_at: end.createdAt,
    },
    200,
    headers,
  );
}

function stream({ turn, model, headers, request, context }: Exchange, deps: ChatDeps): Response {
  const controller = new AbortController();
  // Both tell that the client has left, whichever comes first; the signal counts only while the stream is open, since it
  // also aborts after a response that ended well.
  const leave = () => controller.abort();
  const events = new EventStream({ onCancel: leave });
  request.signal.addEventListener("abort", leave, { once: true });
  if (request.signal.aborted) leave();
  const { turn_id, message_id, session_id, conversation_id } = turn.admission;
  const { modelId, provider } = model;
  events.send("meta", { turn_id, message_id, session_id, conversation_id, model: modelId, provider });
  deps.background(run());
  return new Response(events.body, { headers: { ...EVENT_STREAM_HEADERS, ...headers } });

  async function run(): Promise<void> {
    const listener = {
      delta: (text: string) => events.send("delta", { text }),
      citation: (citation: Citation) => events.send("citation", citation),
      // No client of this protocol brings tools.
      toolCall: () => {},
    };
    try {
      report(await runTurn(turn, deps, { model, controller, listener }));
    } finally {
      request.signal.removeEventListener("abort", leave);
      events.close();
    }
  }

  function report(end: TurnEnd): void {
    events.send("usage", end.usage);
    if (end.problem === null) {
      return events.send("done", { finish_reason: end.finishReason, response_time_ms: end.responseTimeMs });
    }
    const { requestId } = context;
    // The response began long ago, so the boundary cannot log this one.
    if (end.problem.status >= 500) {
      deps.log.error("request_failed", end.problem, { request_id: requestId, function: "chat" });
    }
    events.send("error", { ...end.problem.body(requestId), message_id: end.messageId });
  }
}

/** The agent's model; without one the turn is settled as failed before the problem is thrown. */
async function modelOf(
  turn: Turn,
  deps: ChatDeps,
  headers: Record<string, string>,
): Promise<ResolvedModel> {
  try {
    return await deps.resolveModel(turn.admission.agent.model);
  } catch (error) {
    const problem = toProblem(error);
    await failTurn(turn, deps, problem);
    throw withHeaders(problem, headers);
  }
}

function turnHeaders(
  { admission: { turn_id, message_id, limits } }: Turn,
  now: Date,
): Record<string, string> {
  return { "x-turn-id": turn_id, "x-message-id": message_id, ...limitHeaders(limits, now) };
}

function withHeaders(problem: Problem, headers: Record<string, string>): Problem {
  const { code, detail, members, cause } = problem;
  return new Problem(code, detail, { members, cause, headers: { ...headers, ...problem.headers } });
}
