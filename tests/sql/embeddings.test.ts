import { assertEquals, assertRejects } from "@std/assert";
import type { Session } from "../../local/database.ts";
import {
  at,
  begin,
  changeModel,
  claim,
  claimSet,
  embed,
  learn,
  type Match,
  type SetWork,
  store,
  switchModel,
} from "./documents.ts";
import { as, refusal, service, user, value } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { call, change, type Client, makeClient } from "./turns.ts";

// The tests' own models, and the vector that each makes of anything.
const vectors: Record<string, number[]> = {
  "test/one": [1, 1, 1, 1],
  "test/two": [2, 1],
  "test/three": [1, 2, 3],
};

/** The model a turn embeds its question with. */
const asked = (session: Session, { agentId }: Client) =>
  value<string>(
    session,
    service,
    "(select settings ->> 'embedding_model' from private.askable_agents where agent_id = $1)",
    [agentId],
  );

/** What a question finds by its vector alone, as a turn asks it. */
async function found(session: Session, client: Client, model?: string): Promise<string[]> {
  model ??= await asked(session, client);
  const matches = await as<Match>(
    session,
    service,
    "select * from public.match_documents($1, 'unheard', $2, 50, 0, embedding_model => $3)",
    [client.agentId, JSON.stringify(vectors[model]), model],
  );
  return matches.map(({ content }) => content).sort();
}

const chunkCounts = (session: Session) =>
  session.query<{ model: string; count: number }>(
    "select embedding_model as model, count(*)::integer as count from public.document_chunks group by 1 order by 1",
  );

const sets = (session: Session) =>
  session.query<{ embedding_model: string; status: string }>(
    "select embedding_model, status from public.embedding_sets order by 1",
  );

const want = (session: Session, { agentId }: Client, embedding_model: string | null) =>
  change(session, "agents", agentId, { embedding_model });

const clean = (session: Session) =>
  value<number>(session, service, "private.remove_outdated_vectors($1)", [at(0)]);

rolledBack(
  "the old vectors answer until the new ones are complete, then these do, at once",
  async (session) => {
    const client = await makeClient(session);
    await learn(session, client, ["Apples.", "Pears.", "Plums."]);
    await want(session, client, "test/two");
    const work = await claimSet(session);
    assertEquals(work.embedding_model, "test/two");
    assertEquals(await embed(session, work, vectors["test/two"]!, 2), false);
    assertEquals(await switchModel(session, work), "more");
    assertEquals(await asked(session, client), "test/one");
    assertEquals(await found(session, client), ["Apples.", "Pears.", "Plums."]);
    await embed(session, work, vectors["test/two"]!);
    assertEquals(await switchModel(session, work), "switched");
    assertEquals(await asked(session, client), "test/two");
    assertEquals(await found(session, client), ["Apples.", "Pears.", "Plums."]);
    // A question on its way with the old vector is answered with what it finds.
    assertEquals(await found(session, client, "test/one"), ["Apples.", "Pears.", "Plums."]);
    assertEquals(await clean(session), 3);
    assertEquals(await chunkCounts(session), [{ model: "test/two", count: 3 }]);
    assertEquals([await sets(session), await clean(session)], [[], 0]);
  },
);

rolledBack(
  "the owner reads back what they set, and sees what answers and how far the new one is",
  async (session) => {
    const client = await makeClient(session);
    await learn(session, client, ["Apples.", "Pears."]);
    const owner = user(client.ownerId);
    await as(session, owner, "update public.agents set embedding_model = 'test/two' where id = $1", [
      client.agentId,
    ]);
    await embed(session, await claimSet(session), vectors["test/two"]!, 1);
    const [seen] = await as(
      session,
      owner,
      `select a.embedding_model as wanted, k.embedding_model as answers, s.status, s.chunks::integer
     from public.agents a join public.agent_knowledge k on k.agent_id = a.id join public.embedding_sets s on s.agent_id = a.id`,
    );
    assertEquals(seen, { wanted: "test/two", answers: "test/one", status: "building", chunks: 1 });
    assertEquals(await refusal(as(session, owner, "delete from public.embedding_sets")), "42501");
    assertEquals(await refusal(as(session, owner, "select lease from public.embedding_sets")), "42501");
  },
);

rolledBack("changed back before it is complete, nothing is built and its vectors go", async (session) => {
  const client = await makeClient(session);
  await learn(session, client, ["Apples.", "Pears."]);
  await want(session, client, "test/two");
  const work = await claimSet(session);
  await embed(session, work, vectors["test/two"]!, 1);
  await want(session, client, "test/one");
  await assertRejects(() => claimSet(session, 1000), Error, "no set of vectors is due");
  assertEquals(
    await call(session, "public.chunks_to_embed", { id: work.id, lease: work.lease }),
    null as never,
  );
  assertEquals(await switchModel(session, work), "lost");
  assertEquals(await clean(session), 1);
  assertEquals(await chunkCounts(session), [{ model: "test/one", count: 2 }]);
  assertEquals([await sets(session), await asked(session, client)], [[], "test/one"]);
});

