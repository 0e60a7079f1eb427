import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Rpc } from "../../../shared/rpc.ts";
import { assertProblem, contents } from "../../support/security-suite.ts";
import { madeUpKey } from "../../support/keys.ts";
import { type ChatAgent, eventually, startChat } from "./fixture.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const usage = { prompt_tokens: 40, completion_tokens: 6 };

/** The texts of the system message and of the others that the model received in its last call. */
function prompt(agent: ChatAgent): { system: string; others: [string, string][] } {
  const [system, ...others] = agent.calls().at(-1)!.body.messages as { role: string; content: string }[];
  assertEquals(system!.role, "system");
  return { system: system!.content, others: others.map(({ role, content }) => [role, content]) };
}

Deno.test("chat answers as JSON, and what it says stands in the database", async () => {
  const agent = await chat.agent({ steps: ["Thirty ", "days."], usage });
  const response = await agent.ask({
    message: "How long do refunds take?",
    visitor_id: "v1",
    metadata: { url: "/" },
  });
  const body = await response.json();
  assertEquals(response.status, 200);
  assertEquals(Object.keys(body), [
    "turn_id",
    "message_id",
    "session_id",
    "conversation_id",
    "answer",
    "citations",
    "usage",
    "model",
    "provider",
    "finish_reason",
    "response_time_ms",
    "created_at",
  ]);
  for (const id of [body.turn_id, body.message_id, body.conversation_id]) assertMatch(id, uuid);
  assertMatch(body.session_id, /^[A-Za-z0-9_-]{20,}$/);
  assertEquals([body.answer, body.citations, body.finish_reason], ["Thirty days.", [], "stop"]);
  assertEquals(body.usage, { input_tokens: 40, output_tokens: 6, total_tokens: 46 });
  assertEquals([body.provider, body.model], ["openai", agent.model]);
  assert(Number.isInteger(body.response_time_ms) && body.response_time_ms >= 0);
  assert(Math.abs(Date.parse(body.created_at) - Date.now()) < 60_000);
  assertEquals(response.headers.get("x-turn-id"), body.turn_id);
  assertEquals(response.headers.get("x-message-id"), body.message_id);

  const { turn, ledger, messages, counter } = await agent.record();
  assertEquals([turn.id, turn.state, turn.message_id], [body.turn_id, "completed", body.message_id]);
  assertEquals(messages.map(({ role, content, status }) => [role, content, status]), [
    ["user", "How long do refunds take?", "completed"],
    ["assistant", "Thirty days.", "completed"],
  ]);
  assertEquals(ledger.length, 1);
  assertEquals([ledger[0]!.api_key_id, ledger[0]!.status, ledger[0]!.provider, ledger[0]!.model], [
    agent.keyId,
    "completed",
    "openai",
    agent.model,
  ]);
  assertEquals([ledger[0]!.input_tokens, ledger[0]!.output_tokens], [40, 6]);
  assertEquals(counter, { messages: 1, tokens: 46, reserved_messages: 0, reserved_tokens: 0 });
  const [conversation] = await chat.rows(
    "select visitor_id, metadata from public.conversations where agent_id = $1",
    [
      agent.id,
    ],
  );
  assertEquals(conversation, { visitor_id: "v1", metadata: { url: "/" } });
});

Deno.test("chat sends the agent's settings and its instructions to the model", async () => {
  const agent = await chat.agent({ steps: ["Oui."] }, {
    name: `Marie ${crypto.randomUUID()}`,
    role: "seller",
    instructions: "Never mention the weather.",
    temperature: 0.3,
    max_tokens: 321,
    top_p: 0.9,
    rag_enabled: false,
  });
  await (await agent.ask({ message: "What is the price of the table?" })).body?.cancel();
  const { body } = agent.calls()[0]!;
  assertEquals([body.temperature, body.max_tokens, body.top_p], [0.3, 321, 0.9]);
  const { system, others } = prompt(agent);
  assertMatch(system, /^You are Marie .*\. Your role: seller\.\n\nNever mention the weather\./);
  assertMatch(system, /Answer in the language of the question\./);
  assertMatch(system, /- currency: EUR/);
  assertEquals(others, [["user", "What is the price of the table?"]]);
});

