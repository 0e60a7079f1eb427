import { assert, assertEquals } from "@std/assert";
import { assertProblem } from "../../support/security-suite.ts";
import type { Script } from "../../support/model-server.ts";
import { type ChatAgent, eventually, startChat } from "./fixture.ts";
import { parseEvents } from "./read-events.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

const quick = { config: { retry_delay_ms: 1 } };

/** Another model of the same server; returns its name. */
function another(script: Script): string {
  const name = `fallback-${crypto.randomUUID()}`;
  chat.models.play(name, script);
  return name;
}

/** An agent whose model does one thing and whose second model another. */
async function agentOf(first: Script, second: Script): Promise<{ agent: ChatAgent; second: string }> {
  const name = another(second);
  return { agent: await chat.agent(first, { ...quick, fallback_models: [`openai/${name}`] }), second: name };
}

const attemptsOf = async (agent: ChatAgent) =>
  ((await agent.record()).turn.attempts as Record<string, unknown>[]).map((
    { provider, model, outcome, status, error_code, retry },
  ) => [provider, model, outcome, status, error_code, retry]);

Deno.test("a model that is overloaded once is called again, and the record tells both calls", async () => {
  const agent = await chat.agent({ steps: ["Fine."], status: 429, times: 1 }, quick);
  const answer = await (await agent.ask({ message: "Hello" })).json();
  assertEquals([answer.answer, answer.model], ["Fine.", agent.model]);
  assertEquals(await attemptsOf(agent), [
    ["openai", agent.model, "failed", 429, "provider_failed", 0],
    ["openai", agent.model, "completed", null, null, 1],
  ]);
  const [, last] = (await agent.record()).turn.attempts as Record<string, number>[];
  assertEquals([last!.input_tokens, last!.output_tokens], [11, 1]);
  assert(last!.first_token_ms! <= last!.duration_ms!);
});

Deno.test("a wait that the provider names is kept", async () => {
  const agent = await chat.agent(
    { steps: ["Fine."], status: 503, times: 1, headers: { "retry-after-ms": "40" } },
    quick,
  );
  const started = performance.now();
  assertEquals((await agent.ask({ message: "Hello" })).status, 200);
  assert(performance.now() - started >= 40);
});

Deno.test("when a model stays down the next one answers, and is the one that is told, stored and billed", async () => {
  const { agent, second } = await agentOf({ status: 500 }, { steps: ["Fine."] });
  const answer = await (await agent.ask({ message: "Hello" })).json();
  assertEquals([answer.answer, answer.provider, answer.model], ["Fine.", "openai", second]);
  assertEquals(await attemptsOf(agent), [
    ["openai", agent.model, "failed", 500, "provider_failed", 0],
    ["openai", agent.model, "failed", 500, "provider_failed", 1],
    ["openai", agent.model, "failed", 500, "provider_failed", 2],
    ["openai", second, "completed", null, null, 0],
  ]);
  const { turn, ledger } = await agent.record();
  assertEquals([turn.model, ledger.length, ledger[0]!.model, ledger[0]!.status], [
    second,
    1,
    second,
    "completed",
  ]);
});

Deno.test("a stream tells a second meta before the first piece when another model answers", async () => {
  const { agent, second } = await agentOf({ steps: [{ cut: true }] }, { steps: ["Fine."] });
  const events = await agent.stream({ message: "Hello" });
  assertEquals(events.map(({ event }) => event), ["meta", "meta", "delta", "usage", "done"]);
  assertEquals(events.slice(0, 2).map(({ data }) => data.model), [agent.model, second]);
  assertEquals(events[1]!.data.turn_id, events[0]!.data.turn_id);
});

Deno.test("a request that the model refuses goes to the next one at once", async () => {
  const { agent, second } = await agentOf({ status: 404 }, { steps: ["Fine."] });
  assertEquals((await (await agent.ask({ message: "Hello" })).json()).model, second);
  assertEquals((await attemptsOf(agent)).map(([, model, , status]) => [model, status]), [
    [agent.model, 404],
    [second, null],
  ]);
  assertEquals(await chat.rows("select 1 from public.provider_health where model = $1", [agent.model]), []);
});

Deno.test("a model whose provider has no key is a failed attempt, and the next one answers", async () => {
  const name = another({ steps: ["Fine."] });
  const fields = { model: "mistral-large-latest", fallback_models: [`openai/${name}`] };
  const agent = await chat.agent({}, fields);
  const events = await agent.stream({ message: "Hello" });
  // Nothing was called before, so nothing else was told.
  assertEquals(events.map(({ event }) => event), ["meta", "delta", "usage", "done"]);
  assertEquals(events[0]!.data.model, name);
  assertEquals(await attemptsOf(agent), [
    ["mistral", "mistral-large-latest", "failed", null, "provider_not_configured", 0],
    ["openai", name, "completed", null, null, 0],
  ]);
});

Deno.test("when no model can be called the first one's problem is told before a stream begins", async () => {
  const agent = await chat.agent({}, { model: "mistral/a", fallback_models: ["anthropic/b", "unheard/c"] });
  const response = await agent.ask({ message: "Hello", stream: true });
  assert(response.headers.get("x-turn-id") !== null);
  await assertProblem(response, 503, "provider_not_configured");
  assertEquals((await attemptsOf(agent)).map(([provider, , outcome]) => [provider, outcome]), [
    ["mistral", "failed"],
    ["anthropic", "failed"],
    ["unheard", "failed"],
  ]);
  assertEquals((await agent.record()).turn.state, "failed");
});

