import type { LanguageModelV4, LanguageModelV4StreamPart } from "@ai-sdk/provider";
import { assert, assertEquals } from "@std/assert";
import { readModel, type ToolCall } from "../../../functions/chat/model/model-stream.ts";

const usage = (input: number | undefined, output: number | undefined) => ({
  inputTokens: { total: input, noCache: input, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: output, text: output, reasoning: undefined },
});
const delta = (text: string): LanguageModelV4StreamPart => ({ type: "text-delta", id: "0", delta: text });
const finish = (
  unified: "stop" | "length" | "tool-calls" | "error" | "interrupted",
  output: number | null = 2,
) =>
  ({
    type: "finish",
    finishReason: { unified, raw: unified },
    usage: usage(7, output ?? undefined),
  }) as const;

/** A model that plays a script; `null` in it is a stall that heeds no signal. */
function scripted(
  script: (LanguageModelV4StreamPart | null | Error)[],
  state = { cancelled: false },
): LanguageModelV4 {
  const steps = script[Symbol.iterator]();
  return {
    specificationVersion: "v4",
    provider: "script",
    modelId: "script",
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error("never called")),
    doStream: () =>
      Promise.resolve({
        stream: new ReadableStream<LanguageModelV4StreamPart>({
          pull(controller) {
            const { done, value } = steps.next();
            if (done) return controller.close();
            if (value === null) return new Promise(() => {});
            if (value instanceof Error) return controller.error(value);
            controller.enqueue(value);
          },
          cancel() {
            state.cancelled = true;
          },
        }, { highWaterMark: 0 }),
      }),
  };
}

async function read(
  model: LanguageModelV4,
  options: { signal?: AbortSignal; first?: number; between?: number; onText?: () => void } = {},
) {
  let text = "";
  let unsaid = "";
  const calls: ToolCall[] = [];
  const read = await readModel(model, { prompt: [] }, {
    signal: options.signal ?? new AbortController().signal,
    timeouts: { firstTokenMs: options.first ?? 5000, betweenTokensMs: options.between ?? 5000 },
    onText: (piece) => {
      assert(piece !== "");
      text += piece;
      options.onText?.();
    },
    onUnsaid: (piece) => void (unsaid += piece),
    onToolCall: (call) => void calls.push(call),
  });
  const { firstTokenMs, responseModel, responseId, url, ...end } = read;
  assertEquals(firstTokenMs !== null, end.begun);
  return { end, text, unsaid, calls, about: [responseModel, responseId, url] };
}

Deno.test("a model's answer is passed on with the provider's own count", async () => {
  const { end, text } = await read(scripted([delta("a"), delta(""), delta("b"), finish("length")]));
  assertEquals(text, "ab");
  assertEquals(end, {
    kind: "finished",
    opened: true,
    begun: true,
    finishReason: "length",
    usage: { input: 7, output: 2 },
  });
});

Deno.test("what the provider tells of its answer is kept, also of one that failed", async () => {
  const told: LanguageModelV4StreamPart = { type: "response-metadata", id: "r1", modelId: "m-2026" };
  assertEquals((await read(scripted([told, delta("a"), finish("stop")]))).about, ["m-2026", "r1", null]);
  assertEquals((await read(scripted([told, new Error("broken")]))).about, ["m-2026", "r1", null]);
});

Deno.test("a count that is not whole does not count", async () => {
  const { end } = await read(scripted([delta("a"), finish("stop", null)]));
  assertEquals(end, { kind: "finished", opened: true, begun: true, finishReason: "stop", usage: null });
});

Deno.test("the first error part ends the answer, whatever follows", async () => {
  const error = new Error("garbage");
  const state = { cancelled: false };
  const { end, text } = await read(
    scripted([delta("a"), { type: "error", error }, delta("b"), finish("stop")], state),
  );
  assertEquals(text, "a");
  assertEquals(end, { kind: "failed", opened: true, begun: true, code: "provider_failed", cause: error });
  assert(state.cancelled);
});

for (const reason of ["error", "interrupted"] as const) {
  Deno.test(`a finish with the reason ${reason} is a failure`, async () => {
    const { end } = await read(scripted([delta("a"), finish(reason)]));
    assertEquals(end.kind === "failed" && end.code, "provider_failed");
  });
}

Deno.test("a stream that ends without a finish is a failure", async () => {
  assertEquals((await read(scripted([delta("a")]))).end.kind, "failed");
});

Deno.test("a stream that breaks is a failure", async () => {
  assertEquals((await read(scripted([delta("a"), new TypeError("connection reset")]))).end.kind, "failed");
});

