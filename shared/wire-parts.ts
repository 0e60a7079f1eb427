import type {
  LanguageModelV4FinishReason,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from "@ai-sdk/provider";
import { ProviderError } from "./provider-error.ts";
import { type ToolCallDelta, ToolCalls } from "./tool-calls.ts";

type Json = Record<string, unknown>;
type Block = "text" | "reasoning";

/** Receives parts one by one. */
export type Emit = (part: LanguageModelV4StreamPart) => void;

/** Turns the chunks of OpenAI's and Mistral's streams into parts of the AI SDK's model interface. */
export class WireParts {
  readonly #emit: Emit;
  readonly #tools: ToolCalls;
  #block: Block | null = null;
  #isNamed = false;
  #isRefusal = false;
  #finish: string | null = null;
  #usage: Json = {};

  constructor(emit: Emit) {
    this.#emit = emit;
    this.#tools = new ToolCalls(emit);
  }

  /** Emits the parts of one chunk; throws a `ProviderError` when it is garbage or an error. */
  push(data: string): void {
    const chunk = readChunk(data);
    if (!this.#isNamed && (chunk.id || chunk.model)) {
      this.#isNamed = true;
      this.#emit({ type: "response-metadata", ...text("id", chunk.id), ...text("modelId", chunk.model) });
    }
    if (isObject(chunk.usage)) this.#usage = chunk.usage;
    const [choice] = chunk.choices;
    if (!isObject(choice)) return;
    if (typeof choice.finish_reason === "string") this.#finish = choice.finish_reason;
    if (isObject(choice.delta)) this.#delta(choice.delta);
  }

  /** Emits the last parts; throws when the stream ended without a finish. */
  end(): void {
    if (this.#finish === null) throw new ProviderError("The provider's stream ended without a finish");
    this.#open(null);
    this.#tools.end();
    this.#emit({ type: "finish", finishReason: this.#finishReason(), usage: usageOf(this.#usage) });
  }

  #delta(delta: Json): void {
    const reasoning = delta.reasoning_content ?? delta.reasoning;
    if (typeof reasoning === "string") this.#write("reasoning", reasoning);
    for (const [block, piece] of piecesOf(delta.content)) this.#write(block, piece);
    if (typeof delta.refusal === "string" && delta.refusal !== "") {
      this.#isRefusal = true;
      this.#write("text", delta.refusal);
    }
    if (delta.tool_calls === undefined || delta.tool_calls === null) return;
    if (!Array.isArray(delta.tool_calls)) throw new ProviderError("The provider's tool calls are not a list");
    if (delta.tool_calls.length > 0 && this.#block === "reasoning") this.#open(null);
    for (const call of delta.tool_calls) this.#tools.push(call as ToolCallDelta);
  }

  #write(block: Block, delta: string): void {
    if (delta === "") return;
    this.#open(block);
    this.#emit({ type: `${block}-delta`, id: block, delta });
  }

  #open(block: Block | null): void {
    if (block === this.#block) return;
    if (this.#block !== null) this.#emit({ type: `${this.#block}-end`, id: this.#block });
    if (block !== null) this.#emit({ type: `${block}-start`, id: block });
    this.#block = block;
  }

  #finishReason(): LanguageModelV4FinishReason {
    const raw = this.#finish!;
    const unified = finishReasons[raw] ?? "other";
    return { unified: unified === "stop" && this.#isRefusal ? "content-filter" : unified, raw };
  }
}

const finishReasons: Record<string, LanguageModelV4FinishReason["unified"]> = {
  stop: "stop",
  length: "length",
  model_length: "length",
  content_filter: "content-filter",
  tool_calls: "tool-calls",
  function_call: "tool-calls",
  error: "error",
};

function readChunk(data: string): Json & { choices: unknown[] } {
  let chunk: unknown;
  try {
    chunk = JSON.parse(data);
  } catch {
    // What could not be read may be part of an answer, and the parser's message quotes it.
    throw new ProviderError("The provider sent a chunk that is not JSON");
  }
  if (isObject(chunk) && chunk.error !== undefined && chunk.error !== null) throw reported(chunk.error);
  if (!isObject(chunk) || !Array.isArray(chunk.choices)) {
    throw new ProviderError("The provider sent a chunk of another form");
  }
  return chunk as Json & { choices: unknown[] };
}

/** The error that a provider reports in the middle of its stream. */
function reported(error: unknown): ProviderError {
  const { code, type } = isObject(error) ? error : {};
  const name = [code, type].find((value) => typeof value === "string" && /^[\w.-]{1,64}$/.test(value));
  return new ProviderError("The provider reported an error in its stream", {
    ...(typeof code === "number" && code >= 400 && code < 600 ? { statusCode: code } : {}),
    ...(typeof name === "string" ? { code: name } : {}),
  });
}

/** The pieces of a `content`: a string, or Mistral's list with thoughts among the texts. */
function* piecesOf(content: unknown): Generator<[Block, string]> {
  if (typeof content === "string") yield ["text", content];
  else if (Array.isArray(content)) {
    for (const part of content.filter(isObject)) {
      if (part.type === "text" && typeof part.text === "string") yield ["text", part.text];
      else if (part.type === "thinking") {
        for (const [, piece] of piecesOf(part.thinking)) yield ["reasoning", piece];
      }
    }
  } else if (content !== undefined && content !== null) {
    throw new ProviderError("The provider sent a content of another form");
  }
}

function usageOf(usage: Json): LanguageModelV4Usage {
  const input = count(usage.prompt_tokens);
  const output = count(usage.completion_tokens);
  const cached = detail(usage.prompt_tokens_details, "cached_tokens") ?? count(usage.num_cached_tokens);
  const reasoning = detail(usage.completion_tokens_details, "reasoning_tokens");
  return {
    inputTokens: { total: input, noCache: less(input, cached), cacheRead: cached, cacheWrite: undefined },
    outputTokens: { total: output, text: less(output, reasoning), reasoning },
  };
}

function detail(details: unknown, name: string): number | undefined {
  return isObject(details) ? count(details[name]) : undefined;
}

function count(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : undefined;
}

function less(total: number | undefined, part = 0): number | undefined {
  return total === undefined ? undefined : Math.max(0, total - part);
}

function text<K extends string>(key: K, value: unknown): { [key in K]?: string } {
  return typeof value === "string" && value !== "" ? { [key]: value } as { [key in K]: string } : {};
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