Deno.test("chat speaks the language of the question around the instructions", async () => {
  const agent = await chat.agent({ steps: ["Oui."] }, { instructions: "Sois bref." });
  await (await agent.ask({ message: "Quel est le délai de livraison de la commande ?" })).body?.cancel();
  assertMatch(prompt(agent).system, /Réponds dans la langue de la question\./);
});

Deno.test("chat continues a session with its history", async () => {
  const agent = await chat.agent({ steps: ["Answer."] }, { rag_enabled: false });
  const first = await (await agent.ask({ message: "First?" })).json();
  const second = await (await agent.ask({ message: "Second?", session_id: first.session_id })).json();
  assertEquals(second.session_id, first.session_id);
  assertEquals(second.conversation_id, first.conversation_id);
  assertEquals(prompt(agent).others, [["user", "First?"], ["assistant", "Answer."], ["user", "Second?"]]);
  const other = await (await agent.ask({ message: "Third?" })).json();
  assert(other.conversation_id !== first.conversation_id);
  assertEquals(prompt(agent).others, [["user", "Third?"]]);
});

Deno.test("chat answers from the agent's documents, with citations that hold", async () => {
  const agent = await chat.agent({ steps: ["Refunds take ", "thirty days [", "1]. See [7], too [2", "1]."] });
  const content = "Our shop is nice. Refunds take thirty days after the return. Ask us.";
  const documentId = await agent.learn("Handbook", [content]);
  const body = await (await agent.ask({ message: "How long do refunds take?" })).json();
  assertEquals(body.answer, "Refunds take thirty days [1]. See, too.");
  const [row] = await chat.rows<{ similarity: number }>(
    "select (retrieved -> 0 ->> 'similarity')::float8 as similarity from public.turns where agent_id = $1",
    [agent.id],
  );
  assertEquals(body.citations, [{
    marker: 1,
    document_id: documentId,
    title: "Handbook",
    source: "Handbook.md",
    heading: "Handbook",
    chunk_index: 0,
    quote: "Refunds take thirty days after the return.",
    similarity: row!.similarity,
  }]);
  assertEquals((await agent.record()).messages[1]!.citations, body.citations);
  const { system } = prompt(agent);
  assertMatch(system, /<source id="1"/);
  assert(system.includes(content));
  assertMatch(system, /\[1\]/);
});

Deno.test("chat tells the model to say that it does not know when nothing fits", async () => {
  const agent = await chat.agent({ steps: ["I do not know."] });
  await agent.learn("Handbook", ["Refunds take thirty days."]);
  const body = await (await agent.ask({ message: "Quantum chromodynamics?" })).json();
  assertEquals(body.citations, []);
  const { system } = prompt(agent);
  assert(/does not hold|do not know/.test(system));
});

Deno.test("chat neither searches nor cites for an agent with rag_enabled off", async () => {
  const agent = await chat.agent({ steps: ["Yes [1]."] }, { rag_enabled: false });
  await agent.learn("Handbook", ["Refunds take thirty days."]);
  let searches = 0;
  const body = await (await agent.askWith({
    matchDocuments: () => {
      searches++;
      return Promise.resolve([]);
    },
  }, { message: "How long do refunds take?" })).json();
  assertEquals([body.answer, body.citations, searches], ["Yes.", [], 0]);
  assert(!prompt(agent).system.includes("<source"));
});

