import { createMistral } from "@ai-sdk/mistral";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type { LanguageModelV4, LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { wireModel } from "../../shared/wire-model.ts";

const base = { baseURL: "http://model", apiKey: "k" };

/** The body and the headers that a model sends, as they arrive. */
async function sent(make: (send: typeof fetch) => LanguageModelV4, call: LanguageModelV4CallOptions) {
  let request: Request | undefined;
  const send: typeof fetch = (input, init) => {
    request = new Request(input, init);
    return Promise.resolve(new Response("data: [DONE]\n\n"));
  };
  await (await make(send).doStream(call)).stream.cancel();
  return { body: await request!.json(), headers: request!.headers, url: request!.url };
}

const ours = (dialect: "openai" | "mistral") => (fetch: typeof globalThis.fetch) =>
  wireModel({ ...base, provider: dialect, modelId: "m", dialect, fetch });
const openai = (fetch: typeof globalThis.fetch) =>
  createOpenAICompatible({
    ...base,
    name: "openai",
    includeUsage: true,
    supportsStructuredOutputs: true,
    fetch,
  })("m");
const mistral = (fetch: typeof globalThis.fetch) => createMistral({ ...base, fetch })("m");

const tool = {
  type: "function" as const,
  name: "find",
  description: "Finds",
  inputSchema: { type: "object" as const, properties: { q: { type: "string" as const } } },
};
const dialogue: LanguageModelV4CallOptions["prompt"] = [
  { role: "system", content: "You help." },
  { role: "user", content: [{ type: "text", text: "Hi" }] },
  {
    role: "assistant",
    content: [
      { type: "tool-call", toolCallId: "abcdefghi", toolName: "find", input: { q: "x" } },
      { type: "tool-call", toolCallId: "abcdefghj", toolName: "find", input: '{"q":"y"}' },
    ],
  },
  {
    role: "tool",
    content: [
      {
        type: "tool-result",
        toolCallId: "abcdefghi",
        toolName: "find",
        output: { type: "json", value: { n: 1 } },
      },
      {
        type: "tool-result",
        toolCallId: "abcdefghj",
        toolName: "find",
        output: { type: "text", value: "two" },
      },
    ],
  },
  { role: "assistant", content: [{ type: "text", text: "Two." }] },
  { role: "user", content: [{ type: "text", text: "And now?" }] },
];
const calls: Record<string, LanguageModelV4CallOptions> = {
  "a plain turn": { prompt: dialogue.slice(0, 2), maxOutputTokens: 5, temperature: 0.2, topP: 0.9 },
  "tools and their results": { prompt: dialogue, tools: [tool], toolChoice: { type: "auto" } },
  "one tool, forced": { prompt: dialogue, tools: [tool], toolChoice: { type: "tool", toolName: "find" } },
  "any tool, forced": { prompt: dialogue, tools: [tool], toolChoice: { type: "required" } },
  "no tools in an empty list": { prompt: dialogue, tools: [], toolChoice: { type: "auto" } },
  "every option": {
    prompt: dialogue,
    frequencyPenalty: 0.1,
    presencePenalty: 0.2,
    stopSequences: ["END"],
    seed: 7,
    responseFormat: { type: "json", name: "answer", schema: { type: "object" } },
  },
  "the provider's own options": {
    prompt: dialogue,
    tools: [tool],
    providerOptions: { openai: { parallel_tool_calls: false }, mistral: { parallelToolCalls: false } },
  },
};

for (const [what, call] of Object.entries(calls)) {
  Deno.test(`a request has the body that the AI SDK sends: ${what}`, async () => {
    const { body, url } = await sent(ours("openai"), call);
    const expected = await sent(openai, call);
    assertEquals([body, url], [expected.body, expected.url]);
  });

  Deno.test(`a request to Mistral has the body that the AI SDK sends: ${what}`, async () => {
    const { body, url } = await sent(ours("mistral"), call);
    const expected = await sent(mistral, call);
    // Both forms of a text are allowed, the name of a tool's result may be left out, and a schema is better kept to.
    for (const message of expected.body.messages) {
      if (message.role === "user") message.content = message.content[0].text;
      if (message.role === "tool") delete message.name;
      if (message.content === "" && message.tool_calls) message.content = null;
    }
    if (expected.body.response_format) expected.body.response_format.json_schema.strict = true;
    assertEquals([body, url], [expected.body, expected.url]);
  });
}

Deno.test("a request carries the key and the caller's headers, not those that are undefined", async () => {
  const { headers } = await sent(ours("openai"), {
    prompt: dialogue.slice(0, 2),
    headers: { traceparent: "00-1", tracestate: undefined, authorization: "Bearer other" },
  });
  assertEquals(
    ["authorization", "content-type", "accept", "traceparent", "tracestate"].map((name) => headers.get(name)),
    ["Bearer k", "application/json", "text/event-stream", "00-1", null],
  );
});

Deno.test("tool calls of another vendor get ids that Mistral takes, a call and its result the same", async () => {
  const prompt = dialogue.map((message) =>
    JSON.parse(JSON.stringify(message).replaceAll("abcdefgh", "call_0123456789abcdef"))
  );
  const { body } = await sent(ours("mistral"), { prompt });
  const [first, second] = body.messages[2].tool_calls.map(({ id }: { id: string }) => id);
  assertEquals([first, second].map((id) => /^[a-z0-9]{9}$/.test(id)), [true, true]);
  assertNotEquals(first, second);
  const results = body.messages.filter(({ role }: { role: string }) => role === "tool");
  assertEquals(results.map(({ tool_call_id }: { tool_call_id: string }) => tool_call_id), [first, second]);
});

Deno.test("how hard a model is to think is told to OpenAI's servers as they name it", async () => {
  const prompt = dialogue.slice(0, 2);
  assertEquals((await sent(ours("openai"), { prompt, reasoning: "low" })).body.reasoning_effort, "low");
  const { body } = await sent(ours("openai"), { prompt, reasoning: "provider-default" });
  assertEquals(body.reasoning_effort, undefined);
});

Deno.test("a file is refused by name", async () => {
  const file = { type: "file" as const, mediaType: "image/png", data: { type: "data" as const, data: "" } };
  await assertRejects(
    () => sent(ours("openai"), { prompt: [{ role: "user", content: [file] }] }),
    TypeError,
    "file",
  );
});