Deno.test("a model that refuses to open failed before it was opened", async () => {
  const model = { ...scripted([]), doStream: () => Promise.reject(new Error("down")) };
  const { end } = await read(model);
  assertEquals([end.kind, end.opened], ["failed", false]);
});

Deno.test("a model that never opens, or never sends a token, times out", async () => {
  const shut = { ...scripted([]), doStream: () => new Promise<never>(() => {}) };
  const first = await read(shut, { first: 20 });
  assertEquals([first.end.kind === "failed" && first.end.code, first.end.opened], [
    "provider_timeout",
    false,
  ]);
  const state = { cancelled: false };
  const second = await read(scripted([{ type: "stream-start", warnings: [] }, null], state), { first: 20 });
  assertEquals([second.end.kind === "failed" && second.end.code, second.end.opened], [
    "provider_timeout",
    true,
  ]);
  assert(state.cancelled);
});

Deno.test("a model that stalls between two tokens times out by the shorter limit", async () => {
  const started = performance.now();
  const { end, text } = await read(scripted([delta("a"), null]), { first: 10_000, between: 20 });
  assertEquals([text, end.kind === "failed" && end.code], ["a", "provider_timeout"]);
  assert(performance.now() - started < 2000);
});

Deno.test("a model at work does not time out, however long it takes altogether", async () => {
  const steps = Array.from({ length: 25 }, () => delta("x"));
  const model = scripted([...steps, finish("stop")]);
  const slow: LanguageModelV4 = {
    ...model,
    doStream: async (call) => {
      const { stream } = await model.doStream(call);
      const pause = new TransformStream<LanguageModelV4StreamPart, LanguageModelV4StreamPart>({
        async transform(part, controller) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          controller.enqueue(part);
        },
      });
      return { stream: stream.pipeThrough(pause) };
    },
  };
  const { end, text } = await read(slow, { first: 300, between: 300 });
  assertEquals([text.length, end.kind], [25, "finished"]);
});

Deno.test("the turn's signal ends the answer at once, also of a model that does not heed it", async () => {
  const controller = new AbortController();
  const state = { cancelled: false };
  const { end, text } = await read(scripted([delta("a"), null], state), {
    signal: controller.signal,
    onText: () => controller.abort(),
  });
  assertEquals([text, end], ["a", { kind: "aborted", opened: true, begun: true }]);
  assert(state.cancelled);
});

Deno.test("a turn that was ended before does not call the model", async () => {
  const model = { ...scripted([]), doStream: () => Promise.reject(new Error("called")) };
  const { end } = await read(model, { signal: AbortSignal.abort() });
  assertEquals(end, { kind: "aborted", opened: false, begun: false });
});

Deno.test("a model's tool calls are passed on whole, their pieces as they come", async () => {
  const call = (toolCallId: string, input: string) =>
    ({ type: "tool-call", toolCallId, toolName: "weather", input }) as const;
  const { end, text, unsaid, calls } = await read(scripted([
    { type: "reasoning-delta", id: "r", delta: "Where? " },
    delta("Let me see. "),
    { type: "tool-input-start", id: "a", toolName: "weather" },
    { type: "tool-input-delta", id: "a", delta: '{"city":' },
    { type: "tool-input-delta", id: "a", delta: '"Lyon"}' },
    { type: "tool-input-end", id: "a" },
    call("a", '{"city":"Lyon"}'),
    call("b", '{"city":"\ud83d\0"}'),
    finish("tool-calls"),
  ]));
  assertEquals([text, unsaid], ["Let me see. ", 'Where? {"city":"Lyon"}']);
  assertEquals(calls, [
    { id: "a", name: "weather", arguments: '{"city":"Lyon"}' },
    { id: "b", name: "weather", arguments: '{"city":"\ufffd"}' },
  ]);
  assertEquals([end.kind, end.kind === "finished" && end.finishReason], ["finished", "tool-calls"]);
});

Deno.test("a model that writes a tool's arguments is at work", async () => {
  const { end } = await read(
    scripted([{ type: "tool-input-start", id: "a", toolName: "weather" }, null]),
    { first: 10_000, between: 20 },
  );
  assertEquals(end.kind === "failed" && end.code, "provider_timeout");
});

Deno.test("text that cannot be stored is made storable, a pair cut in two is joined", async () => {
  const [high, low] = ["\ud83d", "\ude42"];
  const { text } = await read(
    scripted([delta("a\0" + high), delta(low + "b"), delta(low), delta(high), delta("c"), finish("stop")]),
  );
  assertEquals(text, "a🙂b\ufffd\ufffdc");
});
