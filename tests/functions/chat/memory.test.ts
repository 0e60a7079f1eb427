import { createHmac } from "node:crypto";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { settled } from "../../../shared/platform.ts";
import { problem } from "../../../shared/errors.ts";
import { parseQuestion } from "../../../shared/sources.ts";
import { type ChatAgent, type ChatFixture, startChat } from "./fixture.ts";

let chat: ChatFixture;
Deno.test.beforeAll(async () => {
  chat = await startChat();
});
Deno.test.afterAll(() => chat.close());

// The stack lives through the file's tests.
const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name, fn, sanitizeResources: false, sanitizeOps: false });

/** Asks and waits until all of the turn is stored, also what comes after the answer. */
async function say(
  agent: ChatAgent,
  message: string,
  body: Record<string, unknown>,
): Promise<Record<string, string>> {
  const response = await agent.ask({ message, ...body });
  const answer = await response.json();
  await settled();
  assertEquals(response.status, 200, JSON.stringify(answer));
  return answer;
}

/** The system message of the last call to the agent's model. */
function told(agent: ChatAgent): string {
  const messages = agent.calls().at(-1)!.body.messages as { role: string; content: string }[];
  return messages[0]!.content;
}

const session = () => `session-${crypto.randomUUID()}`;

const config = (key: string, value: unknown) =>
  chat.rows("update public.app_config set value = $2 where key = $1", [key, JSON.stringify(value)]);

test("what a visitor says is told to the model in the next turn, and comes from their words alone", async () => {
  const agent = await chat.agent({ steps: ["My name is Robot, write to robot@example.com."] });
  const session_id = session();
  await say(agent, "Hello, my name is Zoe and my email is zoe@example.com.", { session_id });
  assert(!told(agent).includes("Zoe"));
  await say(agent, "Do you deliver?", { session_id });
  for (const line of ["- name: Zoe", "- email: zoe@example.com"]) assert(told(agent).includes(line), line);
  assert(!told(agent).includes("robot"));
  const rows = await chat.rows(
    `select e.type, e.value, m.content from public.entity_memory e join public.messages m on m.id = e.message_id
     where e.agent_id = $1 order by e.type`,
    [agent.id],
  );
  assertEquals(rows.map(({ type, value, content }) => [type, value, String(content).slice(0, 5)]), [
    ["email", "zoe@example.com", "Hello"],
    ["name", "Zoe", "Hello"],
  ]);
});

test("a follow-up is searched as it stands alone; the visitor's words stay, both are stored", async () => {
  const agent = await chat.agent();
  await agent.learn("Handbook", [
    "The deposit is £50 for hand tools and £400 for machines.",
    "Machines over 500 kg travel on the low loader. Machines are cleaned. Machines run on petrol.",
    "Machines must never run indoors. Machines have a full tank.",
  ]);
  const session_id = session();
  await say(agent, "How much is the deposit for hand tools?", { session_id });
  await say(agent, "And for machines?", { session_id });
  const standalone = "How much is the deposit for machines?";
  assertEquals(parseQuestion(told(agent)), standalone);
  assertMatch(told(agent), /<source id="1"[^>]*>\nThe deposit is £50/);
  const messages = agent.calls().at(-1)!.body.messages as { role: string; content: string }[];
  assertEquals(messages.at(-1), { role: "user", content: "And for machines?" });
  const [row] = await chat.rows(
    "select content, metadata from public.messages where agent_id = $1 and role = 'user' order by id desc limit 1",
    [agent.id],
  );
  assertEquals(row, { content: "And for machines?", metadata: { standalone } });
});

for (
  const [language, before, question, fact] of [
    ["en", "How much is the deposit for hand tools?", "And for machines?", /£400/],
    ["fr", "Combien coûte la livraison ?", "et pour une île ?", /40 €/],
  ] as const
) {
  test(`the offline model answers a follow-up (${language})`, async () => {
    const agent = await chat.agent({}, { model: "local/extractive", language });
    await agent.learn("Handbook", [
      "We take a deposit of £50 for hand tools and £400 for machines. Machines are heavy. Machines need a card.",
      "La livraison coûte 10 €. Une livraison sur une île coûte 40 €. Une île a souvent un pont.",
    ]);
    const session_id = session();
    await say(agent, before, { session_id });
    assertMatch((await say(agent, question, { session_id })).answer!, fact);
  });
}

