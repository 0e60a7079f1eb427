import { type Problem, problem } from "../../../shared/errors.ts";
import type { ResolvedModel } from "../../../shared/models.ts";
import { fullJitter, sleep as sleepFor } from "../../../shared/retry.ts";
import type { Attempts } from "./attempts.ts";
import { type Candidate, refusalOf } from "./candidates.ts";
import type { ModelEnd } from "./model-stream.ts";
import { faultOf, type ProviderFault } from "./provider-fault.ts";
import type { Timeouts, TurnSettings } from "../settings.ts";

/** How answering ended: with the whole answer, by a fault, or because nobody waits for it any more. */
export type AnswerEnd =
  | { kind: "finished"; finishReason: string }
  | { kind: "failed"; problem: Problem }
  | { kind: "aborted" };

/** Calls one model once and passes its answer on. */
export type Call = (model: ResolvedModel, timeouts: Timeouts) => Promise<ModelEnd>;

/** What was learnt of a model's health by calling it; no fault is a success. */
export interface Finding {
  candidate: Candidate;
  model: ResolvedModel;
  timeouts: Timeouts;
  fault: ProviderFault | null;
}

/** What calling takes besides the models; clock, chance and sleep are a test's to replace. */
export interface CallsOptions {
  settings: TurnSettings;
  attempts: Attempts;
  signal: AbortSignal;
  /** When the time for a first token is up, on the clock of `now`. */
  deadline: number;
  onFinding(finding: Finding): void;
  now?: () => number;
  random?: () => number;
  sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** A provider that asks for a longer wait is left for the next model: a visitor waits for the answer. */
const LONGEST_WAIT_MS = 10_000;

/**
 * Calls the models one after the other until one answers. One that is overloaded, down or silent is called again, after
 * a wait; one that refuses the request is not. Once something of an answer was passed on, that answer is the only one.
 */
export async function callModels(
  candidates: readonly Candidate[],
  call: Call,
  options: CallsOptions,
): Promise<AnswerEnd> {
  const { attempts, deadline, now = () => performance.now() } = options;
  let failed: Problem | null = null;
  for (const candidate of candidates) {
    if (attempts.all.length > 0 && now() >= deadline) break;
    const refusal = await refusalOf(candidate);
    if (refusal) {
      attempts.refuse(candidate, refusal);
      failed ??= refusal;
      continue;
    }
    const { end, isFinal } = await callOften(candidate, call, options);
    if (isFinal || end.kind !== "failed") return end;
    failed = end.problem;
  }
  return {
    kind: "failed",
    problem: failed ?? problem("internal", "Cannot answer: the agent names no model"),
  };
}

/** Calls one model until it answers or is given up; `isFinal` when no other may be called after it. */
async function callOften(
  candidate: Candidate,
  call: Call,
  options: CallsOptions,
): Promise<{ end: AnswerEnd; isFinal: boolean }> {
  const { settings, attempts, signal, deadline, now = () => performance.now(), sleep = sleepFor } = options;
  const model = await candidate.ready();
  const own = settings.timeoutsOf(candidate.name);
  for (let retry = 0;; retry++) {
    const began = now();
    const timeouts = { ...own, firstTokenMs: Math.max(1, Math.min(own.firstTokenMs, deadline - began)) };
    attempts.begin(model);
    const end = await call(model, timeouts);
    const fault = end.kind === "failed" ? faultOf(end, new Date()) : null;
    const failure = problemOf(end, fault);
    const error = { status: fault?.status ?? null, error_code: failure?.code ?? null };
    attempts.end(end, { ...error, retry, duration_ms: Math.round(now() - began) });
    if (end.kind === "aborted") return { end: { kind: "aborted" }, isFinal: true };
    if (failure === null) {
      if (candidate.isAiling) options.onFinding({ candidate, model, timeouts, fault });
      return { end: { kind: "finished", finishReason: finishOf(end) }, isFinal: true };
    }
    const wait = end.begun ? null : waitBefore(retry + 1, fault, { ...options, left: deadline - now() });
    if (wait === null) {
      if (fault?.isOutage) options.onFinding({ candidate, model, timeouts, fault });
      return { end: { kind: "failed", problem: failure }, isFinal: end.begun };
    }
    try {
      await sleep(wait, signal);
    } catch {
      return { end: { kind: "aborted" }, isFinal: true };
    }
  }
}

/** Milliseconds before a model is called again; null when it is not. */
function waitBefore(
  tries: number,
  fault: ProviderFault | null,
  { settings, random, left }: Pick<CallsOptions, "settings" | "random"> & { left: number },
): number | null {
  if (!fault?.isOutage) return null;
  // Silence has already cost as much as a visitor waits: once more, no oftener.
  const most = fault.name === "timeout" ? Math.min(1, settings.retries) : settings.retries;
  if (tries > most || fault.retryAfterMs > LONGEST_WAIT_MS) return null;
  const wait = Math.max(fault.retryAfterMs, fullJitter(tries, { firstMs: settings.retryDelayMs, random }));
  return wait < left ? wait : null;
}

function problemOf(end: ModelEnd, fault: ProviderFault | null): Problem | null {
  if (end.kind === "aborted") return null;
  if (end.kind === "finished") {
    return end.begun ? null : problem("provider_failed", "Cannot answer: the model said nothing");
  }
  const what = end.code === "provider_timeout" ? "the model was silent for too long" : "the model failed";
  const wait = fault && fault.retryAfterMs > 0 ? { retry_after: Math.ceil(fault.retryAfterMs / 1000) } : {};
  return problem(end.code, `Cannot answer: ${what}`, { cause: end.cause, members: wait });
}

function finishOf(end: ModelEnd): string {
  return end.kind === "finished" ? end.finishReason : "stop";
}
