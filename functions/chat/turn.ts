import type { Deps } from "../../shared/deps.ts";
import type { Problem } from "../../shared/errors.ts";
import type { ResolvedModel } from "../../shared/models.ts";
import type { Match } from "../../shared/results.ts";
import type { Turn } from "./admission.ts";
import { type Answer, answer, nothing } from "./answer.ts";
import { Attempts } from "./model/attempts.ts";
import { type Candidate, refusalOf } from "./model/candidates.ts";
import type { Citation } from "./citations/citations.ts";
import { keepContext } from "./memory/context.ts";
import { toolMetadata } from "./conversation.ts";
import { reportAttack } from "./guard/guard-watch.ts";
import { type StopReason, TurnLease } from "./lease.ts";
import { memoryOf } from "./memory/memory.ts";
import type { ToolCall } from "./model/model-stream.ts";
import type { RunningTurns } from "./running.ts";
import { settle, type SettlementRequest } from "./settlement.ts";
import type { TurnTrace } from "./trace.ts";
import { turnFields } from "./turn-log.ts";
import { judge } from "./verdict.ts";

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
  /** Told before the first piece of an answer that another model gives than the one that was to be called first. */
  model?(model: AnsweringModel): void;
}

/** Who answers, as the ledger calls it. */
export interface AnsweringModel {
  provider: string;
  model: string;
}

/** What a turn came to. `problem` is null when the answer is whole, or was stopped on request. */
export interface TurnEnd {
  problem: Problem | null;
  /** The id of the stored answer; null when nothing was said and nothing is stored. */
  messageId: string | null;
  /** Who was called last. */
  provider: string;
  model: string;
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
  /** The models that may answer, best first. */
  candidates: Candidate[];
  /** The one that the client was told. */
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
  const { candidates, controller, running, trace } = options;
  const listeners = trace ? [options.listener, trace.writer] : [options.listener];
  let isTold = false;
  /** Who is told the next piece; before the first one they learn who answers, if it is another than they were told. */
  const told = () => {
    const { provider, model } = attempts.named;
    const isOther = provider !== options.model.provider || model !== options.model.modelId;
    if (!isTold && isOther) listeners.forEach((listener) => listener.model?.({ provider, model }));
    isTold = true;
    return listeners;
  };
  let stopped: StopReason | null = null;
  const stop = (reason: StopReason) => {
    stopped ??= reason;
    controller.abort();
  };
  const attempts = new Attempts(candidates[0]!);
  const lease = new TurnLease(turn.admission.turn_id, deps, {
    used: () => attempts.used,
    onStop: stop,
    trace,
  });
  const work = () =>
    answer(turn, deps, {
      candidates,
      attempts,
      signal: controller.signal,
      say: (text) => {
        lease.keep(text);
        told().forEach((listener) => listener.delta(text));
      },
      cite: (citation) => listeners.forEach((listener) => listener.citation(citation)),
      call: (tool) => told().forEach((listener) => listener.toolCall(tool)),
    });
  const answered = await running.during(turn.admission.turn_id, stop, work);
  lease.end();
  if (answered.guarded && !turn.attack) {
    const leak = { kind: answered.guarded, severity: "high" } as const;
    const { suspect, admission: { turn_id: turnId } } = turn;
    deps.background(reportAttack(leak, deps, { suspect, turnId, where: "answer" }));
  }
  return await close(turn, deps, { attempts, answered, stopped, trace });
}

/** Settles a turn none of whose models can be called; what was wrong with the first is the result's problem. */
export async function failTurn(
  turn: Turn,
  deps: TurnDeps,
  candidates: Candidate[],
): Promise<TurnEnd & { problem: Problem }> {
  const attempts = new Attempts(candidates[0]!);
  const problems: Problem[] = [];
  for (const candidate of candidates) {
    const refusal = await refusalOf(candidate);
    if (refusal) {
      attempts.refuse(candidate, refusal);
      problems.push(refusal);
    }
  }
  const answered = nothing({ kind: "failed", problem: problems[0]! });
  return { ...await close(turn, deps, { attempts, answered, stopped: null }), problem: problems[0]! };
}

interface Closing {
  attempts: Attempts;
  answered: Answer;
  stopped: StopReason | null;
  trace?: TurnTrace;
}

/** Settles what was answered and says how it ended. */
async function close(
  turn: Turn,
  deps: TurnDeps,
  { attempts, answered, stopped, trace }: Closing,
): Promise<TurnEnd> {
  const responseTimeMs = Math.round(performance.now() - turn.startedAt);
  const verdict = judge(answered.end, stopped);
  const { firstTokenMs } = answered;
  const { provider, model, inputTokens: input, outputTokens: output } = attempts.used;
  const request: SettlementRequest = {
    turnId: turn.admission.turn_id,
    outcome: verdict.outcome,
    answer: answered.text,
    citations: answered.citations,
    support: answered.support,
    provider,
    model,
    inputTokens: input,
    outputTokens: output,
    finishReason: verdict.finishReason,
    responseTimeMs,
    firstTokenMs,
    attempts: attempts.all,
    errorCode: verdict.problem?.code ?? answered.guarded,
    messageMetadata: { ...toolMetadata(answered), ...(turn.attack ? { guard: turn.attack.kind } : {}) },
    // Nothing of what was refused is remembered.
    memory: turn.attack ? undefined : memoryOf(turn),
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
    provider,
    model,
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
  const settled = await turn.timings.measure("settle", () => settle(request, deps));
  turn.timings.set("total", performance.now() - turn.startedAt);
  if (settled !== null && answered.text !== "" && !turn.attack) {
    deps.background(keepContext(turn, answered.text, deps));
  }
  deps.log.info("turn_ended", turnFields({ turn, answered, attempts, verdict, settled: settled !== null }));
  return settled === null ? end : { ...end, usage: settled.usage, createdAt: settled.created_at };
}