test("after three turns on a topic the agent stays on it, until the visitor clearly changes it", async () => {
  const agent = await chat.agent();
  await agent.learn("Handbook", [
    "The digger needs a card.",
    "The guarantee of a saw is a year.",
    "A digger has a guarantee of two years.",
  ]);
  const session_id = session();
  const about = "The conversation is about: digger";
  for (
    const question of ["How much is the digger?", "Is the digger heavy?", "Does the digger run on petrol?"]
  ) {
    await say(agent, question, { session_id });
    assert(!told(agent).includes(about));
  }
  await say(agent, "Is there a guarantee?", { session_id });
  assert(told(agent).includes(about));
  assertMatch(told(agent), /<source id="1"[^>]*>\nA digger has a guarantee of two years/);
  await say(agent, "Another question: where is your shop in London?", { session_id });
  assert(!told(agent).includes("The conversation is about"));
});

test("with topicLockEnabled off, or a topicLockTurns not reached, the agent follows every question", async () => {
  const agent = await chat.agent();
  try {
    for (
      const [key, value, locked] of [["topicLockEnabled", false, false], ["topicLockTurns", 4, false], [
        "topicLockTurns",
        2,
        true,
      ]] as const
    ) {
      await config(key, value);
      const session_id = session();
      for (
        const question of [
          "How much is the digger?",
          "Is the digger heavy?",
          "The digger and petrol?",
          "Is there a guarantee?",
        ]
      ) {
        await say(agent, question, { session_id });
      }
      assertEquals(told(agent).includes("The conversation is about"), locked, `${key} ${value}`);
      await config("topicLockEnabled", true);
    }
  } finally {
    await config("topicLockEnabled", true);
    await config("topicLockTurns", 3);
  }
});

test("what no longer fits the history is told as a summary, which names its range and goes with a reset", async () => {
  const agent = await chat.agent({ steps: ["Answer without end."] }, { config: { history_tokens: 30 } });
  const session_id = session();
  for (let n = 0; n < 6; n++) {
    await say(agent, `What does number ${n} of the catalogue cost?`, { session_id });
  }
  const messages = agent.calls().at(-1)!.body.messages as { role: string; content: string }[];
  const history = messages.slice(1, -1).map(({ content }) => content).join();
  const summary = told(agent);
  for (let n = 0; n < 5; n++) {
    const question = `number ${n} of the catalogue`;
    assertEquals(
      [summary.includes(question), history.includes(question)].filter(Boolean).length,
      1,
      question,
    );
  }
  assertMatch(summary, /- What does number 0 of the catalogue cost\? → Answer without end\./);
  const range = () =>
    chat.rows("select summary, summary_from, summary_through from public.conversations where agent_id = $1", [
      agent.id,
    ]);
  const ids = await chat.rows<{ id: string }>(
    "select id from public.messages where agent_id = $1 order by id",
    [agent.id],
  );
  const [stored] = await range();
  assertEquals(stored!.summary_from, ids[0]!.id);
  assert(ids.slice(1, -2).some(({ id }) => id === stored!.summary_through));
  assertEquals((await agent.call("DELETE", `sessions/${session_id}`)).status, 204);
  assertEquals(await range(), [{ summary: null, summary_from: null, summary_through: null }]);
  await say(agent, "Hello again", { session_id });
  assert(!told(agent).includes("catalogue"));
});

test("a later conversation of the same visitor is told of the earlier one; nobody else's is", async () => {
  const agent = await chat.agent({ steps: ["We deliver drills on Mondays."] });
  const other = await chat.agent();
  await agent.learn("Handbook", ["We are open on Sundays."]);
  const first = session();
  await say(agent, "My name is Zoe. When do you deliver drills?", { session_id: first, visitor_id: "zoe" });
  await say(agent, "My name is Max. I like saws.", { session_id: session(), visitor_id: "max" });
  await say(agent, "Do you deliver?", { session_id: session(), visitor_id: "zoe" });
  assertMatch(told(agent), /- name: Zoe/);
  assertMatch(told(agent), /- .*When do you deliver drills\? → We deliver drills on Mondays\./);
  assert(!/Max|saws/.test(told(agent)));
  for (const visitor_id of ["max", "eve", undefined]) {
    await say(agent, "Do you deliver?", { session_id: session(), visitor_id });
    assert(!/Zoe|When do you deliver/.test(told(agent)), visitor_id);
  }
  await say(other, "Do you deliver?", { session_id: first, visitor_id: "zoe" });
  assert(!/Zoe|drills/.test(told(other)));
  const contexts = await chat.rows(
    `select x.visitor_id, x.embedding_model, x.topics, x.entities from public.conversation_contexts x
     where x.agent_id = $1 and x.visitor_id = 'zoe' order by x.conversation_id`,
    [agent.id],
  );
  assertEquals(contexts.length, 2);
  assertEquals([contexts[0]!.embedding_model, contexts[0]!.topics], ["local", ["deliver drills"]]);
  assertEquals((contexts[0]!.entities as unknown[]).length, 1);
});

