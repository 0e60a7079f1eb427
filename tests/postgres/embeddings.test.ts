import { assert, assertEquals } from "@std/assert";
import { connect } from "../../local/database.ts";
import { type Begun, chunk, learn, oneUpload } from "../sql/documents.ts";
import { change, makeClient, sha256 } from "../sql/turns.ts";
import { openDatabase, type TestDatabase } from "../support/database.ts";
import { atOnce, type Crowd, gather, waiting } from "./crowd.ts";

const active = async (database: TestDatabase) =>
  (await database.query<{ model: string }>("select embedding_model as model from public.agent_knowledge"))[0]!
    .model;

/** One round of a worker, which dies without a word when `isKilled`. */
async function build(crowd: Crowd, vector: string, isKilled = false): Promise<string> {
  const [work] = await crowd.call<{ id: string; lease: string }[]>("public.claim_work", {
    kind: "embeddings",
    lease_seconds: 1,
  });
  if (!work) return "idle";
  const { id, lease } = work;
  const chunks = await crowd.call<{ id: number }[] | null>("public.chunks_to_embed", {
    id,
    lease,
    max_items: 7,
  });
  const vectors = JSON.stringify(chunks?.map((row) => ({ id: row.id, embedding: vector })) ?? []);
  await crowd.call("public.store_vectors", { id, lease, vectors, lease_seconds: 1 });
  if (isKilled) return "killed";
  const { outcome } = await crowd.call<{ outcome: string }>("public.switch_model", { id, lease });
  if (outcome === "more") await crowd.call("public.finish_work", { kind: "embeddings", id, lease });
  return outcome;
}

const upload = async (crowd: Crowd, agent_id: string, title: string, more: Record<string, unknown>) =>
  (await crowd.call<Begun[]>(
    "public.store_documents",
    oneUpload({
      agent_id,
      embedding_model: "test/one",
      title,
      mime_type: "text/plain",
      content_hash: await sha256(title),
      size_bytes: 1,
      detected_language: "en",
      ...more,
    }),
  ))[0]!;

Deno.test("workers that die, uploads and deletions while a model is changed: no chunk is without its vector", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url, 20);
  const client = await database.transaction((session) => makeClient(session));
  const { agentId } = client;
  for (let n = 0; n < 20; n++) {
    await upload(crowd, agentId, `Known ${n}`, { chunks: [chunk(`Known ${n}.`), chunk(`More ${n}.`)] });
  }
  const known = await database.query<{ id: string }>("select id from public.documents order by id limit 5");
  await change(database, "agents", agentId, { embedding_model: "test/two" });
  const outcomes: string[] = [];
  await Promise.all([
    atOnce(6, async (worker) => {
      for (let round = 0; round < 30 && await active(database) === "test/one"; round++) {
        outcomes.push(await build(crowd, "[2,1,1,1]", worker === 0));
        if (worker === 1) {
          await database.query(
            "update public.embedding_sets set leased_until = now() where lease is not null",
          );
        }
      }
    }),
    atOnce(4, async (worker) => {
      for (let n = 0; n < 8; n++) {
        const title = `Late ${worker}.${n}`;
        const kept = await upload(crowd, agentId, title, {
          source: n % 2 ? `source ${worker}` : undefined,
          ...(n % 3 ? { chunks: [chunk(`${title}.`)] } : {}),
        });
        if (kept.outcome !== "created") continue;
        await crowd.call("public.store_chunks", {
          document_id: kept.document_id,
          lease: kept.lease,
          from_index: 0,
          chunks: JSON.stringify([chunk(`${title}.`)]),
          done: true,
        });
      }
    }),
    ...known.map(({ id }) => crowd.call("public.delete_document", { agent_id: agentId, document_id: id })),
  ]);
  for (let round = 0; round < 50 && await active(database) === "test/one"; round++) {
    await database.query(
      "update public.embedding_sets set leased_until = now(), next_attempt_at = now() where lease is not null",
    );
    outcomes.push(await build(crowd, "[2,1,1,1]"));
  }
  assertEquals(await active(database), "test/two");
  assert(outcomes.includes("killed"), outcomes.join());
  const wrong = await database.query(
    `select d.title, d.status from public.documents d where d.chunk_count <> (select count(*) from public.document_chunks c
       where c.document_id = d.id and c.embedding_model = 'test/two')`,
  );
  assertEquals(wrong, []);
  await database.query("select private.remove_outdated_vectors()");
  const [left] = await database.query(
    `select count(*)::integer as old from public.document_chunks where embedding_model <> 'test/two'`,
  );
  assertEquals(left, { old: 0 });
});

// Somebody holds what the two need next, until both wait: so they meet in the order that is the dangerous one.
Deno.test("an owner who changes back just while the new model takes over gets the old one built again, not a deadlock", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url, 10);
  const client = await database.transaction((session) => makeClient(session));
  await database.transaction((session) => learn(session, client, ["Apples."]));
  await change(database, "agents", client.agentId, { embedding_model: "test/two" });
  const [work] = await crowd.call<{ id: string; lease: string }[]>("public.claim_work", {
    kind: "embeddings",
  });
  const { id, lease } = work!;
  const chunks = await crowd.call<{ id: number }[]>("public.chunks_to_embed", { id, lease });
  const vectors = JSON.stringify(chunks.map((row) => ({ id: row.id, embedding: "[2,1]" })));
  await crowd.call("public.store_vectors", { id, lease, vectors });
  const holder = await connect({ url: database.url! });
  const [switched] = await holder.transaction(async (held) => {
    await held.query("select from public.embedding_sets for update");
    const switching = crowd.call<{ outcome: string }>("public.switch_model", { id, lease });
    await waiting(database, 1);
    const changing = change(database, "agents", client.agentId, { embedding_model: "test/one" });
    await waiting(database, 2);
    return [switching, changing] as const;
  }).then((both) => Promise.all(both));
  await holder.close();
  assertEquals(switched, { outcome: "switched" });
  assertEquals(await active(database), "test/two");
  const sets = await database.query("select embedding_model, status from public.embedding_sets");
  assertEquals(sets, [{ embedding_model: "test/one", status: "building" }]);
});

Deno.test("an agent's first upload and a change of its model at once agree on one", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url, 10);
  for (let round = 0; round < 10; round++) {
    const { agentId } = await database.transaction((session) => makeClient(session));
    await Promise.all([
      upload(crowd, agentId, "First", { chunks: [chunk("Apples.")] }),
      change(database, "agents", agentId, { embedding_model: "test/two" }),
      upload(crowd, agentId, "Second", { chunks: [chunk("Pears.")] }),
    ]);
    const [state] = await database.query<Record<string, unknown>>(
      `select a.embedding_model as wanted, k.embedding_model as answers, s.embedding_model as built from public.agents a
         join public.agent_knowledge k on k.agent_id = a.id left join public.embedding_sets s on s.agent_id = a.id where a.id = $1`,
      [agentId],
    );
    assertEquals(state!.wanted, "test/two");
    assertEquals(state!.built, state!.answers === "test/two" ? null : "test/two");
  }
});
