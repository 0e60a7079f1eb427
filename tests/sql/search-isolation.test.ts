import { assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { begin, learn, type Match, store } from "./documents.ts";
import { forgetWhere } from "./forget-where.ts";
import { as, refusal, service, user, value } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { admit, call, change, type Client, exchange, makeClient } from "./turns.ts";

async function search(
  session: Session,
  client: Pick<Client, "agentId">,
  query: string,
  { vector, model = "test/one", ...args }: Record<string, unknown> = {},
): Promise<Match[]> {
  const given = Object.entries({
    agent_id: client.agentId,
    query,
    ...(vector ? { query_embedding: JSON.stringify(vector), embedding_model: model } : {}),
    ...args,
  });
  return await as<Match>(
    session,
    service,
    `select * from public.match_documents(${given.map(([name], n) => `${name} => $${n + 1}`)})`,
    given.map(([, argument]) => argument),
  );
}

const contents = async (found: Promise<Match[]>) => (await found).map(({ content }) => content);

rolledBack("passages of documents that are not ready, failed or deleted are not found", async (session) => {
  const client = await makeClient(session);
  const ready = await learn(session, client, ["Apples of the ready one."], { source: "a.txt" });
  const open = await begin(session, client, "Open", { source: "a.txt" });
  await store(session, open, ["Apples of the open one."]);
  const broken = await begin(session, client, "Broken");
  await store(session, broken, ["Apples of the broken one."]);
  const found = () =>
    contents(search(session, client, "apples", { vector: [1, 1, 1, 1], match_threshold: 0 }));
  assertEquals(await found(), ["Apples of the ready one."]);
  await call(session, "public.finish_work", {
    kind: "documents",
    id: broken.document_id,
    lease: broken.lease,
    error: { code: "x", retryable: false },
  });
  assertEquals(await found(), ["Apples of the ready one."]);
  await store(session, open, ["Pears."], { from_index: 1, done: true });
  assertEquals((await found()).sort(), ["Apples of the open one.", "Pears."]);
  assertEquals(await session.query("select from public.documents where id = $1", [ready]), []);
  await call(session, "public.delete_document", { agent_id: client.agentId, document_id: open.document_id });
  assertEquals(await found(), []);
});

rolledBack(
  "an agent finds its own passages alone; a hidden and an empty one find nothing",
  async (session) => {
    const [client, other, empty] = [
      await makeClient(session),
      await makeClient(session),
      await makeClient(session),
    ];
    await learn(session, client, ["Apples of mine."]);
    await learn(session, other, ["Apples of theirs."]);
    const vector = [1, 1, 1, 1];
    assertEquals(await contents(search(session, client, "apples", { vector })), ["Apples of mine."]);
    assertEquals(await search(session, empty, "apples", { vector }), []);
    assertEquals(await search(session, { agentId: crypto.randomUUID() }, "apples", { vector }), []);
    await change(session, "agents", client.agentId, { deleted_at: "2026-11-01" });
    assertEquals(await search(session, client, "apples", { vector }), []);
  },
);

rolledBack("a search that forgot its WHERE still finds nothing of another agent", async (session) => {
  const [client, other] = [await makeClient(session), await makeClient(session)];
  const vector = [1, 1, 1, 1];
  await learn(session, client, ["Apples of mine."]);
  for (let n = 0; n < 3; n++) await learn(session, other, [`Apples of theirs ${n}.`]);
  assertEquals(await forgetWhere(session), [
    "find_chunks",
    "find_contexts",
    "match_vectors",
    "match_words",
    "overflow",
    "session_memory",
    "turn_memory",
  ]);
  for (const args of [{}, { vector }, { vector, match_threshold: 0, match_count: 200 }, { language: "en" }]) {
    assertEquals(await contents(search(session, client, "apples", args)), ["Apples of mine."]);
  }
  // The same functions without the reader's policies find them: the WHERE is really gone.
  const leaked = await session.query<{ content: string }>(
    `select content from private.find_chunks($1, 'apples', null, 50, null, null, null, null)`,
    [client.agentId],
  );
  assertEquals(leaked.length, 4);
});

rolledBack("a history that forgot its WHERE still holds nothing of another agent", async (session) => {
  const [client, other] = [await makeClient(session), await makeClient(session)];
  await exchange(session, client, { session_id: "s", message: "mine" }, { answer: "mine" });
  const foreign = await exchange(session, other, { session_id: "s", message: "theirs" }, {
    answer: "theirs",
  });
  await session.query(
    "insert into public.entity_memory (agent_id, conversation_id, type, value) values ($1, $2, 'name', 'theirs')",
    [other.agentId, foreign.conversation_id],
  );
  await forgetWhere(session);
  const { history, memory } = await admit(session, client, { session_id: "s" });
  assertEquals([history.map(({ content }) => content), memory], [["mine", "mine"], []]);
});

rolledBack("the agent of a search is forgotten after it, also after one that failed", async (session) => {
  const client = await makeClient(session);
  await learn(session, client, ["Apples."]);
  const agent = () => session.query("select coalesce(current_setting('app.agent_id', true), '') as agent");
  await search(session, client, "apples", { vector: [1, 1, 1, 1] });
  assertEquals(await agent(), [{ agent: "" }]);
  const failed = search(session, client, "apples", { vector: [1, 1], match_threshold: 0 });
  assertEquals(await refusal(failed), "22000");
  assertEquals(await agent(), [{ agent: "" }]);
  await session.exec("set local role agent_reader");
  assertEquals(await session.query("select from public.document_chunks"), []);
});

rolledBack("search is for the service role alone", async (session) => {
  const client = await makeClient(session);
  const sql = `public.match_documents('${client.agentId}', 'apples')`;
  assertEquals(await refusal(value(session, user(client.ownerId), sql)), "42501");
  assertEquals(await refusal(value(session, { name: "anon", role: "anon", claims: null }, sql)), "42501");
  assertEquals(
    await refusal(value(session, { name: "r", role: "agent_reader", claims: null }, "private.reap_turns()")),
    "42501",
  );
});
