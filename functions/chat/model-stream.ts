import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from "@ai-sdk/provider";
import { Deadline } from "./deadline.ts";
import type { Timeouts } from "./settings.ts";

/** Tokens as the provider bills them. */
export interface TokenCount {
  input: number;
  output: number;
}

/** A tool that the model wants called; `arguments` is JSON, as the model wrote it. */
export interface ToolCall {
  id: string;
  name: string;
  arguments: string;
}

/** How a model's answer ended. `opened` tells whether the provider had begun to answer. */
export type ModelEnd =
  | { kind: "finished"; opened: true; finishReason: string; usage: TokenCount | null }
  | { kind: "failed"; opened: boolean; code: "provider_failed" | "provider_timeout"; cause: unknown }
  | { kind: "aborted"; opened: boolean };

/** What reading a model takes besides the call. */
export interface ReadOptions {
  /** Ends the call at once, down to the provider. */
  signal: AbortSignal;
  timeouts: Timeouts;
  /** Receives the text as it comes: never empty, no NUL, no half of a surrogate pair. */
  onText(text: string): void;
  /** Receives the pieces of a tool's arguments as they come: output, too, though nothing that is said. */
  onToolInput(text: string): void;
  /** Receives a tool to call, once its arguments are whole. */
  onToolCall(call: ToolCall): void;
}

/**
 * Streams one answer of a model. The first error part, throw or stall ends it, and so does a stream that stops without
 * `finish`: what the AI SDK sends after an error part (a clean `finish`) is not believed.
 */
export async function readModel(
  model: LanguageModelV4,
  call: LanguageModelV4CallOptions,
  { signal, timeouts, ...sink }: ReadOptions,
): Promise<ModelEnd> {
  const upstream = new AbortController();
  const leave = () => upstream.abort(signal.reason);
  if (signal.aborted) return { kind: "aborted", opened: false };
  signal.addEventListener("abort", leave, { once: true });
  let stalled = false;
  const deadline = new Deadline(timeouts.firstTokenMs, () => {
    stalled = true;
    upstream.abort(new DOMException("The model sent no token in time", "TimeoutError"));
  });
  let opened = false;
  try {
    const stream = await openStream(model, call, upstream.signal);
    opened = true;
    return await readParts(stream, upstream.signal, {
      ...sink,
      onSign: () => deadline.extend(timeouts.betweenTokensMs),
    });
  } catch (cause) {
    if (stalled) return { kind: "failed", opened, code: "provider_timeout", cause };
    if (signal.aborted) return { kind: "aborted", opened };
    return { kind: "failed", opened, code: "provider_failed", cause };
  } finally {
    deadline.stop();
    signal.removeEventListener("abort", leave);
    // Whatever the reason, nothing of this answer is wanted any more; after a finished one this does nothing.
    upstream.abort();
  }
}

/** Opens the stream; gives up with the signal even when the model does not heed it. */
async function openStream(model: LanguageModelV4, call: LanguageModelV4CallOptions, signal: AbortSignal) {
  const opening = Promise.resolve(model.doStream({ ...call, abortSignal: signal }));
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  try {
    return (await Promise.race([opening, aborted])).stream;
  } catch (error) {
    // Should it open after all, it is closed; that it fails after it was given up is nothing to report.
    if (signal.aborted) opening.then(({ stream }) => stream.cancel()).catch(() => {});
    throw error;
  }
}

/** Where the parts go; `onSign` is told that the model is at work. */
type Sink = Pick<ReadOptions, "onText" | "onToolInput" | "onToolCall"> & { onSign(): void };

async function readParts(
  stream: ReadableStream<LanguageModelV4StreamPart>,
  signal: AbortSignal,
  { onSign, onText, onToolInput, onToolCall }: Sink,
): Promise<ModelEnd> {
  const reader = stream.getReader();
  // Ends a pending read of a model that does not heed its signal; what cancel reports, the read reports too.
  signal.addEventListener("abort", () => void reader.cancel(signal.reason).catch(() => {}), { once: true });
  const clean = new StorableText();
  while (true) {
    const { done, value: part } = await reader.read();
    signal.throwIfAborted();
    if (done) throw new Error("The model's stream ended without a finish");
    switch (part.type) {
      case "text-delta": {
        onSign();
        const text = clean.take(part.delta);
        if (text !== "") onText(text);
        break;
      }
      case "reasoning-delta":
      case "tool-input-start":
        onSign();
        break;
      case "tool-input-delta":
        onSign();
        onToolInput(part.delta);
        break;
      case "tool-call": {
        onSign();
        const { toolCallId: id, toolName: name, input } = part;
        onToolCall({ id: storable(id), name: storable(name), arguments: storable(input) });
        break;
      }
      case "error":
        throw part.error;
      case "finish": {
        const { unified } = part.finishReason;
        if (unified === "error" || unified === "interrupted") {
          throw new Error(`The model finished with ${unified}`);
        }
        return { kind: "finished", opened: true, finishReason: unified, usage: tokenCount(part.usage) };
      }
    }
  }
}

function tokenCount({ inputTokens, outputTokens }: LanguageModelV4Usage): TokenCount | null {
  if (inputTokens.total === undefined || outputTokens.total === undefined) return null;
  return { input: inputTokens.total, output: outputTokens.total };
}

/** Drops what PostgreSQL cannot store: NUL, and halves of surrogate pairs; a pair cut in two pieces is joined. */
class StorableText {
  #half = "";

  take(piece: string): string {
    let text = this.#half + piece;
    this.#half = "";
    if (/[\uD800-\uDBFF]$/.test(text)) {
      this.#half = text.slice(-1);
      text = text.slice(0, -1);
    }
    return storable(text);
  }
}

function storable(text: string): string {
  return text.replaceAll("\0", "").toWellFormed();
}
