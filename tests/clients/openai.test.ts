import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import OpenAI, { type ClientOptions } from "openai";
import { eventually, startChat } from "../functions/chat/fixture.ts";
import { block, watched } from "./limits.ts";
import { madeUpKey } from "../support/keys.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

const messages = [{ role: "user" as const, content: "How long do refunds take?" }];
const lyon = { id: "call_1", name: "weather", arguments: '{"city":"Lyon"}' };
const weather = {
  type: "function" as const,
  function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
};

/** The SDK with a key; `base` is what its paths are added to. */
function sdk(apiKey: string, { base = "chat", ...options }: ClientOptions & { base?: string } = {}): OpenAI {
  return new OpenAI({ apiKey, baseURL: chat.stack.functionUrl(base), maxRetries: 0, ...options });
}

for (const base of ["chat", "chat/v1", ""]) {
  Deno.test(`the OpenAI SDK asks and streams with the base functions/v1/${base}`, async () => {
    const agent = await chat.agent({ steps: ["Thirty ", "days [1]."] });
    await agent.learn("Handbook", ["Refunds take thirty days."]);
    const client = sdk(agent.key, { base });
    const { data, response, request_id } = await client.chat.completions
      .create({ model: "any", messages }).withResponse();
    assertEquals(data.choices[0]!.message.content, "Thirty days [1].");
    assertEquals(request_id, response.headers.get("x-request-id"));
    assertEquals(data.model, agent.id);
    const { citations } = data.choices[0]!.message as unknown as { citations: { quote: string }[] };
    assertEquals(citations.map(({ quote }) => quote), ["Refunds take thirty days."]);

    let text = "";
    let usage;
    const options = { stream: true, stream_options: { include_usage: true } } as const;
    for await (const chunk of await client.chat.completions.create({ model: "any", messages, ...options })) {
      text += chunk.choices[0]?.delta.content ?? "";
      usage = chunk.usage ?? usage;
    }
    assertEquals([text, usage?.prompt_tokens, usage?.completion_tokens], ["Thirty days [1].", 11, 2]);
  });
}

Deno.test("the OpenAI SDK puts a message together from a stream, with its citations", async () => {
  const agent = await chat.agent({ steps: ["Thirty ", "days [1]."] });
  await agent.learn("Handbook", ["Refunds take thirty days."]);
  const completion = await sdk(agent.key).chat.completions.stream({ model: "any", messages })
    .finalChatCompletion();
  const { content, citations } = completion.choices[0]!.message as unknown as {
    content: string;
    citations: { marker: number }[];
  };
  assertEquals([content, citations.map(({ marker }) => marker)], ["Thirty days [1].", [1]]);
});

Deno.test("the OpenAI SDK lists the agent as the one model", async () => {
  const agent = await chat.agent();
  for (const base of ["chat", "chat/v1"]) {
    const ids = [];
    for await (const { id } of sdk(agent.key, { base }).models.list()) ids.push(id);
    assertEquals(ids, [agent.id]);
  }
});

Deno.test("the OpenAI SDK gets the model's tool calls, and its results are answered", async () => {
  const agent = await chat.agent({ steps: [{ tools: [lyon] }], finish: "tool_calls" });
  const client = sdk(agent.key);
  const question = { role: "user" as const, content: "Weather in Lyon?" };
  const asked = { model: "any", messages: [question], tools: [weather] };
  const { choices: [choice] } = await client.chat.completions.create(asked);
  assertEquals([choice!.finish_reason, choice!.message.content], ["tool_calls", null]);
  const [call] = choice!.message.tool_calls!;
  assert(call?.type === "function");
  assertEquals([call.function.name, JSON.parse(call.function.arguments)], ["weather", { city: "Lyon" }]);

  const streamed = await client.chat.completions.stream(asked).finalMessage();
  assertEquals(streamed.tool_calls?.map((each) => each.type === "function" && each.function.arguments), [
    lyon.arguments,
  ]);

  chat.models.play(agent.model, { steps: ["Sunny."] });
  const result = { role: "tool" as const, tool_call_id: call.id, content: "clear sky" };
  const { choices: [answer] } = await client.chat.completions.create({
    ...asked,
    messages: [question, choice!.message, result],
  });
  assertEquals(answer!.message.content, "Sunny.");
  assertEquals(agent.calls().at(-1)!.body.messages.slice(-2), [
    { role: "assistant", content: null, tool_calls: [call] },
    result,
  ]);
});

Deno.test("the OpenAI SDK runs a tool itself and answers with its result, in a session or without", async () => {
  for (const defaultHeaders of [{}, { "x-session-id": "tools" }]) {
    const agent = await chat.agent({ steps: [{ tools: [lyon] }], finish: "tool_calls" });
    const runner = sdk(agent.key, { defaultHeaders }).chat.completions.runTools({
      model: "any",
      messages: [{ role: "user", content: "Weather in Lyon?" }],
      tools: [{
        type: "function",
        function: {
          name: "weather",
          description: "Tells the weather",
          parameters: weather.function.parameters,
          parse: (json: string): { city: string } => JSON.parse(json),
          function: ({ city }: { city: string }) => {
            chat.models.play(agent.model, { steps: [`Sunny in ${city}.`] });
            return `clear sky over ${city}`;
          },
        },
      }],
    });
    assertEquals(await runner.finalContent(), "Sunny in Lyon.");
  }
});

