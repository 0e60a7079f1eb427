import { createMistral } from "@ai-sdk/mistral";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type { LanguageModelV4, LanguageModelV4StreamPart } from "@ai-sdk/provider";
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { ProviderError } from "../../shared/provider-error.ts";
import { wireModel } from "../../shared/wire-model.ts";
import { startModelServer } from "../support/model-server.ts";

type Part = LanguageModelV4StreamPart;

const prompt = [{ role: "user" as const, content: [{ type: "text" as const, text: "Hi" }] }];
const encoder = new TextEncoder();

/** A fetch that answers with these bytes. */
function answering(pieces: Uint8Array<ArrayBuffer>[]): typeof fetch {
  return () => Promise.resolve(new Response(ReadableStream.from(pieces)));
}

function ours(pieces: Uint8Array<ArrayBuffer>[], dialect: "openai" | "mistral" = "openai"): LanguageModelV4 {
  const base = { provider: dialect, modelId: "m", baseURL: "http://model", apiKey: "k", dialect };
  return wireModel({ ...base, fetch: answering(pieces) });
}

const theirs = {
  openai: (pieces: Uint8Array<ArrayBuffer>[]) =>
    createOpenAICompatible({
      name: "openai",
      baseURL: "http://model",
      apiKey: "k",
      fetch: answering(pieces),
    })("m"),
  mistral: (pieces: Uint8Array<ArrayBuffer>[]) =>
    createMistral({ baseURL: "http://model", apiKey: "k", fetch: answering(pieces) })("m"),
};

/** The parts of a model's answer; a stream that throws ends with an error, too. */
async function partsOf(model: LanguageModelV4): Promise<Part[]> {
  const parts: Part[] = [];
  try {
    for await (const part of (await model.doStream({ prompt })).stream) parts.push(part);
  } catch (error) {
    parts.push({ type: "error", error });
  }
  return parts;
}

/** What both sides must agree on: names of blocks and details of usage are each one's own, and so is how a fault is closed. */
function essence(parts: Part[]): unknown[] {
  const ids = new Map<string, number>();
  const idOf = (id: string) => ids.get(id) ?? ids.set(id, ids.size).get(id);
  const fault = parts.findIndex((part) =>
    part.type === "error" || (part.type === "finish" && part.finishReason.unified === "interrupted")
  );
  const good = fault < 0 ? parts : parts.slice(0, fault);
  while (fault >= 0 && /-end$|^tool-call$/.test(good.at(-1)?.type ?? "")) good.pop();
  return (fault < 0 ? good : [...good, { type: "error" as const, error: null }])
    .flatMap((part): unknown[] => {
      switch (part.type) {
        case "stream-start":
        case "response-metadata":
          return [];
        case "error":
          return ["error"];
        case "text-delta":
        case "reasoning-delta":
          return [[part.type, part.delta]];
        case "tool-input-start":
          return [[part.type, idOf(part.id), part.toolName]];
        case "tool-input-delta":
          return [[part.type, idOf(part.id), part.delta]];
        case "tool-input-end":
          return [[part.type, idOf(part.id)]];
        case "tool-call":
          return [[part.type, idOf(part.toolCallId), part.toolName, part.input]];
        case "finish":
          return [[
            part.type,
            part.finishReason,
            part.usage.inputTokens.total,
            part.usage.outputTokens.total,
          ]];
        default:
          return [part.type];
      }
    });
}

const chunk = (delta: unknown, more: object = {}) => ({
  id: "call",
  object: "chat.completion.chunk",
  created: 1,
  model: "m-2026",
  choices: [{ index: 0, delta, finish_reason: null, ...more }],
});
const finish = (
  reason = "stop",
  usage: object | null = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 },
) => ({
  ...chunk({}, { finish_reason: reason }),
  ...(usage ? { usage } : {}),
});
const call = (index: number, delta: { id?: string; name?: string; arguments?: string }) =>
  chunk({
    tool_calls: [{ index, id: delta.id, function: { name: delta.name, arguments: delta.arguments } }],
  });
const wire = (chunks: unknown[], end = "data: [DONE]\n\n", newline = "\n") =>
  (chunks.map((each) => `data: ${typeof each === "string" ? each : JSON.stringify(each)}\n\n`).join("") + end)
    .replaceAll("\n", newline);

