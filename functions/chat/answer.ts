import type { Deps } from "../../shared/deps.ts";
import { problem, toProblem } from "../../shared/errors.ts";
import type { Match } from "../../shared/results.ts";
import { traceHeaders } from "../../shared/trace-context.ts";
import type { Turn } from "./admission.ts";
import type { Attempts } from "./model/attempts.ts";
import { type AnswerEnd, callModels } from "./model/calls.ts";
import { createCanary } from "./guard/canary.ts";
import { createScreen, type ScreenedText } from "./guard/canary-screen.ts";
import type { Candidate } from "./model/candidates.ts";
import type { Citation } from "./citations/citations.ts";
import type { GuardKind } from "./guard/guard.ts";
import { refusal } from "./guard/guard-refusals.ts";
import { reportFinding } from "./model/health.ts";
import { readModel, type ToolCall } from "./model/model-stream.ts";
import { buildPrompt } from "./prompt.ts";
import { nothingFound, retrieve } from "./retrieval.ts";
import { turnSettings } from "./settings.ts";
import { supportOf } from "./citations/support.ts";
import { callOptions, mayCall, wantsJson } from "./model/wishes.ts";

/** What was answered, as far as it came. */
export interface Answer {
  text: string;
  citations: Citation[];
  /** The share of its statements that the citations bear out; null without statements or documents. */
  support: number | null;
  /** The client's tools that the model wants called before it goes on. */
  toolCalls: ToolCall[];
  retrieved: Match[];
  /** What the guard refused: the question, or an answer that told the instructions; null when nothing. */
  guarded: GuardKind | null;
  /** Milliseconds from the request to the model's first token; null when there was none. */
  firstTokenMs: number | null;
  end: AnswerEnd;
}

/** Where an answer goes while it is made, and what ends it early. */
export interface AnswerOptions {
  candidates: readonly Candidate[];
  attempts: Attempts;
  signal: AbortSignal;
  say(text: string): void;
  cite(citation: Citation): void;
  call(tool: ToolCall): void;
}

type AnswerDeps = Pick<Deps, "rpc" | "embed" | "log" | "background">;

/** Retrieves, prompts and streams the answer of one turn. Never throws: every end is a value. */
export async function answer(turn: Turn, deps: AnswerDeps, options: AnswerOptions): Promise<Answer> {
  const { candidates, attempts, signal, say, cite, call } = options;
  const { timings } = turn;
  const { agent, flags } = turn.admission;
  const result = nothing({ kind: "aborted" });
  const ending = endingWith(signal);
  let isLeaked = false;
  try {
    result.guarded = turn.attack?.kind ?? null;
    const found = turn.attack ? nothingFound : await retrieve(turn, deps, signal);
    result.retrieved = found.chunks;
    const settings = turnSettings(agent.config);
    const canary = flags.conversation_guard ? createCanary() : null;
    const prompt = buildPrompt(turn, found, {
      budget: settings.promptTokens,
      roleLock: flags.role_lock,
      canary,
    });
    const screen = createScreen(prompt, { canary, question: turn.question, isJson: wantsJson(turn.wishes) });
    attempts.prompt = prompt.messages;
    const leave = () => {
      isLeaked = true;
      ending.abort();
    };
    const pass = ({ text, citations, isLeak }: ScreenedText) => {
      result.text += text;
      if (text !== "") say(text);
      result.citations.push(...citations);
      citations.forEach(cite);
      if (isLeak) leave();
    };
    const modelCall = {
      prompt: prompt.messages,
      headers: traceHeaders(turn.traceContext),
      ...callOptions(agent, turn.wishes),
    };
    const calledAt = performance.now();
    const begin = () => {
      if (result.firstTokenMs !== null) return;
      result.firstTokenMs = Math.round(performance.now() - turn.startedAt);
      timings.set("first_token", performance.now() - calledAt);
    };
    const readOptions = {
      signal: ending.signal,
      onText: (text: string) => {
        begin();
        attempts.receive(text);
        if (!isLeaked) pass(screen.push(text));
      },
      onUnsaid: (text: string) => attempts.receive(text),
      onToolCall: (tool: ToolCall) => {
        if (isLeaked || !mayCall(turn.wishes, result.toolCalls)) return;
        begin();
        if (screen.isLeak(tool.arguments)) return leave();
        result.toolCalls.push(tool);
        call(tool);
      },
    };
    const end = await callModels(
      candidates,
      ({ model }, timeouts) => readModel(model, modelCall, { timeouts, ...readOptions }),
      {
        settings,
        attempts,
        signal,
        deadline: turn.startedAt + settings.firstTokenWithinMs,
        onFinding: (finding) => reportFinding(finding, deps),
      },
    );
    timings.set("model", performance.now() - calledAt);
    if (!isLeaked) pass(screen.end());
    if (!isLeaked && agent.rag_enabled && agent.has_knowledge) {
      result.support = supportOf(result.text, prompt.chunks, turn.admission.facts);
    }
    result.end = heard(end, result);
    if (isLeaked) {
      result.guarded = "disclosure";
      result.end = { kind: "finished", finishReason: "content-filter" };
      const refused = refusal("disclosure", turn.language, agent.language);
      pass({ text: result.text === "" ? refused : `\n\n${refused}`, citations: [], isLeak: false });
    }
  } catch (error) {
    if (!signal.aborted) result.end = { kind: "failed", problem: toProblem(error) };
  }
  return result;
}

/** Ends with a signal, or earlier. */
function endingWith(signal: AbortSignal): AbortController {
  const ending = new AbortController();
  if (signal.aborted) ending.abort(signal.reason);
  signal.addEventListener("abort", () => ending.abort(signal.reason), { once: true });
  return ending;
}

/** An answer of which nothing came. */
export function nothing(end: AnswerEnd): Answer {
  return {
    text: "",
    citations: [],
    support: null,
    toolCalls: [],
    retrieved: [],
    guarded: null,
    firstTokenMs: null,
    end,
  };
}

/** Blanks, or calls of tools that nobody offered, are no answer. */
function heard(end: AnswerEnd, { text, toolCalls }: Answer): AnswerEnd {
  if (end.kind !== "finished" || text.trim() !== "" || toolCalls.length > 0) return end;
  return { kind: "failed", problem: problem("provider_failed", "Cannot answer: the model said nothing") };
}
