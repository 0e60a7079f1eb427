import { assert, assertEquals, assertMatch } from "@std/assert";
import { assertProblem } from "../../support/security-suite.ts";
import { type ChatAgent, startChat } from "./fixture.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

const long = () => `s_${crypto.randomUUID()}`;

/** Calls a route of `agent` with another of its keys, of these scopes. */
async function keyed(
  agent: ChatAgent,
  scopes: string[],
): Promise<(method: string, path: string) => Promise<Response>> {
  const { key } = await chat.stack.createKey(chat.owner.token, agent.id, { scopes });
  return (method, path) =>
    fetch(chat.stack.functionUrl(`chat/${path}`), { method, headers: { "x-api-key": key } });
}

async function talk(agent: ChatAgent, session_id: string, ...messages: string[]): Promise<void> {
  for (const message of messages) await (await agent.ask({ message, session_id })).body?.cancel();
}

Deno.test("a session's messages come oldest first, in pages", async () => {
  const agent = await chat.agent({ steps: ["Fine [1]."] });
  await agent.learn("Handbook", ["Refunds take thirty days."]);
  const session = long();
  await talk(agent, session, "How long do refunds take?", "And now?");
  const response = await agent.call("GET", `sessions/${session}/messages`);
  assertMatch(response.headers.get("ratelimit") ?? "", /"key"/);
  const { messages, has_more } = await response.json();
  assertEquals(has_more, false);
  assertEquals(messages.map((each: { role: string; content: string }) => [each.role, each.content]), [
    ["user", "How long do refunds take?"],
    ["assistant", "Fine [1]."],
    ["user", "And now?"],
    ["assistant", messages[3].content],
  ]);
  assertEquals(Object.keys(messages[1]).sort(), [
    "citations",
    "content",
    "created_at",
    "id",
    "rating",
    "role",
    "turn_id",
  ]);
  assertEquals([messages[1].citations[0].marker, messages[0].citations, messages[1].rating], [1, [], null]);
  assertEquals(messages[0].turn_id, messages[1].turn_id);

  const page = async (query: string) =>
    await (await agent.call("GET", `sessions/${session}/messages?${query}`)).json();
  const newest = await page("limit=3");
  assertEquals([newest.messages.length, newest.has_more], [3, true]);
  assertEquals(newest.messages, messages.slice(1));
  const older = await page(`limit=3&before=${newest.messages[0].id}`);
  assertEquals([older.messages, older.has_more], [messages.slice(0, 1), false]);
});

Deno.test("a reset forgets the session, and keeps usage and bill", async () => {
  const agent = await chat.agent({ steps: ["Fine."], usage: { prompt_tokens: 5, completion_tokens: 2 } });
  const session = long();
  await talk(agent, session, "My name is Ada.");
  const before = (await agent.record()).counter;
  assertEquals(await chat.rows("select value from public.entity_memory where agent_id = $1", [agent.id]), [{
    value: "Ada",
  }]);
  const response = await agent.call("DELETE", `sessions/${session}`);
  assertEquals([response.status, await response.text()], [204, ""]);
  assertEquals(await (await agent.call("GET", `sessions/${session}/messages`)).json(), {
    messages: [],
    has_more: false,
  });
  assertEquals(await chat.rows("select 1 from public.entity_memory where agent_id = $1", [agent.id]), []);
  const { counter, ledger } = await agent.record();
  assertEquals([counter, ledger.length], [before, 1]);

  await talk(agent, session, "Who am I?");
  const { messages } = agent.calls().at(-1)!.body as { messages: { content: string }[] };
  assertEquals(messages.length, 2);
  assert(!messages[0]!.content.includes("Ada"));
});

Deno.test("a key of scope chat opens only a session whose id cannot be guessed; scope read opens any", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  const capability = "abcdefghij_-ABCDEFG1";
  const guessable = ["short", "x".repeat(19), "twenty characters, or more", "é".repeat(20)];
  await talk(agent, capability, "Hello");
  for (const session of guessable) await talk(agent, session, "Hello");
  const [reader, chatter, ingester] = await Promise.all([
    keyed(agent, ["read"]),
    keyed(agent, ["chat"]),
    keyed(agent, ["ingest"]),
  ]);
  for (const session of guessable.map(encodeURIComponent)) {
    for (const call of [chatter, ingester]) {
      await assertProblem(await call("GET", `sessions/${session}/messages`), 403, "scope_missing");
      await assertProblem(await call("DELETE", `sessions/${session}`), 403, "scope_missing");
    }
    assertEquals((await (await reader("GET", `sessions/${session}/messages`)).json()).messages.length, 2);
  }
  await assertProblem(await ingester("GET", `sessions/${capability}/messages`), 403, "scope_missing");
  assertEquals((await (await chatter("GET", `sessions/${capability}/messages`)).json()).messages.length, 2);
  for (const [call, session] of [[chatter, capability], [reader, "short"]] as const) {
    const response = await call("DELETE", `sessions/${session}`);
    assertEquals([response.status, await response.text()], [204, ""]);
  }
});

Deno.test("another tenant's session, and one that is not there, are the same 404", async () => {
  const [mine, other] = [await chat.agent({ steps: ["Fine."] }), await chat.agent()];
  const session = long();
  await talk(mine, session, "Hello");
  for (const name of [session, long()]) {
    const missing = await other.call("GET", `sessions/${name}/messages`);
    assertMatch(missing.headers.get("ratelimit") ?? "", /"key"/);
    await assertProblem(missing, 404, "not_found");
    await assertProblem(await other.call("DELETE", `sessions/${name}`), 404, "not_found");
  }
  assertEquals((await (await mine.call("GET", `sessions/${session}/messages`)).json()).messages.length, 2);
});

Deno.test("reading a session spends the key's limit", async () => {
  const agent = await chat.agent({}, {}, { requests_per_minute: 1 });
  await (await agent.call("GET", `sessions/${long()}/messages`)).body?.cancel();
  const response = await agent.call("GET", `sessions/${long()}/messages`);
  assert(Number(response.headers.get("retry-after")) >= 1);
  await assertProblem(response, 429, "rate_limited");
});
