import { assert, assertEquals } from "@std/assert";
import { connect, type Session } from "../../local/database.ts";
import { type Begun, chunk, learn, oneUpload } from "../sql/documents.ts";
import { makeClient, sha256 } from "../sql/turns.ts";
import { openDatabase } from "../support/database.ts";
import { atOnce, type Crowd, gather, tally, waiting } from "./crowd.ts";

interface Work {
  id: string;
  lease: string;
  owner_id: string;
}

const begin = async (crowd: Crowd, agentId: string, title: string, args: Record<string, unknown> = {}) =>
  (await crowd.call<Begun[]>(
    "public.store_documents",
    oneUpload({
      agent_id: agentId,
      title,
      mime_type: "text/plain",
      content_hash: await sha256(title),
      size_bytes: title.length,
      embedding_model: "test/one",
      ...args,
    }),
  ))[0]!;

const store = (
  crowd: Crowd,
  { document_id, lease }: { document_id: string; lease: string },
  text: string,
  args = {},
) =>
  crowd.call<{ outcome: string }>("public.store_chunks", {
    document_id,
    lease,
    from_index: 0,
    chunks: JSON.stringify([chunk(text)]),
    language: "en",
    done: true,
    ...args,
  });

const count = async (session: Session, what: string) =>
  (await session.query<{ n: number }>(`select count(*)::integer as n from ${what}`))[0]!.n;

Deno.test("the same content sent many times at once is one document", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  const client = await database.transaction((session) => makeClient(session));
  for (const [round, args] of [{}, { source: "a.txt" }, { file_base64: btoa("x") }].entries()) {
    const answers = await atOnce(40, () => begin(crowd, client.agentId, `Same ${round}`, args));
    assertEquals(tally(answers.map(({ outcome }) => outcome)), { created: 1, deduplicated: 39 });
    assertEquals(new Set(answers.map(({ document_id }) => document_id)).size, 1);
  }
  assertEquals(await count(database, "public.documents"), 3);
});

Deno.test("of many uploads at once no more are taken than the plan has room for, over all agents of the owner", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  await database.query("update public.plans set documents = 10 where name = 'free'");
  for (let round = 0; round < 3; round++) {
    const [first, second] = await database.transaction(async (session) => {
      const client = await makeClient(session, { plan: "free" });
      return [client, await makeClient(session, { plan: "free", owner: client.ownerId })];
    });
    const answers = await atOnce(40, (n) => begin(crowd, (n % 2 ? first : second)!.agentId, `Document ${n}`));
    assertEquals(tally(answers.map(({ outcome }) => outcome)), { created: 10, refused: 30 });
  }
});

Deno.test("many versions of one source at once leave one, the last that was begun", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  const client = await database.transaction((session) => makeClient(session));
  for (let round = 0; round < 5; round++) {
    const source = `source ${round}`;
    const outcomes = await atOnce(20, async (n) => {
      const begun = await begin(crowd, client.agentId, `Version ${round}.${n}`, { source });
      return (await store(crowd, begun, `Version ${n}.`)).outcome;
    });
    assertEquals(outcomes.every((outcome) => outcome === "stored" || outcome === "lost"), true);
    assertEquals(await count(database, `public.documents where source = '${source}'`), 1);
  }
  assertEquals(await count(database, "public.document_chunks"), 5);
  assertEquals((await database.query("select chunks::integer from public.agent_knowledge"))[0], {
    chunks: 5,
  });
});

Deno.test("one batch sent many times at once is stored once", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  const client = await database.transaction((session) => makeClient(session));
  const begun = await begin(crowd, client.agentId, "A");
  for (let n = 0; n < 5; n++) {
    const answers = await atOnce(
      12,
      () => store(crowd, begun, `Page ${n}.`, { from_index: n, done: n === 4 }),
    );
    assertEquals(tally(answers.map(({ outcome }) => outcome)), { stored: 1, lost: 11 });
  }
  const [row] = await database.query("select chunk_count, status from public.documents");
  assertEquals([row, await count(database, "public.document_chunks")], [
    { chunk_count: 5, status: "ready" },
    5,
  ]);
});

Deno.test("many workers share what is due: no document is claimed twice, and no owner waits for another's pile", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  const clients = await database.transaction(async (
    session,
  ) => [await makeClient(session), await makeClient(session), await makeClient(session)]);
  const piles = [40, 4, 4];
  for (const [at, client] of clients.entries()) {
    await atOnce(piles[at]!, async (n) => {
      const begun = await begin(crowd, client.agentId, `Document ${at}.${n}`);
      await crowd.call("public.finish_work", {
        kind: "documents",
        id: begun.document_id,
        lease: begun.lease,
      });
    });
  }
  const order: Work[] = [];
  await atOnce(6, async (worker) => {
    while (true) {
      const works = await crowd.call<Work[]>("public.claim_work", {
        max_items: 1 + worker % 2,
        lease_seconds: 3600,
      });
      if (works.length === 0) return;
      order.push(...works);
      for (const { id, lease } of works) await store(crowd, { document_id: id, lease }, "Words.");
    }
  });
  assertEquals([order.length, new Set(order.map(({ id }) => id)).size], [48, 48]);
  const small = order.flatMap(({ owner_id }, at) => owner_id === clients[0]!.ownerId ? [] : [at]);
  assert(
    Math.max(...small) < 24,
    `the last of the small piles was served as number ${Math.max(...small) + 1}`,
  );
});