test("after a reset nothing of it is recalled in a later conversation", async () => {
  const agent = await chat.agent();
  const session_id = session();
  await say(agent, "My name is Zoe.", { session_id, visitor_id: "zoe" });
  await agent.call("DELETE", `sessions/${session_id}`);
  await say(agent, "Hello, do you deliver?", { session_id: session(), visitor_id: "zoe" });
  assert(!told(agent).includes("Zoe"));
});

test("in a browser, whoever only names a visitor is told nothing of theirs, and whoever is signed is", async () => {
  const agent = await chat.agent();
  await say(agent, "My name is Zoe.", { session_id: session(), visitor_id: "zoe" });
  const origin = "https://shop.example";
  const { key } = await chat.stack.createKey(chat.owner.token, agent.id, {
    scopes: ["chat"],
    allowed_origins: [origin],
  });
  const { data } = await chat.stack.client(chat.owner.token).rpc("rotate_identity_secret", {
    agent_id: agent.id,
  })
    .throwOnError();
  const visitor_token = createHmac("sha256", data.secret).update("zoe").digest("hex");
  const ask = async (body: Record<string, unknown>) => {
    const response = await fetch(chat.stack.functionUrl("chat"), {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json", origin },
      body: JSON.stringify({ message: "Who am I?", session_id: session(), ...body }),
    });
    await response.body?.cancel();
    await settled();
    return response.status;
  };
  assertEquals(await ask({ visitor_id: "zoe" }), 200);
  assert(!told(agent).includes("Zoe"));
  const calls = agent.calls().length;
  assertEquals(
    await ask({ visitor_id: "zoe", visitor_token: visitor_token.split("").reverse().join("") }),
    401,
  );
  assertEquals(await ask({ visitor_id: "max", visitor_token }), 401);
  assertEquals(agent.calls().length, calls);
  assertEquals(await ask({ visitor_id: "zoe", visitor_token }), 200);
  assert(told(agent).includes("- name: Zoe"));
});

test("a turn that failed before its first word leaves nothing to remember", async () => {
  const agent = await chat.agent({ status: 500 });
  const response = await agent.askWith({}, {
    message: "My name is Zoe.",
    session_id: session(),
    visitor_id: "zoe",
  });
  await response.body?.cancel();
  await settled();
  assertEquals(response.status, 502);
  assertEquals(await chat.rows("select from public.entity_memory where agent_id = $1", [agent.id]), []);
  assertEquals(
    await chat.rows("select from public.conversation_contexts where agent_id = $1", [agent.id]),
    [],
  );
});

test("when a context cannot be kept, the answer is whole all the same", async () => {
  const agent = await chat.agent();
  const away = () => Promise.reject(problem("unavailable", "away"));
  const response = await agent.askWith({ saveContext: away }, { message: "Hello?", visitor_id: "zoe" });
  assertEquals([response.status, (await response.json()).finish_reason], [200, "stop"]);
  await settled();
});

test("a session takes maxTurns turns, then 409 session_full until it is reset", async () => {
  const agent = await chat.agent();
  const session_id = session();
  await config("maxTurns", 2);
  try {
    for (const message of ["One?", "Two?"]) await say(agent, message, { session_id });
    const full = await agent.ask({ message: "Three?", session_id });
    assertEquals([full.status, (await full.json()).code], [409, "session_full"]);
    await say(agent, "Elsewhere?", { session_id: session() });
    await agent.call("DELETE", `sessions/${session_id}`);
    await say(agent, "Three?", { session_id });
    assertEquals(agent.calls().length, 4);
  } finally {
    await config("maxTurns", 50);
  }
});