Deno.test("one turn is three calls to the database, and two without knowledge", async () => {
  const expectations: [boolean, string[]][] = [
    [true, ["admitTurn", "matchDocuments", "settleTurn"]],
    [false, ["admitTurn", "settleTurn"]],
  ];
  for (const [knows, expected] of expectations) {
    const agent = await chat.agent({ steps: ["Yes."] });
    if (knows) await agent.learn("Handbook", ["Refunds take thirty days."]);
    const made: string[] = [];
    const counted = Object.fromEntries(
      Object.entries(chat.deps.rpc).map(([name, call]) => [name, (...args: unknown[]) => {
        made.push(name);
        return (call as (...args: unknown[]) => unknown)(...args);
      }]),
    ) as typeof chat.deps.rpc;
    const response = await agent.askWith(counted, { message: "How long do refunds take?" });
    assertEquals((await response.json()).answer, "Yes.");
    assertEquals(made, expected);
  }
});

Deno.test("chat counts what the provider did not", async () => {
  const agent = await chat.agent({ steps: ["Thirty ", "days."], usage: null });
  const body = await (await agent.ask({ message: "How long?" })).json();
  assert(body.usage.input_tokens > 20 && body.usage.output_tokens > 1);
  assertEquals(body.usage.total_tokens, body.usage.input_tokens + body.usage.output_tokens);
  const { ledger, counter } = await agent.record();
  assertEquals([ledger[0]!.input_tokens, ledger[0]!.output_tokens], [
    body.usage.input_tokens,
    body.usage.output_tokens,
  ]);
  assertEquals(counter.tokens, body.usage.total_tokens);
});

Deno.test("chat says why the model stopped", async () => {
  const agent = await chat.agent({ steps: ["Thirty"], finish: "length" });
  assertEquals((await (await agent.ask({ message: "How long?" })).json()).finish_reason, "length");
});

Deno.test("chat answers with the offline model, and says so", async () => {
  const agent = await chat.agent({}, { model: "local/extractive" });
  await agent.learn("Handbook", ["Refunds take thirty days after the return. Gifts are wrapped."]);
  const body = await (await agent.ask({ message: "How long do refunds take?" })).json();
  assertEquals(body.provider, "local");
  assertMatch(body.answer, /Refunds take thirty days after the return.*\[1\]/);
  assertEquals(body.citations[0].quote, "Refunds take thirty days after the return.");
});

Deno.test("chat names its limits in every answer", async () => {
  const agent = await chat.agent({}, {}, { requests_per_minute: 5 });
  const response = await agent.ask({ message: "Hello" });
  await response.body?.cancel();
  assertMatch(response.headers.get("ratelimit") ?? "", /"key";r=4;t=\d+/);
  assertMatch(response.headers.get("ratelimit-policy") ?? "", /"key";q=5;w=60/);
  assertEquals(response.headers.get("x-ratelimit-limit-requests"), "5");
  assertEquals(response.headers.get("x-ratelimit-remaining-requests"), "4");
});

/** Asks, expects a denial, and that neither the model was called nor anything stored. */
async function denied(agent: ChatAgent, body: Record<string, unknown>, status: number, code: string) {
  const before = [await contents(chat.stack), agent.calls().length];
  const response = await agent.ask(body);
  const told = await assertProblem(response, status, code);
  assertEquals([await contents(chat.stack), agent.calls().length], before);
  return { response, told };
}

Deno.test("chat refuses a key beyond its rate with the wait, and counts nothing", async () => {
  const agent = await chat.agent({}, {}, { requests_per_minute: 1 });
  await (await agent.ask({ message: "Hello" })).body?.cancel();
  const { response, told } = await denied(agent, { message: "Hello" }, 429, "rate_limited");
  assertEquals([told.rule, response.headers.get("retry-after")], ["key", String(told.retry_after)]);
  assert(Number(told.retry_after) >= 1 && Number(told.retry_after) <= 60);
  assertMatch(response.headers.get("ratelimit") ?? "", /"key";r=0/);
  assertEquals(response.headers.get("x-ratelimit-remaining-requests"), "0");
  assertEquals((await agent.record()).counter.reserved_messages, 0);
  const reported = () =>
    chat.rows("select kind, severity, agent_id, count from public.security_incidents where subject = $1", [
      `key:${agent.keyId}`,
    ]);
  await eventually(async () => (await reported()).length === 1);
  assertEquals(await reported(), [{ kind: "rate_limit", severity: "low", agent_id: agent.id, count: 1 }]);
});

