import { assert, assertEquals } from "@std/assert";
import { assertProblem, contents } from "../../support/security-suite.ts";
import type { TestUser } from "../../support/stack.ts";
import { type ChatAgent, eventually, startChat } from "./fixture.ts";
import { parseEvents } from "./read-events.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

/** Calls chat as a user. */
function as({ token }: Pick<TestUser, "token">, method: string, path = "", body?: object): Promise<Response> {
  return fetch(chat.stack.functionUrl(`chat${path}`), {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      apikey: chat.stack.publishableKey,
      "content-type": "application/json",
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
}

async function member(agent: ChatAgent, role: string): Promise<TestUser> {
  const user = await chat.stack.signUp();
  await chat.rows("insert into public.agent_members (agent_id, user_id, role) values ($1, $2, $3)", [
    agent.id,
    user.id,
    role,
  ]);
  return user;
}

async function admin(): Promise<TestUser> {
  const [email, password] = [`${crypto.randomUUID()}@example.com`, crypto.randomUUID()];
  const { data: { user } } = await chat.stack.client().auth.signUp({ email, password });
  await chat.rows(
    `update auth.users set raw_app_meta_data = coalesce(raw_app_meta_data::jsonb, '{}') || '{"role": "admin"}' where id = $1`,
    [user!.id],
  );
  const { data } = await chat.stack.client().auth.signInWithPassword({ email, password });
  return { id: user!.id, email, token: data.session!.access_token };
}

Deno.test("the owner and members try their agent, and see what it found", async () => {
  const agent = await chat.agent({ steps: ["Thirty days [1]."] });
  await agent.learn("Handbook", ["Refunds take thirty days.", "Gifts are wrapped."]);
  const asked = { message: "How long do refunds take?", agent_id: agent.id };
  for (const user of [chat.owner, await member(agent, "viewer")]) {
    const answer = await (await as(user, "POST", "", asked)).json();
    assertEquals(answer.answer, "Thirty days [1].");
    const [first] = answer.retrieved;
    assertEquals([first.title, first.content], ["Handbook", "Refunds take thirty days."]);
    assertEquals(Object.keys(first), ["chunk_id", "title", "content", "similarity"]);
    assert(Number.isInteger(first.chunk_id) && first.similarity > 0);
    const [conversation] = await chat.rows(
      "select channel, user_id, api_key_id from public.conversations where session_id = $1",
      [answer.session_id],
    );
    assertEquals(conversation, { channel: "dashboard", user_id: user.id, api_key_id: null });
    const events = parseEvents(await (await as(user, "POST", "", { ...asked, stream: true })).text());
    assertEquals(events.at(-1)!.data.retrieved.length, answer.retrieved.length);
  }
  const byKey = await (await agent.ask({ message: "How long do refunds take?" })).json();
  assert(!("retrieved" in byKey));
});

Deno.test("who is no member of an agent cannot ask it, and must name one", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  const stranger = await chat.stack.signUp();
  const before = await contents(chat.stack);
  const hello = { message: "Hello" };
  await assertProblem(await as(stranger, "POST", "", { ...hello, agent_id: agent.id }), 404, "not_found");
  await assertProblem(
    await as(await admin(), "POST", "", { ...hello, agent_id: agent.id }),
    404,
    "not_found",
  );
  await assertProblem(
    await as(chat.owner, "POST", "", { ...hello, agent_id: crypto.randomUUID() }),
    404,
    "not_found",
  );
  for (const agent_id of [undefined, null, "7"]) {
    const { errors } = await assertProblem(
      await as(stranger, "POST", "", { ...hello, agent_id }),
      422,
      "validation_failed",
    );
    assertEquals((errors as { path: string }[])[0]!.path, "agent_id");
  }
  assertEquals([await contents(chat.stack), agent.calls().length], [before, 0]);
});

Deno.test("an admin without an agent talks to the installation's, in a channel of their own", async () => {
  const agent = await chat.agent({ steps: ["All is well."] });
  const [person, other] = [await admin(), await admin()];
  await assertProblem(await as(person, "POST", "", { message: "How are we?" }), 422, "validation_failed");
  await chat.rows("update public.app_config set value = to_jsonb($1::text) where key = 'defaultAgentId'", [
    agent.id,
  ]);
  const answer = await (await as(person, "POST", "", { message: "How are we?", session_id: "admin-session" }))
    .json();
  assertEquals([answer.answer, "retrieved" in answer], ["All is well.", false]);
  const [conversation] = await chat.rows(
    "select channel, user_id from public.conversations where session_id = $1",
    [
      answer.session_id,
    ],
  );
  assertEquals(conversation, { channel: "admin", user_id: person.id });
  assert(agent.calls()[0]!.body.messages[0].content.startsWith("Tu es l'assistant des administrateurs"));

  const path = `/sessions/admin-session/messages?agent_id=${agent.id}`;
  assertEquals((await (await as(person, "GET", path)).json()).messages.length, 2);
  for (const user of [chat.owner, other]) await assertProblem(await as(user, "GET", path), 404, "not_found");
  await assertProblem(await as(other, "DELETE", "/sessions/admin-session"), 404, "not_found");
  assertEquals((await as(person, "DELETE", "/sessions/admin-session")).status, 204);
  await chat.rows("update public.app_config set value = 'null' where key = 'defaultAgentId'");
});

Deno.test("members read an agent's sessions, those who may write reset them, and all rate answers", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  const [editor, viewer, stranger] = [
    await member(agent, "editor"),
    await member(agent, "viewer"),
    await chat.stack.signUp(),
  ];
  const { message_id } = await (await agent.ask({ message: "Hello", session_id: "short" })).json();
  const path = `/sessions/short/messages?agent_id=${agent.id}`;
  for (const user of [chat.owner, editor, viewer]) {
    const { messages } = await (await as(user, "GET", path)).json();
    assertEquals(messages.map(({ content }: { content: string }) => content), ["Hello", "Fine."]);
    const rated = await as(user, "POST", "/feedback", { message_id, rating: 1, agent_id: agent.id });
    assertEquals((await rated.json()).rating, 1);
  }
  await assertProblem(await as(stranger, "GET", path), 404, "not_found");
  await assertProblem(await as(chat.owner, "GET", "/sessions/short/messages"), 422, "validation_failed");
  await assertProblem(
    await as(stranger, "POST", "/feedback", { message_id, rating: 1, agent_id: agent.id }),
    404,
    "not_found",
  );
  await assertProblem(
    await as(chat.owner, "POST", "/feedback", { message_id, rating: 1 }),
    422,
    "validation_failed",
  );

  const reset = `/sessions/short?agent_id=${agent.id}`;
  for (const user of [viewer, stranger]) {
    await assertProblem(await as(user, "DELETE", reset), 404, "not_found");
  }
  assertEquals((await as(editor, "DELETE", reset)).status, 204);
  assertEquals((await (await as(viewer, "GET", path)).json()).messages, []);
});

Deno.test("a session belongs to whoever began it: a user's is not the key's, nor the other way", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  const session_id = `s_${crypto.randomUUID()}`;
  await (await as(chat.owner, "POST", "", { message: "Hello", agent_id: agent.id, session_id })).body
    ?.cancel();
  await assertProblem(await agent.ask({ message: "Hello", session_id }), 404, "not_found");
  assertEquals(agent.calls().length, 1);
});

Deno.test("a user's requests are limited like those of a key, and reported under the user", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  const user = await member(agent, "viewer");
  await chat.rows(
    `insert into public.rate_limits (key, window_seconds, total, recent, recent_at, steady_until)
     values ('user:' || $1, 60, 60, 60, now(), now() + interval '1 minute')`,
    [user.id],
  );
  const refused = await as(user, "POST", "", { message: "Hello", agent_id: agent.id });
  assert(Number(refused.headers.get("retry-after")) >= 1);
  await assertProblem(refused, 429, "rate_limited");
  const incidents = () =>
    chat.rows("select 1 from public.security_incidents where subject = $1", [`user:${user.id}`]);
  await eventually(async () => (await incidents()).length === 1);
});