rolledBack(
  "wanted anew, what is left of a set is used, and null keeps the model that answers",
  async (session) => {
    const client = await makeClient(session);
    await learn(session, client, ["Apples.", "Pears."]);
    await want(session, client, "test/two");
    await embed(session, await claimSet(session), vectors["test/two"]!, 1);
    await want(session, client, "test/three");
    assertEquals(await sets(session), [
      { embedding_model: "test/three", status: "building" },
      { embedding_model: "test/two", status: "outdated" },
    ]);
    await want(session, client, "test/two");
    const work = await claimSet(session);
    const { length } = await call<unknown[]>(session, "public.chunks_to_embed", {
      id: work.id,
      lease: work.lease,
    });
    assertEquals(length, 1);
    await want(session, client, null);
    assertEquals((await sets(session)).map(({ status }) => status), ["outdated", "outdated"]);
    await begin(session, client, "Another", { embedding_model: "test/default" });
    const [agent] = await session.query("select embedding_model from public.agents where id = $1", [
      client.agentId,
    ]);
    assertEquals(agent, { embedding_model: "test/one" });
  },
);

rolledBack("from one model to the next and back, each answers with all chunks", async (session) => {
  const client = await makeClient(session);
  await learn(session, client, ["Apples.", "Pears."]);
  for (const model of ["test/two", "test/three", "test/one", "test/two"]) {
    await changeModel(session, client, model, vectors[model]!);
    assertEquals([await asked(session, client), await found(session, client)], [model, [
      "Apples.",
      "Pears.",
    ]]);
  }
  for (let calls = 0; (await sets(session)).length > 0 && calls < 10; calls++) await clean(session);
  assertEquals(await chunkCounts(session), [{ model: "test/two", count: 2 }]);
});

rolledBack("what is uploaded meanwhile is found before and after the change", async (session) => {
  const client = await makeClient(session);
  await learn(session, client, ["Apples."]);
  await want(session, client, "test/two");
  const work = await claimSet(session);
  await embed(session, work, vectors["test/two"]!);
  await learn(session, client, ["Pears."]);
  assertEquals(await found(session, client), ["Apples.", "Pears."]);
  assertEquals(await switchModel(session, work), "more");
  await embed(session, work, vectors["test/two"]!);
  assertEquals(await switchModel(session, work), "switched");
  assertEquals(await found(session, client), ["Apples.", "Pears."]);
  await learn(session, client, [{ content: "Plums.", embedding: vectors["test/two"]! }]);
  assertEquals(await found(session, client), ["Apples.", "Pears.", "Plums."]);
});

rolledBack(
  "a document in the middle of its ingestion goes on with the new model, none of it lost",
  async (session) => {
    const client = await makeClient(session);
    const begun = await begin(session, client, "Long");
    await store(session, begun, ["Apples.", "Pears."], { state: { from: 14 } });
    await changeModel(session, client, "test/two", vectors["test/two"]!);
    assertEquals((await store(session, begun, ["Plums."], { from_index: 2 })).outcome, "lost");
    const [work] = await claim(session, 0);
    assertEquals([work!.embedding_model, work!.chunks, work!.state], ["test/two", 2, { from: 14 }]);
    const plums = { content: "Plums.", embedding: vectors["test/two"]! };
    await store(session, { document_id: work!.id, lease: work!.lease }, [plums], {
      from_index: 2,
      done: true,
    });
    assertEquals(await found(session, client), ["Apples.", "Pears.", "Plums."]);
  },
);

rolledBack(
  "a killed worker's vectors are stored once: the next one goes on when the lease is over",
  async (session) => {
    const client = await makeClient(session);
    await learn(session, client, ["Apples.", "Pears.", "Plums."]);
    await want(session, client, "test/two");
    const dead = await claimSet(session, 0);
    await embed(session, dead, vectors["test/two"]!, 2);
    await session.query("update public.embedding_sets set leased_until = $1", [at(60)]);
    await assertRejects(() => claimSet(session, 59), Error, "no set of vectors is due");
    const next = await claimSet(session, 61);
    const stale = { id: dead.id, lease: dead.lease, vectors: "[]" };
    assertEquals(await call(session, "public.store_vectors", stale), { outcome: "lost" });
    // The same vectors again, as after an answer that never came.
    const ids = await session.query<{ id: number }>(
      "select id::integer from public.document_chunks where embedding_model = 'test/one'",
    );
    const again = JSON.stringify(ids.map(({ id }) => ({ id, embedding: "[2,1]" })));
    await call(session, "public.store_vectors", { id: next.id, lease: next.lease, vectors: again });
    assertEquals(await chunkCounts(session), [{ model: "test/one", count: 3 }, {
      model: "test/two",
      count: 3,
    }]);
    assertEquals(await switchModel(session, next), "switched");
  },
);

