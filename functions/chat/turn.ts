import type { Deps } from "../../shared/deps.ts";
import { type Problem, problem } from "../../shared/errors.ts";
import { type ResolvedModel, splitModel } from "../../shared/models.ts";
import type { Match } from "../../shared/results.ts";
import type { Turn } from "./admission.ts";
import { type Answer, answer, nothing } from "./answer.ts";
import type { Citation } from "./citations.ts";
import { keepContext } from "./context.ts";
import { toolMetadata } from "./conversation.ts";
import { type StopReason, TurnLease } from "./lease.ts";
import { memoryOf } from "./memory.ts";
import { Meter } from "./meter.ts";
import type { ToolCall } from "./model-stream.ts";
import type { RunningTurns } from "./running.ts";
import { settle, type SettlementRequest } from "./settlement.ts";
import type { TurnTrace } from "./trace.ts";

/** Tokens of a turn, as the HTTP contract shows them. */
export interface Usage {
  input_tokens: number;
  output_tokens: number;
  total_tokens: number;
}

/** What a turn tells while it runs; each protocol writes it in its own form. */
export interface TurnListener {
  delta(text: string): void;
  citation(citation: Citation): void;
  toolCall(call: ToolCall): void;
}

/** What a turn came to. `problem` is null when the answer is whole, or was stopped on request. */
export interface TurnEnd {
  problem: Problem | null;
  /** The id of the stored answer; null when nothing was said and nothing is stored. */
  messageId: string | null;
  answer: string;
  citations: Citation[];
  toolCalls: ToolCall[];
  /** What was retrieved for it, best first. */
  retrieved: Match[];
  usage: Usage;
  finishReason: string;
  responseTimeMs: number;
  createdAt: string;
}

/** What a turn takes besides itself. */
export interface TurnOptions {
  model: ResolvedModel;
  listener: TurnListener;
  /** The turn's own: aborted when the client leaves, and by the turn itself when it is told to stop. */
  controller: AbortController;
  /** Where a stop finds it. */
  running: RunningTurns;
  /** Keeps the events of a resumable turn. */
  trace?: TurnTrace;
}

type TurnDeps = Pick<Deps, "rpc" | "embed" | "log" | "background" | "now">;

/**
 * Runs an admitted turn to its settlement: retrieve, stream, settle. Never throws, and never leaves a turn that it could
 * settle; one that it could not (the process was killed, the database stayed away) is settled by `reap_turns`.
 */
export async function runTurn(turn: Turn, deps: TurnDeps, options: TurnOptions): Promise<TurnEnd> {
  const { model, controller, running, trace } = options;
  const listeners = trace ? [options.listener, trace.writer] : [options.listener];
  let stopped: StopReason | null = null;
  const stop = (reason: StopReason) => {
    stopped ??= reason;
    controller.abort();
  };
  const meter = new Meter();
  const lease = new TurnLease(turn.admission.turn_id, deps, {
    used: () => {
      const { input, output } = meter.soFar();
      return { provider: model.provider, model: model.modelId, inputTokens: input, outputTokens: output };
    },
    onStop: stop,
    trace,
  });
  const work = () =>
    answer(turn, deps, {
      model: model.model,
      meter,
      signal: controller.signal,
      say: (text) => {
        lease.keep(text);
        for (const listener of listeners) listener.delta(text);
      },
      cite: (citation) => listeners.forEach((listener) => listener.citation(citation)),
      call: (tool) => listeners.forEach((listener) => listener.toolCall(tool)),
    });
  const answered = await running.during(turn.admission.turn_id, stop, work);
  lease.end();
  return await close(turn, deps, { model, answered, stopped, trace });
}

/** Settles a turn whose model could not even be called; what was wrong is the result's problem. */
export async function failTurn(turn: Turn, deps: TurnDeps, problem: Problem): Promise<TurnEnd> {
  return await close(turn, deps, {
    model: splitModel(turn.admission.agent.model),
    answered: nothing({ kind: "failed", problem }),
    stopped: null,
  });
}

interface Closing {
  model: Pick<ResolvedModel, "provider" | "modelId">;
  answered: Answer;
  stopped: StopReason | null;
  trace?: TurnTrace;
}

/** Settles what was answered and says how it ended. */
async function close(
  turn: Turn,
  deps: TurnDeps,
  { model, answered, stopped, trace }: Closing,
): Promise<TurnEnd> {
  const responseTimeMs = Math.round(performance.now() - turn.startedAt);
  const verdict = judge(answered, stopped);
  const { usage: { input, output }, firstTokenMs } = answered;
  const request: SettlementRequest = {
    turnId: turn.admission.turn_id,
    outcome: verdict.outcome,
    answer: answered.text,
    citations: answered.citations,
    provider: model.provider,
    model: model.modelId,
    inputTokens: input,
    outputTokens: output,
    finishReason: verdict.finishReason,
    responseTimeMs,
    firstTokenMs,
    attempts: [{
      provider: model.provider,
      model: model.modelId,
      outcome: verdict.outcome,
      error_code: verdict.problem?.code ?? null,
      first_token_ms: firstTokenMs,
      duration_ms: responseTimeMs,
    }],
    errorCode: verdict.problem?.code ?? null,
    messageMetadata: toolMetadata(answered),
    memory: memoryOf(turn),
    retrieved: answered.retrieved.map(({ id, document_id, similarity, score }) => ({
      chunk_id: id,
      document_id,
      similarity,
      score,
    })),
  };
  const end: TurnEnd = {
    problem: verdict.problem,
    messageId: answered.text === "" && answered.toolCalls.length === 0 ? null : turn.admission.message_id,
    answer: answered.text,
    citations: answered.citations,
    toolCalls: answered.toolCalls,
    retrieved: answered.retrieved,
    usage: { input_tokens: input, output_tokens: output, total_tokens: input + output },
    finishReason: verdict.finishReason,
    responseTimeMs,
    createdAt: deps.now().toISOString(),
  };
  if (trace) request.events = trace.end(end);
  const settled = await settle(request, deps);
  if (settled !== null && answered.text !== "") deps.background(keepContext(turn, answered.text, deps));
  deps.log.info("turn_ended", {
    turn_id: turn.admission.turn_id,
    agent_id: turn.admission.agent.id,
    provider: model.provider,
    model: model.modelId,
    outcome: verdict.outcome,
    error_code: verdict.problem?.code,
    input_tokens: input,
    output_tokens: output,
    first_token_ms: firstTokenMs,
    response_time_ms: responseTimeMs,
    settled: settled !== null,
  });
  return settled === null ? end : { ...end, usage: settled.usage, createdAt: settled.created_at };
}

interface Verdict {
  outcome: SettlementRequest["outcome"];
  finishReason: string;
  problem: Problem | null;
}

function judge({ end }: Answer, stopped: StopReason | null): Verdict {
  if (end.kind === "finished") {
    return { outcome: "completed", finishReason: end.finishReason, problem: null };
  }
  if (end.kind === "failed") return { outcome: "failed", finishReason: "error", problem: end.problem };
  switch (stopped) {
    case "kill_switch":
      return {
        outcome: "failed",
        finishReason: "error",
        problem: problem("kill_switch", "Cannot answer: answering was switched off"),
      };
    case "settled":
      return {
        outcome: "aborted",
        finishReason: "aborted",
        problem: problem("unavailable", "Cannot answer: the turn was closed"),
      };
    case "stopped":
      return { outcome: "aborted", finishReason: "stopped", problem: null };
    case null:
      // The client left: there is nobody to tell.
      return { outcome: "aborted", finishReason: "aborted", problem: null };
  }
}
