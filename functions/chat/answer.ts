import type { Deps } from "../../shared/deps.ts";
import { Problem, problem } from "../../shared/errors.ts";
import type { ResolvedModel } from "../../shared/models.ts";
import type { Match } from "../../shared/results.ts";
import type { Turn } from "./admission.ts";
import { type Citation, CitedText, type Filtered } from "./citations.ts";
import type { Meter } from "./meter.ts";
import { type ModelEnd, readModel, type TokenCount, type ToolCall } from "./model-stream.ts";
import { buildPrompt } from "./prompt.ts";
import { retrieve } from "./retrieval.ts";
import { turnSettings } from "./settings.ts";
import { callOptions, mayCall, wantsJson } from "./wishes.ts";

/** How answering ended: with the whole answer, by a fault, or because nobody waits for it any more. */
export type AnswerEnd =
  | { kind: "finished"; finishReason: string }
  | { kind: "failed"; problem: Problem }
  | { kind: "aborted" };

/** What was answered, as far as it came. */
export interface Answer {
  text: string;
  citations: Citation[];
  /** The client's tools that the model wants called before it goes on. */
  toolCalls: ToolCall[];
  retrieved: Match[];
  usage: TokenCount;
  /** Milliseconds from the request to the model's first token; null when there was none. */
  firstTokenMs: number | null;
  end: AnswerEnd;
}

/** Where an answer goes while it is made, and what ends it early. */
export interface AnswerOptions {
  model: ResolvedModel["model"];
  meter: Meter;
  signal: AbortSignal;
  say(text: string): void;
  cite(citation: Citation): void;
  call(tool: ToolCall): void;
}

/** Retrieves, prompts and streams the answer of one turn. Never throws: every end is a value. */
export async function answer(
  turn: Turn,
  deps: Pick<Deps, "rpc" | "embed" | "log">,
  { model, meter, signal, say, cite, call }: AnswerOptions,
): Promise<Answer> {
  const { agent } = turn.admission;
  const result = nothing({ kind: "aborted" });
  try {
    const found = await retrieve(turn, deps, signal);
    result.retrieved = found.chunks;
    const settings = turnSettings(agent.config);
    const prompt = buildPrompt(turn, found, settings.promptTokens);
    const cited = wantsJson(turn.wishes) ? verbatim : new CitedText(prompt.chunks, turn.question);
    meter.send(prompt.messages);
    const pass = ({ text, citations }: Filtered) => {
      result.text += text;
      if (text !== "") say(text);
      result.citations.push(...citations);
      citations.forEach(cite);
    };
    const end = await readModel(model, {
      prompt: prompt.messages,
      ...callOptions(agent, turn.wishes),
    }, {
      signal,
      timeouts: settings.timeouts,
      onText: (text) => {
        result.firstTokenMs ??= Math.round(performance.now() - turn.startedAt);
        meter.receive(text);
        pass(cited.push(text));
      },
      onToolInput: (text) => meter.receive(text),
      onToolCall: (tool) => {
        if (!mayCall(turn.wishes, result.toolCalls)) return;
        result.firstTokenMs ??= Math.round(performance.now() - turn.startedAt);
        result.toolCalls.push(tool);
        call(tool);
      },
    });
    pass(cited.end());
    result.usage = meter.bill(end);
    result.end = endOf(end, result);
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
  const usage = { input: 0, output: 0 };
  return { text: "", citations: [], toolCalls: [], retrieved: [], usage, firstTokenMs: null, end };
}

function endOf(end: ModelEnd, { text, toolCalls }: Answer): AnswerEnd {
  if (end.kind === "aborted") return end;
  if (end.kind === "failed") {
    const detail = end.code === "provider_timeout" ? "the model was silent for too long" : "the model failed";
    return { kind: "failed", problem: problem(end.code, `Cannot answer: ${detail}`, { cause: end.cause }) };
  }
  if (text.trim() === "" && toolCalls.length === 0) {
    return { kind: "failed", problem: problem("provider_failed", "Cannot answer: the model said nothing") };
  }
  return { kind: "finished", finishReason: end.finishReason };
}

/** What was thrown, as the problem to tell. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return problem("internal", "Cannot answer: an unexpected error", { cause: error });
}
