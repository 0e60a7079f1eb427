import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4Content,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
} from "@ai-sdk/provider";
import { EventData } from "./event-data.ts";
import { ProviderError } from "./provider-error.ts";
import { WireParts } from "./wire-parts.ts";
import { requestBody, type WireTarget } from "./wire-request.ts";

/** A Chat Completions server and how to ask it. */
export interface WireOptions extends WireTarget {
  /** Such as `https://api.openai.com/v1`. */
  baseURL: string;
  apiKey: string;
  fetch?: typeof fetch;
}

/**
 * A model of any server that speaks Chat Completions. It reads the stream itself, which passes several times as many
 * tokens as a chain of transforms that checks each chunk against a schema.
 */
export function wireModel(options: WireOptions): LanguageModelV4 {
  const { provider, modelId } = options;
  const doStream = (call: LanguageModelV4CallOptions) => open(options, call);
  return {
    specificationVersion: "v4",
    provider,
    modelId,
    supportedUrls: {},
    doStream,
    doGenerate: async (call) => await collect(await doStream(call)),
  };
}

async function open(
  { baseURL, apiKey, fetch: send = fetch, ...target }: WireOptions,
  call: LanguageModelV4CallOptions,
): Promise<LanguageModelV4StreamResult> {
  const url = `${baseURL}/chat/completions`;
  const body = requestBody(target, call);
  const request: RequestInit = {
    method: "POST",
    headers: {
      ...definedOf(call.headers),
      authorization: `Bearer ${apiKey}`,
      "content-type": "application/json",
      accept: "text/event-stream",
    },
    body: JSON.stringify(body),
    signal: call.abortSignal,
  };
  const response = await send(url, request).catch((error) => {
    throw broken("The provider cannot be reached", error, call.abortSignal);
  });
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw new ProviderError(`The provider answered ${response.status}`, {
      statusCode: response.status,
      responseHeaders: Object.fromEntries(response.headers),
    });
  }
  return { stream: partsOf(response.body, call.abortSignal), request: { url, body } };
}

/** A fault of the connection as one of the provider; what the caller's own signal or a guard threw stays what it is. */
function broken(message: string, cause: unknown, signal?: AbortSignal): unknown {
  return cause instanceof TypeError && !signal?.aborted ? new ProviderError(message, { cause }) : cause;
}

// A server that keeps the connection open behind its last event is not waited for any longer.
const AFTER_DONE_MS = 100;

/** The parts of a response's body, read only as they are asked for. */
function partsOf(
  body: ReadableStream<Uint8Array>,
  signal?: AbortSignal,
): ReadableStream<LanguageModelV4StreamPart> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const events = new EventData();
  let emitted = 0;
  let isDone = false;
  let parts: WireParts;
  return new ReadableStream<LanguageModelV4StreamPart>({
    start(controller) {
      parts = new WireParts((part) => {
        emitted++;
        controller.enqueue(part);
      });
      controller.enqueue({ type: "stream-start", warnings: [] });
    },
    async pull(controller) {
      try {
        // A read may complete no part; who waits for one is not asked again.
        for (const before = emitted; emitted === before;) {
          if (await readOnce()) continue;
          parts.end();
          return controller.close();
        }
      } catch (cause) {
        const error = broken("The provider's connection broke", cause, signal);
        controller.enqueue({ type: "error", error });
        controller.close();
        // Nothing after a fault is wanted any more; what cancelling reports is that fault.
        reader.cancel().catch(() => {});
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });

  /** False at the end of the stream. */
  async function readOnce(): Promise<boolean> {
    // The end of the body is read too, so that the connection serves the next call.
    const { done, value } = isDone ? await readLast(reader) : await reader.read();
    for (const data of events.push(done ? decoder.decode() : decoder.decode(value, { stream: true }))) {
      if (data === "[DONE]") isDone = true;
      else parts.push(data);
    }
    return !done;
  }
}

async function readLast(reader: ReadableStreamDefaultReader<Uint8Array>) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<{ done: true; value: undefined }>((resolve) => {
    timer = setTimeout(() => {
      reader.cancel().catch(() => {});
      resolve({ done: true, value: undefined });
    }, AFTER_DONE_MS);
  });
  try {
    return await Promise.race([reader.read(), over]);
  } finally {
    clearTimeout(timer);
  }
}

function definedOf(headers: LanguageModelV4CallOptions["headers"] = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => value === undefined ? [] : [[name, value]]),
  );
}

/** The whole of a streamed answer; throws its error. */
async function collect({ stream }: LanguageModelV4StreamResult): Promise<LanguageModelV4GenerateResult> {
  const content: LanguageModelV4Content[] = [];
  for await (const part of stream) {
    switch (part.type) {
      case "text-start":
        content.push({ type: "text", text: "" });
        break;
      case "reasoning-start":
        content.push({ type: "reasoning", text: "" });
        break;
      case "text-delta":
      case "reasoning-delta": {
        const block = content.at(-1);
        if (block?.type === "text" || block?.type === "reasoning") block.text += part.delta;
        break;
      }
      case "tool-call":
        content.push(part);
        break;
      case "error":
        throw part.error;
      case "finish":
        return { content, finishReason: part.finishReason, usage: part.usage, warnings: [] };
    }
  }
  throw new ProviderError("The provider's stream ended without a finish");
}