Deno.test("after the first piece no other model takes over: the stream ends with an honest error", async () => {
  const { agent, second } = await agentOf({ steps: ["One", { cut: true }] }, { steps: ["Fine."] });
  const events = await agent.stream({ message: "Hello" });
  assertEquals(events.map(({ event }) => event), ["meta", "delta", "usage", "error"]);
  const { code, message_id } = events.at(-1)!.data;
  assertEquals([code, message_id], ["provider_failed", events[0]!.data.message_id]);
  assertEquals(chat.models.calls.filter(({ model }) => model === second), []);
  const { messages } = await agent.record();
  assertEquals(messages.map(({ content, status }) => [content, status]), [
    ["Hello", "completed"],
    ["One", "failed"],
  ]);
});

Deno.test("when every model fails the last call's problem is told, and the wait that would help", async () => {
  const refused = { status: 429, headers: { "retry-after": "30" } };
  const { agent } = await agentOf({ status: 500 }, refused);
  const response = await agent.ask({ message: "Hello" });
  assertEquals(response.headers.get("retry-after"), "30");
  const { retry_after } = await assertProblem(response, 502, "provider_failed");
  assertEquals(retry_after, 30);
  assertEquals((await agent.record()).turn.state, "failed");
  assertEquals((await agent.record()).messages, []);
});

Deno.test("a model's own timeouts count for it alone", async () => {
  const name = another({ steps: [{ wait: 30 }, "Fine."] });
  const agent = await chat.agent({ steps: [{ stall: true }] }, { fallback_models: [`openai/${name}`] });
  await chat.rows("update public.agents set config = $2 where id = $1", [agent.id, {
    retry_delay_ms: 1,
    model_timeouts: { [`openai/${agent.model}`]: { first_token_timeout_ms: 50 } },
  }]);
  assertEquals((await (await agent.ask({ message: "Hello" })).json()).model, name);
  assertEquals((await attemptsOf(agent)).map(([, , outcome, , code]) => [outcome, code]), [
    ["failed", "provider_timeout"],
    ["failed", "provider_timeout"],
    ["completed", null],
  ]);
  // It was not given the time that others give it: that says nothing of its health.
  assertEquals(await chat.rows("select 1 from public.provider_health where model = $1", [agent.model]), []);
});

const healthOf = (agent: ChatAgent) =>
  chat.rows<{ failures: number; last_error: string }>(
    "select failures, last_error from public.provider_health where provider = 'openai' and model = $1",
    [agent.model],
  );

Deno.test("failures are noted once a turn, and a success forgets them", async () => {
  const agent = await chat.agent({ steps: ["Fine."], status: 503, times: 3 }, quick);
  assertEquals((await agent.ask({ message: "Hello" })).status, 502);
  await eventually(async () => (await healthOf(agent)).length === 1);
  assertEquals(await healthOf(agent), [{ failures: 1, last_error: "503" }]);
  assertEquals((await agent.ask({ message: "Hello" })).status, 200);
  await eventually(async () => (await healthOf(agent)).length === 0);
});

Deno.test("a model that failed in three turns is skipped, and called when no other answers", async () => {
  const { agent, second } = await agentOf({ status: 503 }, { steps: ["Fine."] });
  for (let turn = 1; turn <= 3; turn++) {
    assertEquals((await (await agent.ask({ message: "Hello" })).json()).model, second);
    await eventually(async () => (await healthOf(agent))[0]?.failures === turn);
  }
  const before = agent.calls().length;
  const events = await agent.stream({ message: "Hello" });
  assertEquals([events[0]!.data.model, events.at(-1)!.event], [second, "done"]);
  assertEquals(agent.calls().length, before);
  // Alone it is the least bad.
  await chat.rows("update public.agents set fallback_models = '{}' where id = $1", [agent.id]);
  assertEquals((await agent.ask({ message: "Hello" })).status, 502);
  assertEquals(agent.calls().length, before + 3);
});

Deno.test("a client that leaves while it waits for another try ends the turn", async () => {
  const agent = await chat.agent({ status: 503, headers: { "retry-after": "9" } }, quick);
  const left = new AbortController();
  const response = await agent.ask({ message: "Hello", stream: true }, { signal: left.signal });
  await eventually(() => agent.calls().length === 1);
  left.abort();
  assertEquals(await response.text().catch((error) => error.name), "AbortError");
  await eventually(async () => (await agent.record()).turn.settled_at !== null);
  assertEquals([(await agent.record()).turn.state, agent.calls().length], ["aborted", 1]);
});

Deno.test("the tokens of a model that said nothing are billed with those of the one that answered", async () => {
  const { agent } = await agentOf(
    { steps: [], usage: { prompt_tokens: 5, completion_tokens: 0 } },
    { steps: ["Fine."], usage: { prompt_tokens: 7, completion_tokens: 2 } },
  );
  const { usage } = await (await agent.ask({ message: "Hello" })).json();
  assertEquals(usage, { input_tokens: 12, output_tokens: 2, total_tokens: 14 });
});

Deno.test("events of a fallback are numbered like all others", async () => {
  const { agent } = await agentOf({ status: 400 }, { steps: ["One ", "two"] });
  const text = await (await agent.ask({ message: "Hello", stream: true })).text();
  assertEquals(parseEvents(text).map(({ id }) => id), [1, 2, 3, 4, 5, 6]);
});
