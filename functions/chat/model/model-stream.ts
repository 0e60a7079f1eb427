import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from "@ai-sdk/provider";
import { ProviderError } from "../../../shared/provider-error.ts";
import { Deadline } from "./deadline.ts";
import type { Timeouts } from "../settings.ts";
import { storable, StorableText } from "./storable-text.ts";

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

/** What is known of a call, however it ended. */
export interface Reading {
  /** The provider had begun to answer. */
  opened: boolean;
  /** Something of the answer was passed on, so that no other model can answer in its place. */
  begun: boolean;
  /** Milliseconds from the call to that. */
  firstTokenMs: number | null;
  /** The name that the provider gives the model that answered, and the answer itself. */
  responseModel: string | null;
  responseId: string | null;
  /** The address that was called, when the model tells. */
  url: string | null;
}

/** How a model's answer ended. */
export type ModelEnd =
  & Reading
  & (
    | { kind: "finished"; finishReason: string; usage: TokenCount | null }
    | { kind: "failed"; code: "provider_failed" | "provider_timeout"; cause: unknown }
    | { kind: "aborted" }
  );

/** What reading a model takes besides the call. */
export interface ReadOptions {
  /** Ends the call at once, down to the provider. */
  signal: AbortSignal;
  timeouts: Timeouts;
  /** Receives the text as it comes: never empty, no NUL, no half of a surrogate pair. */
  onText(text: string): void;
  /** Receives thoughts and the pieces of a tool's arguments as they come: output, too, though nothing that is said. */
  onUnsaid(text: string): void;
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
  const reading = unread();
  const began = performance.now();
  if (signal.aborted) return { ...reading, kind: "aborted" };
  const upstream = new AbortController();
  const leave = () => upstream.abort(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  let stalled = false;
  const deadline = new Deadline(timeouts.firstTokenMs, () => {
    stalled = true;
    upstream.abort(new DOMException("The model sent no token in time", "TimeoutError"));
  });
  const onSign = () => deadline.extend(timeouts.betweenTokensMs);
  const onBegin = () => {
    reading.begun = true;
    reading.firstTokenMs ??= Math.round(performance.now() - began);
  };
  try {
    const { stream, request } = await openStream(model, call, upstream.signal);
    reading.opened = true;
    reading.url = request?.url ?? null;
    const end = await readParts(stream, upstream.signal, { ...sink, onSign, onBegin, reading });
    return { ...reading, kind: "finished", ...end };
  } catch (cause) {
    if (stalled) return { ...reading, kind: "failed", code: "provider_timeout", cause };
    if (signal.aborted) return { ...reading, kind: "aborted" };
    return { ...reading, kind: "failed", code: "provider_failed", cause };
  } finally {
    deadline.stop();
    signal.removeEventListener("abort", leave);
    // Whatever the reason, nothing of this answer is wanted any more; after a finished one this does nothing.
    upstream.abort();
  }
}

function unread(): Reading {
  const unknown = { responseModel: null, responseId: null, url: null };
  return { opened: false, begun: false, firstTokenMs: null, ...unknown };
}

/** Opens the stream; gives up with the signal even when the model does not heed it. */
async function openStream(model: LanguageModelV4, call: LanguageModelV4CallOptions, signal: AbortSignal) {
  const opening = Promise.resolve(model.doStream({ ...call, abortSignal: signal }));
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  try {
    return await Promise.race([opening, aborted]);
  } catch (error) {
    // Should it open after all, it is closed; that it fails after it was given up is nothing to report.
    if (signal.aborted) opening.then(({ stream }) => stream.cancel()).catch(() => {});
    throw error;
  }
}

/** Where the parts go. */
interface Sink extends Pick<ReadOptions, "onText" | "onUnsaid" | "onToolCall"> {
  /** Told that the model is at work, and that something of the answer is passed on now. */
  onSign(): void;
  onBegin(): void;
  reading: Reading;
}

async function readParts(
  stream: ReadableStream<LanguageModelV4StreamPart>,
  signal: AbortSignal,
  { reading, onSign, onBegin, onText, onUnsaid, onToolCall }: Sink,
): Promise<{ finishReason: string; usage: TokenCount | null }> {
  const reader = stream.getReader();
  // Ends a pending read of a model that does not heed its signal; what cancel reports, the read reports too.
  signal.addEventListener("abort", () => void reader.cancel(signal.reason).catch(() => {}), { once: true });
  const clean = new StorableText();
  while (true) {
    const { done, value: part } = await reader.read();
    signal.throwIfAborted();
    if (done) throw new ProviderError("The model's stream ended without a finish");
    switch (part.type) {
      case "response-metadata":
        reading.responseModel = part.modelId ?? reading.responseModel;
        reading.responseId = part.id ?? reading.responseId;
        break;
      case "text-delta": {
        onSign();
        const text = clean.take(part.delta);
        if (text === "") break;
        onBegin();
        onText(text);
        break;
      }
      case "tool-input-start":
        onSign();
        break;
      case "reasoning-delta":
      case "tool-input-delta":
        onSign();
        onUnsaid(part.delta);
        break;
      case "tool-call": {
        onSign();
        const { toolCallId: id, toolName: name, input } = part;
        onBegin();
        onToolCall({ id: storable(id), name: storable(name), arguments: storable(input) });
        break;
      }
      case "error":
        throw part.error;
      case "finish": {
        const { unified } = part.finishReason;
        if (unified === "error" || unified === "interrupted") {
          throw new ProviderError(`The model finished with ${unified}`);
        }
        return { finishReason: unified, usage: tokenCount(part.usage) };
      }
    }
  }
}

function tokenCount({ inputTokens, outputTokens }: LanguageModelV4Usage): TokenCount | null {
  if (inputTokens.total === undefined || outputTokens.total === undefined) return null;
  return { input: inputTokens.total, output: outputTokens.total };
}