const answers: Record<string, string> = {
  "text and usage": wire([
    chunk({ role: "assistant", content: "" }),
    chunk({ content: "One " }),
    chunk({ content: "two" }),
    finish(),
  ]),
  "no usage": wire([chunk({ content: "a" }), finish("length", null)]),
  "no [DONE]": wire([chunk({ content: "a" }), finish()], ""),
  "CRLF and a comment": wire([chunk({ content: "é🙂" }), finish()], ": bye\n\ndata: [DONE]\n\n", "\r\n"),
  "usage in a chunk of its own": wire([
    chunk({ content: "a" }),
    finish("stop", null),
    { ...chunk({}), choices: [], usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } },
  ]),
  "reasoning, then text": wire([
    chunk({ reasoning_content: "Hm" }),
    chunk({ reasoning: ", well" }),
    chunk({ content: "Yes" }),
    finish(),
  ]),
  "two tool calls, their pieces mixed": wire([
    chunk({ content: "Let me see" }),
    call(0, { id: "c0", name: "find", arguments: '{"q"' }),
    call(1, { id: "c1", name: "count", arguments: "" }),
    call(0, { arguments: ':"x"}' }),
    call(1, { arguments: "{}" }),
    finish("tool_calls"),
  ]),
  "a tool call after reasoning": wire([
    chunk({ reasoning_content: "Hm" }),
    call(0, { id: "c0", name: "find", arguments: "{}" }),
    finish("tool_calls"),
  ]),
  "tool calls without an index": wire([
    chunk({ tool_calls: [{ id: "a", function: { name: "one", arguments: '{"n":1}' } }] }),
    chunk({ tool_calls: [{ id: "b", function: { name: "two", arguments: '{"n":2}' } }] }),
    finish("tool_calls"),
  ]),
  "a tool call without a name": wire([call(0, { id: "c0", arguments: "{}" }), finish("tool_calls")]),
  "an error in the stream": wire([chunk({ content: "a" }), { error: { message: "overloaded", code: 503 } }]),
  "garbage": wire([chunk({ content: "a" }), "{not json", chunk({ content: "b" }), finish()]),
  "a chunk without choices": wire([chunk({ content: "a" }), { object: "ping" }, finish()]),
  "an end without a finish": wire([chunk({ content: "a" })], ""),
  "an end inside an event": wire([chunk({ content: "a" }), finish()], "").slice(0, -20),
  "an unknown finish reason": wire([chunk({ content: "a" }), finish("eos")]),
  "a filtered answer": wire([chunk({ content: "a" }), finish("content_filter")]),
  "a refusal": wire([chunk({ refusal: "I will not" }), finish()]),
  "nothing": "",
};

for (const [what, text] of Object.entries(answers)) {
  Deno.test(`the wire is read as the AI SDK reads it: ${what}`, async () => {
    const bytes = [encoder.encode(text)];
    assertEquals(essence(await partsOf(ours(bytes))), essence(await partsOf(theirs.openai(bytes))));
  });
}

const mistral = {
  "text": answers["text and usage"]!,
  "a list as content": wire([
    chunk({ role: "assistant", content: [{ type: "thinking", thinking: [{ type: "text", text: "Hm" }] }] }),
    chunk({ content: [{ type: "text", text: "Yes" }, { type: "reference", reference_ids: [1] }] }),
    chunk({ content: "." }),
    finish(),
  ]),
  "tool calls": wire([
    chunk({ tool_calls: [{ id: "abcdefghi", index: 0, function: { name: "find", arguments: '{"q":1}' } }] }),
    finish("tool_calls"),
  ]),
  "the longest answer": wire([chunk({ content: "a" }), finish("model_length")]),
};

for (const [what, text] of Object.entries(mistral)) {
  Deno.test(`Mistral's wire is read as the AI SDK reads it: ${what}`, async () => {
    const bytes = [encoder.encode(text)];
    assertEquals(
      essence(await partsOf(ours(bytes, "mistral"))),
      essence(await partsOf(theirs.mistral(bytes))),
    );
  });
}

/** Bytes in pieces that end at these places. */
function cutAt(bytes: Uint8Array<ArrayBuffer>, places: number[]): Uint8Array<ArrayBuffer>[] {
  const at = [...new Set([...places.map((place) => place % (bytes.length + 1)), bytes.length])].sort((a, b) =>
    a - b
  );
  return at.map((end, index) => bytes.slice(at[index - 1] ?? 0, end));
}

const anyText = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }).map((content) => chunk({ content })),
  fc.string({ maxLength: 8 }).map((reasoning_content) => chunk({ reasoning_content })),
  fc.string({ unit: "binary", maxLength: 5 }).map((text) => chunk({ content: [{ type: "text", text }] })),
  fc.constantFrom("{garbage", { error: { message: "mid", type: "server_error" } }, finish()),
);
/** Tool calls whose pieces are mixed, each in its own order. */
const anyCalls = fc.tuple(fc.array(fc.string({ maxLength: 6 }), { maxLength: 4 }), fc.array(fc.boolean()))
  .map(
    ([inputs, order]) =>
      inputs.flatMap((input, index) => [
        [index, call(index, { id: `c${index}`, name: `tool${index}`, arguments: input })] as const,
        [index + (order[index] ? 1 : 10), call(index, { arguments: "{}" })] as const,
      ]).sort(([a], [b]) => a - b).map(([, piece]) => piece),
  );
