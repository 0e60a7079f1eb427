import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { APICallError, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { type ChatAgent, eventually, startChat } from "../functions/chat/fixture.ts";
import { madeUpKey } from "../support/keys.ts";
import { block, watched } from "./limits.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

const prompt = "How long do refunds take?";
const lyon = { id: "call_1", name: "weather", arguments: '{"city":"Lyon"}' };

/** The agent as a model of the AI SDK. */
function model({ key }: Pick<ChatAgent, "key">, send: typeof fetch = fetch) {
  const baseURL = chat.stack.functionUrl("chat/v1");
  return createOpenAICompatible({ name: "parley", apiKey: key, baseURL, fetch: send, includeUsage: true })(
    "any",
  );
}

Deno.test("the AI SDK generates a text by an agent", async () => {
  const agent = await chat.agent({ steps: ["Thirty ", "days [1]."] });
  await agent.learn("Handbook", ["Refunds take thirty days."]);
  const { text, finishReason, usage, response } = await generateText({ model: model(agent), prompt });
  assertEquals([text, finishReason], ["Thirty days [1].", "stop"]);
  assertEquals([usage.inputTokens, usage.outputTokens, response.modelId], [11, 2, agent.id]);
});

Deno.test("the AI SDK streams a text by an agent", async () => {
  const agent = await chat.agent({ steps: ["Thirty ", "days."] });
  const result = streamText({ model: model(agent), prompt });
  const pieces = [];
  for await (const piece of result.textStream) pieces.push(piece);
  // The space waits for what follows: it goes with a marker that is removed.
  assertEquals(pieces, ["Thirty", " days."]);
  const usage = await result.usage;
  assertEquals([await result.finishReason, usage.inputTokens, usage.outputTokens], ["stop", 11, 2]);
});

Deno.test("the AI SDK's history and instructions reach the agent as the client's", async () => {
  const agent = await chat.agent({ steps: ["Fine."] }, { instructions: "Never mention the weather." });
  await generateText({
    model: model(agent),
    instructions: "Be brief.",
    messages: [
      { role: "user", content: "One" },
      { role: "assistant", content: "Two" },
      { role: "user", content: [{ type: "text", text: "Three" }] },
    ],
    temperature: 0,
    maxOutputTokens: 5,
  });
  const { messages, temperature, max_tokens } = agent.calls()[0]!.body;
  assertMatch(messages[0].content, /Never mention the weather\./);
  assertMatch(messages[1].content, /Be brief\.$/);
  assertEquals(messages.slice(2).map(({ content }: { content: string }) => content), ["One", "Two", "Three"]);
  assertEquals([temperature, max_tokens], [0, 5]);
});

Deno.test("the AI SDK runs a tool that the agent's model calls, and gives it the result", async () => {
  const agent = await chat.agent({ steps: [{ tools: [lyon] }], finish: "tool_calls" });
  const weather = tool({
    description: "Tells the weather",
    inputSchema: jsonSchema<{ city: string }>({ type: "object", properties: { city: { type: "string" } } }),
    execute: ({ city }) => {
      chat.models.play(agent.model, { steps: [`Sunny in ${city}.`] });
      return { sky: "clear" };
    },
  });
  const { text, steps } = await generateText({
    model: model(agent),
    prompt: "Weather in Lyon?",
    tools: { weather },
    stopWhen: stepCountIs(3),
  });
  assertEquals([text, steps.length], ["Sunny in Lyon.", 2]);
  assertEquals(agent.calls()[1]!.body.messages.slice(-1), [
    { role: "tool", tool_call_id: "call_1", content: '{"sky":"clear"}' },
  ]);

  chat.models.play(agent.model, { steps: [{ tools: [lyon] }], finish: "tool_calls" });
  const streamed = streamText({
    model: model(agent),
    prompt: "Weather in Lyon?",
    tools: { weather },
    stopWhen: stepCountIs(3),
  });
  assertEquals(await streamed.text, "Sunny in Lyon.");
});

Deno.test("the AI SDK's abort ends the model's call", async () => {
  const agent = await chat.agent({ steps: ["One ", "two", { stall: true }] });
  const controller = new AbortController();
  const result = streamText({ model: model(agent), prompt, abortSignal: controller.signal });
  let text = "";
  let isAborted = false;
  for await (const part of result.stream) {
    if (part.type === "abort") isAborted = true;
    if (part.type === "text-delta") text += part.text;
    if (text === "One two") controller.abort();
  }
  assert(isAborted);
  await eventually(() => agent.calls()[0]!.abortedAt !== null);
  await eventually(async () => (await agent.record()).turn.settled_at !== null);
  assertEquals((await agent.record()).turn.state, "aborted");
});

Deno.test("the AI SDK tells an agent's refusal with its message, and tries nothing again that cannot help", async () => {
  const { answers, send } = watched();
  const error = await assertRejects(
    () => generateText({ model: model(madeUpKey("d"), send), prompt }),
    APICallError,
  );
  assertEquals([error.statusCode, error.isRetryable, answers.length], [401, false, 1]);
  assertEquals(JSON.parse(error.responseBody!).error.code, "key_unknown");
});

Deno.test("the AI SDK tells a model that breaks in the middle of a stream", async () => {
  const agent = await chat.agent({ steps: ["One", { cut: true }] });
  const errors: unknown[] = [];
  const result = streamText({ model: model(agent), prompt, onError: ({ error }) => void errors.push(error) });
  let text = "";
  for await (const part of result.stream) if (part.type === "text-delta") text += part.text;
  assertEquals([text, errors.length], ["One", 1]);
  assertMatch(JSON.stringify(errors[0]), /provider_failed/);
});

Deno.test("the AI SDK tries again after the time that a limit says", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  const { answers, send } = watched();
  await block(chat, agent, 0.5);
  assertEquals((await generateText({ model: model(agent, send), prompt, maxRetries: 1 })).text, "Fine.");
  assertEquals(answers.map(({ status, retryAfter }) => [status, retryAfter]), [[429, "1"], [200, null]]);
  // Its own first wait would be two seconds.
  const waited = answers[1]!.at - answers[0]!.at;
  assert(waited >= 1000 && waited < 1900, `waited ${waited} ms`);

  await block(chat, agent, 0.5);
  const streamed = streamText({ model: model(agent), prompt, maxRetries: 1 });
  assertEquals(await streamed.text, "Fine.");

  await block(chat, agent, 30);
  const error = await assertRejects(
    () => generateText({ model: model(agent), prompt, maxRetries: 0 }),
    APICallError,
  );
  assertEquals([error.statusCode, error.isRetryable, error.responseHeaders?.["retry-after"]], [
    429,
    true,
    "30",
  ]);
});
