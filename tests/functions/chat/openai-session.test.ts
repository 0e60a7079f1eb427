import { assert, assertEquals } from "@std/assert";
import { assertOpenAIError, contents } from "../../support/security-suite.ts";
import { type ChatAgent, startChat } from "./fixture.ts";
import { readData } from "./read-events.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });
const weather = { type: "function", function: { name: "weather", parameters: { type: "object" } } };
const lyon = { id: "call_1", name: "weather", arguments: '{"city":"Lyon"}' };
const paris = { id: "call_2", name: "weather", arguments: '{"city":"Paris"}' };
const wire = ({ id, name, arguments: json }: typeof lyon) => ({
  id,
  type: "function",
  function: { name, arguments: json },
});
const result = (tool_call_id: string, content: string) => ({ role: "tool", tool_call_id, content });

/** What the model was sent by the last call, without the system message. */
const sent = (agent: ChatAgent) => agent.calls().at(-1)!.body.messages.slice(1);

async function stored(agent: ChatAgent): Promise<string[]> {
  const rows = await chat.rows<{ role: string; content: string }>(
    "select role, content from public.messages where agent_id = $1 order by id",
    [agent.id],
  );
  return rows.map(({ role, content }) => `${role}: ${content}`);
}

Deno.test("with a session what is stored counts, whether the client sends all of it, its own or nothing", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  const ask = async (session: string, ...messages: object[]) => {
    const response = await agent.complete({ messages }, { "x-session-id": session });
    assertEquals([response.status, response.headers.get("x-session-id")], [200, session]);
    await response.body?.cancel();
  };
  await ask("s1", user("One"));
  await ask("s1", user("Two"));
  assertEquals(sent(agent), [user("One"), assistant("Fine."), user("Two")]);
  await ask("s1", user("One"), assistant("Something else."), user("Three"));
  assertEquals(sent(agent).map(({ content }: { content: string }) => content), [
    "One",
    "Fine.",
    "Two",
    "Fine.",
    "Three",
  ]);
  // Of one begun elsewhere only the end is taken, too.
  await ask("s2", user("Before"), assistant("Begun."), user("A"), user("B"));
  assertEquals(sent(agent), [user("A"), user("B")]);
  assertEquals((await stored(agent)).slice(-3), ["user: A", "user: B", "assistant: Fine."]);
});

Deno.test("the session may stand in the metadata; a client's system message counts each time and is not stored", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  for (const content of ["One", "Two"]) {
    const messages = [{ role: "system", content: "Be brief." }, user(content)];
    await (await agent.complete({ messages, metadata: { session_id: "s", page: "home" } })).body?.cancel();
    assert(sent(agent)[0].content.endsWith("Be brief."));
  }
  assertEquals(await stored(agent), ["user: One", "assistant: Fine.", "user: Two", "assistant: Fine."]);
  assertEquals(
    await chat.rows("select session_id, channel, metadata from public.conversations where agent_id = $1", [
      agent.id,
    ]),
    [{ session_id: "s", channel: "openai", metadata: { page: "home" } }],
  );
});

Deno.test("in a session the results of tools may come alone, or with all that was said", async () => {
  for (const sendsAll of [false, true]) {
    const agent = await chat.agent({
      steps: ["Let me see.", { tools: [lyon, paris] }],
      finish: "tool_calls",
    });
    const ask = (...messages: object[]) =>
      agent.complete({ messages, tools: [weather] }, { "x-session-id": "s" });
    const { choices: [choice] } = await (await ask(user("Weather?"))).json();
    assertEquals(choice.message.tool_calls, [wire(lyon), wire(paris)]);
    assertEquals(await stored(agent), ["user: Weather?", "assistant: Let me see."]);

    chat.models.play(agent.model, { steps: ["Warm [1]."] });
    const results = [result("call_1", "21 °C"), result("call_2", "19 °C")];
    const answer = await (await ask(...(sendsAll ? [user("Weather?"), choice.message] : []), ...results))
      .json();
    assertEquals(answer.choices[0].message.content, "Warm.");
    assertEquals(sent(agent), [
      user("Weather?"),
      { role: "assistant", content: "Let me see.", tool_calls: [wire(lyon), wire(paris)] },
      ...results,
    ]);

    await (await ask(user("Thanks"))).body?.cancel();
    assertEquals(sent(agent).slice(-2), [assistant("Warm."), user("Thanks")]);
    assertEquals(await stored(agent), [
      "user: Weather?",
      "assistant: Let me see.",
      "tool: 21 °C",
      "tool: 19 °C",
      "assistant: Warm.",
      "user: Thanks",
      "assistant: Warm.",
    ]);
  }
});

