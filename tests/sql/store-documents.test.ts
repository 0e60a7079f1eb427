import { assert, assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { type Begun, chunk, learn, type Passage } from "./documents.ts";
import { refusal } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { call, change, type Client, everything, makeClient, sha256 } from "./turns.ts";

/** An upload whose content is its passages; without any its chunks are to follow. */
const upload = async (
  title: string,
  passages: (string | Passage)[] | null,
  more: Record<string, unknown> = {},
) => ({
  title,
  mime_type: "text/plain",
  content_hash: await sha256(JSON.stringify(passages ?? title)),
  size_bytes: 1,
  file_base64: btoa(title),
  detected_language: "en",
  ...(passages ? { chunks: passages.map(chunk) } : {}),
  ...more,
});

const keep = async (
  session: Session,
  { agentId }: Client,
  uploads: Promise<Record<string, unknown>>[],
  embedding_model = "test/one",
): Promise<Begun[]> =>
  await call<Begun[]>(session, "public.store_documents", {
    agent_id: agentId,
    embedding_model,
    documents: JSON.stringify(await Promise.all(uploads)),
  });

const found = async (session: Session, { agentId }: Client, query: string) =>
  (await session.query<{ content: string }>("select content from public.match_documents($1, $2)", [
    agentId,
    query,
  ]))
    .map(({ content }) => content).sort();

rolledBack("documents that come with their vectors can be found after one call", async (session) => {
  const client = await makeClient(session, { agent: { language: "fr" } });
  const kept = await keep(session, client, [
    upload("One", ["Red apples.", "Green apples."]),
    upload("Two", ["Yellow apples."], { detected_language: null }),
    upload("Three", null),
  ]);
  assertEquals(kept.map(({ outcome, chunks, tokens }) => [outcome, chunks, tokens]), [
    ["stored", 2, 4],
    ["stored", 1, 2],
    ["created", 0, 0],
  ]);
  assertEquals(await found(session, client, "apples"), ["Green apples.", "Red apples.", "Yellow apples."]);
  const rows = await session.query(
    `select d.title, d.status, d.progress, d.language, d.lease is null as free, f.content is not null as kept
     from public.documents d join public.document_files f on f.document_id = d.id order by d.title`,
  );
  assertEquals(rows, [
    { title: "One", status: "ready", progress: 1, language: "en", free: true, kept: true },
    { title: "Three", status: "processing", progress: 0, language: null, free: false, kept: true },
    { title: "Two", status: "ready", progress: 1, language: "fr", free: true, kept: true },
  ]);
  const [known] = await session.query("select chunks::integer, languages from public.agent_knowledge");
  assertEquals(known, { chunks: 3, languages: ["en", "fr"] });
});

rolledBack("the same chunks are stored in one call as in many", async (session) => {
  const [together, alone] = [await makeClient(session), await makeClient(session)];
  const passages = (n: number) => [`Passage ${n} about pears.`, `And ${n} about plums.`];
  await keep(session, together, [0, 1, 2].map((n) => upload(`Title ${n}`, passages(n))));
  for (const n of [0, 1, 2]) await learn(session, alone, passages(n), { title: `Title ${n}` });
  const stored = (client: Client) =>
    session.query(
      `select d.title, d.status, d.chunk_count, d.token_count::integer, c.chunk_index, c.content, c.tokens, c.embedding::text as vector,
         (select json_agg(array[t.lexeme, p::text] order by t.lexeme, p) from public.chunk_terms t, unnest(t.postings) p
          where t.document_id = d.id and p >> 12 = c.chunk_index) as terms
       from public.documents d join public.document_chunks c on c.document_id = d.id where d.agent_id = $1
       order by d.title, c.chunk_index`,
      [client.agentId],
    );
  const rows = await stored(together);
  assertEquals(rows.length, 6);
  assertEquals(rows, await stored(alone));
});

rolledBack("each is decided as if it came alone: known, refused, replacing", async (session) => {
  const client = await makeClient(session, { plan: "free" });
  await session.query("update public.plans set documents = 3 where name = 'free'");
  const old = await learn(session, client, ["Old prices."], { title: "Old", source: "prices" });
  const kept = await keep(session, client, [
    upload("One", ["First."]),
    upload("Again", ["First."]),
    upload("Prices", ["New prices."], { source: "prices" }),
    upload("Two", ["Second."]),
    upload("Three", ["Third."]),
    upload("Prices", ["Newest prices."], { source: "prices" }),
    upload("Four", null),
  ]);
  assertEquals(kept.map(({ outcome }) => outcome), [
    "stored",
    "deduplicated",
    "stored",
    "stored",
    "refused",
    "stored",
    "refused",
  ]);
  assertEquals(kept[1]!.document_id, kept[0]!.document_id);
  assertEquals([kept[2]!.replaces, kept[5]!.replaces], [old, kept[2]!.document_id]);
  assertEquals([kept[4]!.limit, kept[4]!.used], [3, 3]);
  assertEquals(await found(session, client, "prices"), ["Newest prices."]);
  assertEquals((await session.query("select from public.documents")).length, 3);
});

rolledBack(
  "vectors of another model than the agent's are not stored: the caller gets the lease and the right name",
  async (session) => {
    const client = await makeClient(session);
    await learn(session, client, ["Apples."]);
    const [kept] = await keep(
      session,
      client,
      [upload("Pears", [{ content: "Pears.", embedding: [1, 2] }])],
      "test/two",
    );
    assertEquals([kept!.outcome, kept!.embedding_model], ["created", "test/one"]);
    assertEquals(await session.query("select count(*)::integer as chunks from public.document_chunks"), [{
      chunks: 1,
    }]);
  },
);

rolledBack("a full plan refuses an agent's first document and decides nothing about it", async (session) => {
  const owner = await makeClient(session, { plan: "free" });
  await session.query("update public.plans set documents = 1 where name = 'free'");
  await learn(session, owner, ["One."]);
  const client = { ...owner, ...await makeClient(session, { plan: "free", owner: owner.ownerId }) };
  const before = await everything(session);
  const [kept] = await keep(session, client, [upload("Two", ["Two."])]);
  assertEquals(kept!.outcome, "refused");
  assertEquals(await everything(session), before);
});

rolledBack(
  "one senseless document among others refuses the call, and nothing of it is stored",
  async (session) => {
    const client = await makeClient(session);
    await learn(session, client, ["Apples."]);
    const before = await everything(session);
    const senseless: Record<string, unknown>[] = [
      { title: "" },
      { chunks: [] },
      { chunks: [{ ...chunk("Pears."), tokens: 0 }] },
      { chunks: [{ ...chunk("Pears."), embedding: "soup" }] },
      { chunks: [chunk({ content: "Pears.", embedding: [1, 2] })] },
      { chunks: Array.from({ length: 401 }, () => chunk("Pears.")) },
      { chunks: "soup" },
      { size_bytes: "soup" },
    ];
    for (const bad of senseless) {
      const call = keep(session, client, [upload("Good", ["Plums."]), upload("Bad", ["Pears."], bad)]);
      assertEquals(await refusal(call), "PT422 validation_failed", JSON.stringify(bad).slice(0, 60));
    }
    const missing = keep(session, client, [upload("Bad", [{ content: "Pears.", embedding: null }])]);
    assertEquals(await refusal(missing), "PT409 conflict");
    for (const documents of [null, "{}", "[]", JSON.stringify(Array.from({ length: 201 }, () => ({})))]) {
      const args = { agent_id: client.agentId, embedding_model: "test/one", documents };
      assertEquals(await refusal(call(session, "public.store_documents", args)), "PT422 validation_failed");
    }
    assertEquals(await everything(session), before);
    await change(session, "agents", client.agentId, { deleted_at: "2026-11-01" });
    assert((await refusal(keep(session, client, [upload("Good", ["Plums."])])))?.startsWith("PT404"));
  },
);