Deno.test("a search while a document is replaced finds exactly one version of it", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  const client = await database.transaction(async (session) => {
    const made = await makeClient(session);
    await learn(session, made, ["Apples, version 0."], { source: "a.txt" });
    return made;
  });
  let isReplacing = true;
  const replace = async () => {
    for (let n = 1; n <= 25; n++) {
      const begun = await begin(crowd, client.agentId, `Version ${n}`, { source: "a.txt" });
      await store(crowd, begun, `Apples, version ${n}.`, { done: false });
      await store(crowd, begun, `Pears, version ${n}.`, { from_index: 1 });
    }
    isReplacing = false;
  };
  let searches = 0;
  const search = async () => {
    while (isReplacing) {
      const found = await database.query<{ content: string }>(
        "select content from public.match_documents($1, 'apples', '[1,1,1,1]', 5, 0, embedding_model => 'test/one') where content like 'Apples%'",
        [client.agentId],
      );
      assertEquals(found.length, 1);
      searches++;
    }
  };
  await Promise.all([replace(), search(), search(), search()]);
  assert(searches > 25, `${searches} searches`);
});

Deno.test("deleting, replacing, retrying and giving up at once end without a deadlock", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  const client = await database.transaction((session) => makeClient(session));
  const agent_id = client.agentId;
  for (let round = 0; round < 10; round++) {
    const old = await begin(crowd, agent_id, `Old ${round}`, { source: "a.txt" });
    await store(crowd, old, "Old.");
    const next = await begin(crowd, agent_id, `New ${round}`, { source: "a.txt" });
    const gone = { code: "x", message: "x", retryable: false };
    await Promise.all([
      store(crowd, next, "New."),
      crowd.call("public.delete_document", { agent_id, document_id: old.document_id }),
      crowd.call("public.finish_work", {
        kind: "documents",
        id: next.document_id,
        lease: next.lease,
        error: gone,
      }),
      crowd.call("public.retry_document", { agent_id, document_id: next.document_id }),
      begin(crowd, agent_id, `Newer ${round}`, { source: "a.txt" }),
      crowd.call("public.delete_document", { agent_id, document_id: next.document_id }),
      crowd.call("public.claim_work", { max_items: 5 }),
      database.query("select private.fail_exhausted_documents(now() + interval '1 hour')"),
    ]);
  }
  const [known] = await database.query(
    `select coalesce((select chunks from public.agent_knowledge), 0)::integer = (select count(*) from public.document_chunks c
       join public.documents d on d.id = c.document_id where d.status = 'ready')::integer as balanced`,
  );
  assertEquals(known, { balanced: true });
});

// Somebody holds what the two need next, until both wait: so they meet in the order that is the dangerous one.
Deno.test("a document that is deleted just while its next version replaces it is gone, without a deadlock", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url, 10);
  const client = await database.transaction((session) => makeClient(session));
  const old = await database.transaction((session) => learn(session, client, ["Old."], { source: "a.txt" }));
  const next = await begin(crowd, client.agentId, "New", { source: "a.txt" });
  const holder = await connect({ url: database.url! });
  const both = await holder.transaction(async (held) => {
    await held.query("select from public.chunk_terms where document_id = $1 for update", [old]);
    const replacing = store(crowd, next, "New.");
    await waiting(database, 1);
    const deleting = crowd.call("public.delete_document", { agent_id: client.agentId, document_id: old });
    await waiting(database, 2);
    return () => Promise.all([replacing, deleting]);
  });
  const [stored, deleted] = await both();
  assertEquals<unknown>([stored.outcome, deleted], ["stored", null]);
  await holder.close();
  assertEquals(await count(database, "public.documents"), 1);
});

Deno.test("a search that began before a document was replaced still finds the version of its beginning", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url, 10);
  const client = await database.transaction((session) => makeClient(session));
  await database.transaction((session) => learn(session, client, ["Apples, old."], { source: "a.txt" }));
  const next = await begin(crowd, client.agentId, "New", { source: "a.txt" });
  const holder = await connect({ url: database.url! });
  const found = await holder.transaction(async (held) => {
    await held.query("lock table public.document_chunks in access exclusive mode");
    const search = database.query<{ content: string }>(
      "select content from public.match_documents($1, 'apples')",
      [
        client.agentId,
      ],
    );
    await waiting(database, 1);
    await held.query("select public.store_chunks($1, $2, 0, $3, 'en', done => true)", [
      next.document_id,
      next.lease,
      JSON.stringify([chunk("Apples, new.")]),
    ]);
    return () => search;
  });
  assertEquals((await found()).map(({ content }) => content), ["Apples, old."]);
  await holder.close();
});