Deno.test("an answer of nothing but calls is kept, and a question in place of its results is answered", async () => {
  const agent = await chat.agent({ steps: [{ tools: [lyon] }], finish: "tool_calls" });
  const ask = (...messages: object[]) =>
    agent.complete({ messages, tools: [weather], stream: true }, { "x-session-id": "s" });
  const { chunks } = readData(await (await ask(user("Weather?"))).text());
  assertEquals(chunks.at(-1)!.choices[0].finish_reason, "tool_calls");
  assertEquals(await stored(agent), ["user: Weather?", "assistant: "]);
  chat.models.play(agent.model, { steps: ["Fine."] });
  await (await ask(user("Never mind."))).text();
  // A model would refuse a call without its result.
  assertEquals(sent(agent), [user("Weather?"), user("Never mind.")]);
});

Deno.test("a result that the session did not ask for is refused and stores nothing", async () => {
  const agent = await chat.agent({ steps: [{ tools: [lyon] }], finish: "tool_calls" });
  const ask = (...messages: object[]) =>
    agent.complete({ messages, tools: [weather] }, { "x-session-id": "s" });
  await assertOpenAIError(await ask(result("call_1", "21 °C")), 422, "validation_failed");
  await (await ask(user("Weather?"))).body?.cancel();
  const before = await contents(chat.stack);
  for (const messages of [[result("call_9", "21 °C")], [result("call_1", "21 °C"), result("call_9", "?")]]) {
    const { message } = await assertOpenAIError(await ask(...messages), 422, "validation_failed");
    assertEquals(message, "The session's last answer has no tool call call_9.");
  }
  assertEquals([await contents(chat.stack), agent.calls().length], [before, 1]);
});

Deno.test("results too long for the history's budget are answered with what the client sent", async () => {
  const agent = await chat.agent(
    { steps: [{ tools: [lyon] }], finish: "tool_calls" },
    { config: { history_tokens: 0 } },
  );
  const ask = (...messages: object[]) =>
    agent.complete({ messages, tools: [weather] }, { "x-session-id": "s" });
  const { choices: [{ message }] } = await (await ask(user("Weather?"))).json();
  chat.models.play(agent.model, { steps: ["Warm."] });
  await (await ask(user("Weather?"), message, result("call_1", "21 °C"))).body?.cancel();
  assertEquals(sent(agent), [
    user("Weather?"),
    { role: "assistant", content: null, tool_calls: [wire(lyon)] },
    result("call_1", "21 °C"),
  ]);
});

Deno.test("the same request under one Idempotency-Key is answered once, calls included", async () => {
  const agent = await chat.agent({ steps: ["Let me see.", { tools: [lyon] }], finish: "tool_calls" });
  const body = { messages: [user("Weather?")], tools: [weather] };
  const ask = (more: object = {}) => agent.complete({ ...body, ...more }, { "idempotency-key": "once" });
  const [first, second] = [await (await ask()).json(), await (await ask()).json()];
  assertEquals({ ...second, created: first.created }, first);
  assertEquals(agent.calls().length, 1);
  await assertOpenAIError(await ask({ stream: true }), 422, "idempotency_mismatch");

  const streamed = () => agent.complete({ ...body, stream: true }, { "idempotency-key": "stream" });
  const texts = [await (await streamed()).text(), await (await streamed()).text()];
  const [original, replayed] = texts.map((text) => {
    const { chunks, isDone } = readData(text);
    assert(isDone);
    const deltas = chunks.map(({ choices }) => choices[0].delta);
    return {
      id: chunks[0]!.id,
      content: deltas.map(({ content }) => content ?? "").join(""),
      calls: deltas.flatMap(({ tool_calls }) => tool_calls ?? []),
      reason: chunks.at(-1)!.choices[0].finish_reason,
    };
  });
  assertEquals(replayed, original);
  assertEquals(agent.calls().length, 2);
});

Deno.test("a session that is full tells an SDK not to try again", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  await chat.rows("update public.app_config set value = '1' where key = 'maxTurns'");
  const ask = () => agent.complete({ messages: [user("Hello")] }, { "x-session-id": "s" });
  await (await ask()).body?.cancel();
  const full = await ask();
  assertEquals(full.headers.get("x-should-retry"), "false");
  assertEquals((await assertOpenAIError(full, 409, "session_full")).type, "invalid_request_error");
  await chat.rows("update public.app_config set value = '50' where key = 'maxTurns'");
});