const anyAnswer = fc.tuple(fc.array(anyText, { maxLength: 8 }), anyCalls, fc.array(anyText, { maxLength: 4 }))
  .chain((chunks) =>
    fc.tuple(fc.constantFrom("data: [DONE]\n\n", "", ": \n\n"), fc.constantFrom("\n", "\r\n"))
      .map(([end, newline]) => wire(chunks.flat(), end, newline))
  );

Deno.test("any cut of the bytes gives the same parts as one piece, and those of the AI SDK", async () => {
  const cuts = fc.array(fc.nat(4000), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(anyAnswer, cuts, async (text, places) => {
      const bytes = encoder.encode(text);
      const whole = await partsOf(ours([bytes]));
      // Ids made up for calls that have none are new each time.
      assertEquals(essence(await partsOf(ours(cutAt(bytes, places)))), essence(whole));
      assertEquals(essence(whole), essence(await partsOf(theirs.openai([bytes]))));
    }),
    { numRuns: 300 },
  );
});

Deno.test("the model's own name and id of the answer are told once", async () => {
  const parts = await partsOf(ours([encoder.encode(answers["text and usage"]!)]));
  assertEquals(parts.filter(({ type }) => type === "response-metadata"), [
    { type: "response-metadata", id: "call", modelId: "m-2026" },
  ]);
});

Deno.test("a refused call throws its status and headers, and nothing that the provider wrote", async () => {
  const server = startModelServer();
  try {
    server.play("m", { status: 429, headers: { "retry-after": "7" } });
    const model = wireModel({
      provider: "openai",
      modelId: "m",
      baseURL: server.url,
      apiKey: "k",
      dialect: "openai",
    });
    const error = await assertRejects(async () => await model.doStream({ prompt }), ProviderError);
    assertEquals([error.statusCode, error.responseHeaders?.["retry-after"]], [429, "7"]);
    assertEquals(error.message, "The provider answered 429");
  } finally {
    await server.close();
  }
});

Deno.test("an error in the stream keeps the provider's name for it", async () => {
  const text = wire([{ error: { message: "secret prompt", type: "overloaded_error", code: 529 } }]);
  const error = (await partsOf(ours([encoder.encode(text)]))).find((part) => part.type === "error")?.error;
  assert(error instanceof ProviderError);
  assertEquals([error.statusCode, error.code], [529, "overloaded_error"]);
  assert(!error.message.includes("secret"));
});

Deno.test("a connection that stays open behind [DONE] does not hold the answer back", async () => {
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (controller) => controller.enqueue(encoder.encode(answers["text and usage"]!)),
    cancel: () => void (isCancelled = true),
  });
  const model = wireModel({
    provider: "openai",
    modelId: "m",
    baseURL: "http://model",
    apiKey: "k",
    dialect: "openai",
    fetch: () => Promise.resolve(new Response(body)),
  });
  assertEquals((await partsOf(model)).at(-1)?.type, "finish");
  assert(isCancelled);
});

Deno.test("a whole answer is what the stream says, and its fault is thrown", async () => {
  const model = (what: string) => ours([encoder.encode(answers[what]!)]);
  const { content, finishReason } = await model("two tool calls, their pieces mixed").doGenerate({ prompt });
  assertEquals(content.map((part) => part.type === "text" ? part.text : part.type), [
    "Let me see",
    "tool-call",
    "tool-call",
  ]);
  assertEquals(finishReason.unified, "tool-calls");
  await assertRejects(async () => await model("garbage").doGenerate({ prompt }), ProviderError);
});

Deno.test("an abort ends the stream with its reason", async () => {
  const server = startModelServer();
  try {
    server.play("m", { steps: ["One", { stall: true }] });
    const model = wireModel({
      provider: "openai",
      modelId: "m",
      baseURL: server.url,
      apiKey: "k",
      dialect: "openai",
    });
    const controller = new AbortController();
    const { stream } = await model.doStream({ prompt, abortSignal: controller.signal });
    const parts: Part[] = [];
    for await (const part of stream) {
      parts.push(part);
      if (part.type === "text-delta") controller.abort(new Error("enough"));
    }
    const last = parts.at(-1);
    assertEquals(last?.type === "error" && (last.error as Error).message, "enough");
  } finally {
    await server.close();
  }
});