Deno.test("the OpenAI SDK names what went wrong by its own kinds of errors", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  const client = sdk(agent.key);
  const ask = (more: object = {}, by = client) =>
    by.chat.completions.create({ model: "any", messages, ...more });
  const unknown = await assertRejects(() => ask({}, sdk(madeUpKey("c").key)), OpenAI.AuthenticationError);
  assertEquals([unknown.status, unknown.code, unknown.type], [401, "key_unknown", "authentication_error"]);
  await assertRejects(() => ask({}, sdk("sk-not-one-of-ours")), OpenAI.AuthenticationError);
  const two = await assertRejects(() => ask({ n: 2 }), OpenAI.UnprocessableEntityError);
  assertEquals([two.code, two.param], ["unsupported_parameter", "n"]);
  assertMatch(two.message, /^422 Cannot use n:/);
  assert(two.requestID);
  const none = await assertRejects(() => client.models.retrieve("gpt-4"), OpenAI.NotFoundError);
  assertEquals([none.code, none.type], ["not_found", "invalid_request_error"]);
  const { key } = await chat.stack.createKey(chat.owner.token, agent.id, { scopes: ["ingest"] });
  assertEquals(
    (await assertRejects(() => ask({}, sdk(key)), OpenAI.PermissionDeniedError)).code,
    "scope_missing",
  );
  const large = await assertRejects(() => ask({ padding: "x".repeat(300_000) }), OpenAI.APIError);
  assertEquals([large.status, large.code], [413, "body_too_large"]);
  const down = await chat.agent({ status: 500 });
  const failed = await assertRejects(() => ask({}, sdk(down.key)), OpenAI.InternalServerError);
  assertEquals([failed.status, failed.code], [502, "provider_failed"]);
});

Deno.test("the OpenAI SDK tries again after the time that a limit says, and then is answered", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  const { answers, send } = watched();
  const client = sdk(agent.key, { maxRetries: 1, fetch: send });
  await block(chat, agent, 1.5);
  const { choices } = await client.chat.completions.create({ model: "any", messages });
  assertEquals(choices[0]!.message.content, "Fine.");
  assertEquals(answers.map(({ status, retryAfter }) => [status, retryAfter]), [[429, "2"], [200, null]]);
  const waited = answers[1]!.at - answers[0]!.at;
  assert(waited >= 2000 && waited < 4000, `waited ${waited} ms`);

  await block(chat, agent, 30);
  const error = await assertRejects(
    () => sdk(agent.key).chat.completions.create({ model: "any", messages }),
    OpenAI.RateLimitError,
  );
  assertEquals([error.code, error.type, error.headers.get("retry-after")], [
    "rate_limited",
    "rate_limit_error",
    "30",
  ]);
});

Deno.test("the OpenAI SDK does not try again when a quota is used up", async () => {
  const agent = await chat.agent({ steps: ["Fine."] }, { monthly_messages: 1 });
  const { answers, send } = watched();
  const client = sdk(agent.key, { maxRetries: 5, fetch: send });
  await client.chat.completions.create({ model: "any", messages });
  const error = await assertRejects(
    () => client.chat.completions.create({ model: "any", messages }),
    OpenAI.RateLimitError,
  );
  assertEquals([error.code, error.type], ["quota_exceeded", "insufficient_quota"]);
  assertEquals(answers.map(({ status }) => status), [200, 429]);
});

Deno.test("an abort by the OpenAI SDK ends the model's call, and what was said is stored", async () => {
  const agent = await chat.agent({ steps: ["One ", "two", { stall: true }] });
  const stream = await sdk(agent.key).chat.completions.create({ model: "any", messages, stream: true });
  let text = "";
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    if (text === "One two") stream.controller.abort();
  }
  await eventually(() => agent.calls()[0]!.abortedAt !== null);
  await eventually(async () => (await agent.record()).turn.settled_at !== null);
  const { turn, messages: stored } = await agent.record();
  assertEquals([turn.state, stored[1]!.content, stored[1]!.status], ["aborted", "One two", "aborted"]);
});

Deno.test("a model that breaks in the middle of a stream is an error of the OpenAI SDK, not an end", async () => {
  const agent = await chat.agent({ steps: ["One", { cut: true }] });
  const stream = await sdk(agent.key).chat.completions.create({ model: "any", messages, stream: true });
  let text = "";
  const error = await assertRejects(async () => {
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  }, OpenAI.APIError);
  assertEquals([text, error.code, error.type], ["One", "provider_failed", "server_error"]);
});