rolledBack(
  "a chunk that is removed meanwhile gets no vector, nor does one of another agent",
  async (session) => {
    const [client, other] = [await makeClient(session), await makeClient(session)];
    const gone = await learn(session, client, ["Apples."]);
    await learn(session, other, ["Foreign."]);
    await want(session, client, "test/two");
    const { id, lease } = await claimSet(session);
    const rows = await session.query<{ id: number }>(
      "select id::integer from public.document_chunks order by id",
    );
    await call(session, "public.delete_document", { agent_id: client.agentId, document_id: gone });
    const all = JSON.stringify(rows.map((row) => ({ id: row.id, embedding: "[2,1]" })));
    assertEquals(await call(session, "public.store_vectors", { id, lease, vectors: all }), {
      outcome: "stored",
      chunks: 0,
    });
    assertEquals(await chunkCounts(session), [{ model: "test/one", count: 1 }]);
  },
);

rolledBack(
  "a set that fails is tried again after growing waits, never given up, and says why",
  async (session) => {
    const client = await makeClient(session);
    await learn(session, client, ["Apples."]);
    await want(session, client, "test/two");
    const error = { code: "provider_failed", message: "The model provider failed", retryable: false };
    let seconds = 0;
    for (let attempt = 1; attempt <= 8; attempt++) {
      const { id, lease } = await claimSet(session, seconds);
      const answer = await call<{ outcome: string; next_attempt_at: string }>(session, "public.finish_work", {
        kind: "embeddings",
        id,
        lease,
        error,
        as_of: at(seconds),
      });
      assertEquals(answer.outcome, "retry");
      const wait = (Date.parse(answer.next_attempt_at) - Date.parse(at(seconds))) / 1000;
      const full = 10 * 2 ** (attempt - 1);
      assertEquals(wait >= full / 2 && wait <= full, true, `${wait} s after attempt ${attempt}`);
      seconds += wait + 0.001;
    }
    const [seen] = await as(
      session,
      user(client.ownerId),
      "select error_code, error_message from public.embedding_sets",
    );
    assertEquals(seen, { error_code: error.code, error_message: error.message });
    assertEquals(await found(session, client), ["Apples."]);
    await embed(session, await claimSet(session, seconds), vectors["test/two"]!);
    const [better] = await session.query("select error_code, attempts from public.embedding_sets");
    assertEquals(better, { error_code: null, attempts: 0 });
  },
);

rolledBack("owners take turns, and an agent that is hidden waits for nothing", async (session) => {
  const [ann, bob, cat] = [await makeClient(session), await makeClient(session), await makeClient(session)];
  const more = { ...ann, ...await makeClient(session, { owner: ann.ownerId }) };
  for (const client of [ann, more, bob, cat]) {
    await learn(session, client, ["Apples."]);
    await want(session, client, "test/two");
  }
  await change(session, "agents", cat.agentId, { deleted_at: at(0) });
  const claimed = await call<(SetWork & { owner_id: string })[]>(session, "public.claim_work", {
    kind: "embeddings",
    max_items: 2,
    as_of: at(0),
  });
  assertEquals(claimed.map(({ owner_id }) => owner_id).sort(), [ann.ownerId, bob.ownerId].sort());
});

rolledBack("before its first document an agent changes its model without further ado", async (session) => {
  const client = await makeClient(session);
  await want(session, client, "test/two");
  await want(session, client, "test/three");
  assertEquals(await sets(session), []);
  assertEquals((await begin(session, client, "A")).embedding_model, "test/three");
});

rolledBack("senseless vectors raise and change nothing", async (session) => {
  const client = await makeClient(session);
  await learn(session, client, ["Apples.", "Pears."]);
  await want(session, client, "test/two");
  const { id, lease } = await claimSet(session);
  const [one, two] = await session.query<{ id: number }>(
    "select id::integer from public.document_chunks order by id",
  );
  const senseless = [
    null,
    "{}",
    JSON.stringify([{ id: one!.id, embedding: null }]),
    JSON.stringify([{ id: one!.id, embedding: "soup" }]),
    JSON.stringify([{ id: "soup", embedding: "[1,2]" }]),
    JSON.stringify([{ id: one!.id, embedding: "[1,2]" }, { id: two!.id, embedding: "[1,2,3]" }]),
  ];
  for (const bad of senseless) {
    const stored = call(session, "public.store_vectors", { id, lease, vectors: bad });
    assertEquals(await refusal(stored), "PT422 validation_failed", String(bad));
  }
  assertEquals(await chunkCounts(session), [{ model: "test/one", count: 2 }]);
  for (const max_items of [0, 401]) {
    assertEquals(
      await refusal(call(session, "public.chunks_to_embed", { id, lease, max_items })),
      "PT422 validation_failed",
    );
  }
  assertEquals(
    await refusal(call(session, "public.claim_work", { kind: "soup" })),
    "PT422 validation_failed",
  );
  assertEquals(
    await refusal(call(session, "public.finish_work", { kind: "soup", id, lease })),
    "PT422 validation_failed",
  );
});