Deno.test("chat reports a key that was made up with a right checksum", async () => {
  const { key } = madeUpKey("c");
  const agent = await chat.agent();
  const response = await agent.ask({ message: "Hello" }, { headers: { authorization: `Bearer ${key}` } });
  await assertProblem(response, 401, "key_unknown");
  const reported = () => chat.rows("select kind from public.security_incidents where kind = 'key_guessing'");
  await eventually(async () => (await reported()).length === 1);
});

Deno.test("the leftover key of a deleted agent is unknown, and no guess", async () => {
  const agent = await chat.agent();
  await chat.rows("update public.agents set deleted_at = now() where id = $1", [agent.id]);
  const reported: string[] = [];
  const faults: Partial<Rpc> = {
    reportIncident: ({ kind }) => Promise.resolve(void reported.push(kind)),
  };
  const body = { message: "Hello" };
  await assertProblem(await agent.askWith(faults, body), 401, "key_unknown");
  // One that was made up comes behind it, so that the first had the time to be reported.
  const headers = { authorization: `Bearer ${madeUpKey("d").key}` };
  await assertProblem(await agent.askWith(faults, body, { headers }), 401, "key_unknown");
  await eventually(() => reported.length > 0);
  assertEquals(reported, ["key_guessing"]);
});

Deno.test("chat refuses an agent beyond its budget, and tells an SDK not to retry", async () => {
  const agent = await chat.agent({}, { monthly_messages: 1 });
  await (await agent.ask({ message: "Hello" })).body?.cancel();
  const { response, told } = await denied(agent, { message: "Hello" }, 429, "quota_exceeded");
  assertEquals([told.rule, response.headers.get("x-should-retry")], ["agent.messages", "false"]);
});

Deno.test("chat refuses a full session, and every turn while the kill switch is on", async () => {
  const agent = await chat.agent();
  const { session_id } = await (await agent.ask({ message: "Hello" })).json();
  const set = (key: string, value: string) =>
    chat.rows("update public.app_config set value = $2::text::jsonb where key = $1", [key, value]);
  await set("maxTurns", "1");
  await denied(agent, { message: "Hello", session_id }, 409, "session_full");
  await set("maxTurns", "50");
  await set("killSwitch", "true");
  await denied(agent, { message: "Hello" }, 503, "kill_switch");
  await set("killSwitch", "false");
});

Deno.test("chat answers one question of a session at a time", async () => {
  const gate = Promise.withResolvers<void>();
  const agent = await chat.agent({ steps: ["Wait", { until: gate.promise }, "ed."] });
  const session_id = `s_${crypto.randomUUID()}`;
  const first = agent.ask({ message: "First?", session_id });
  while (agent.calls().length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const { told } = await denied(agent, { message: "Second?", session_id }, 409, "turn_in_progress");
  assertEquals(told.retry_after, 1);
  gate.resolve();
  assertEquals((await (await first).json()).answer, "Waited.");
});

Deno.test("chat does not answer offline for a provider that lost its key", async () => {
  const agent = await chat.agent({}, { model: "mistral/mistral-large-latest" });
  for (const stream of [false, true]) {
    const response = await agent.ask({ message: "Hello", stream, session_id: `s_${stream}` });
    assertMatch(response.headers.get("x-turn-id") ?? "", uuid);
    await assertProblem(response, 503, "provider_not_configured");
  }
  const turns = await chat.rows(
    "select state, error_code, provider, model from public.turns where agent_id = $1",
    [
      agent.id,
    ],
  );
  const failed = {
    state: "failed",
    error_code: "provider_not_configured",
    provider: "mistral",
    model: "mistral-large-latest",
  };
  assertEquals(turns, [failed, failed]);
  assertEquals(await chat.rows("select 1 from public.messages where agent_id = $1", [agent.id]), []);
});
