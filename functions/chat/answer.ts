import type { Deps } from "../../shared/deps.ts";
import { problem, toProblem } from "../../shared/errors.ts";
import type { Match } from "../../shared/results.ts";
import { traceHeaders } from "../../shared/trace-context.ts";
import type { Turn } from "./admission.ts";
import type { Attempts } from "./attempts.ts";
import { type AnswerEnd, callModels } from "./calls.ts";
import type { Candidate } from "./candidates.ts";
import { type Citation, CitedText, type Filtered } from "./citations.ts";
import { reportFinding } from "./health.ts";
import { readModel, type ToolCall } from "./model-stream.ts";
import { buildPrompt } from "./prompt.ts";
import { retrieve } from "./retrieval.ts";
import { turnSettings } from "./settings.ts";
import { callOptions, mayCall, wantsJson } from "./wishes.ts";

/** What was answered, as far as it came. */
export interface Answer {
  text: string;
  citations: Citation[];
  /** The client's tools that the model wants called before it goes on. */
  toolCalls: ToolCall[];
  retrieved: Match[];
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
  const { agent } = turn.admission;
  const result = nothing({ kind: "aborted" });
  try {
    const found = await retrieve(turn, deps, signal);
    result.retrieved = found.chunks;
    const settings = turnSettings(agent.config);
    const prompt = buildPrompt(turn, found, settings.promptTokens);
    const cited = wantsJson(turn.wishes) ? verbatim : new CitedText(prompt.chunks, turn.question);
    attempts.prompt = prompt.messages;
    const pass = ({ text, citations }: Filtered) => {
      result.text += text;
      if (text !== "") say(text);
      result.citations.push(...citations);
      citations.forEach(cite);
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
      signal,
      onText: (text: string) => {
        begin();
        attempts.receive(text);
        pass(cited.push(text));
      },
      onUnsaid: (text: string) => attempts.receive(text),
      onToolCall: (tool: ToolCall) => {
        if (!mayCall(turn.wishes, result.toolCalls)) return;
        begin();
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
    pass(cited.end());
    result.end = heard(end, result);
  } catch (error) {
    if (!signal.aborted) result.end = { kind: "failed", problem: toProblem(error) };
  }
  return result;
}

// Brackets around numbers are no markers in JSON.
const verbatim: Pick<CitedText, "push" | "end"> = {
  push: (text) => ({ text, citations: [] }),
  end: () => ({ text: "", citations: [] }),
};

/** An answer of which nothing came. */
export function nothing(end: AnswerEnd): Answer {
  return { text: "", citations: [], toolCalls: [], retrieved: [], firstTokenMs: null, end };
}

/** Blanks, or calls of tools that nobody offered, are no answer. */
function heard(end: AnswerEnd, { text, toolCalls }: Answer): AnswerEnd {
  if (end.kind !== "finished" || text.trim() !== "" || toolCalls.length > 0) return end;
  return { kind: "failed", problem: problem("provider_failed", "Cannot answer: the model said nothing") };
}
