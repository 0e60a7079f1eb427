import { assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { begin, type Begun, finish, learn, row, store } from "./documents.ts";
import { refusal } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { call, change, everything, makeClient } from "./turns.ts";

const titles = (session: Session) =>
  session.query<{ title: string }>(
    "select title from public.documents where deleted_at is null order by title",
  )
    .then((rows) => rows.map(({ title }) => title));

const setLimit = (session: Session, documents: number) =>
  session.query("update public.plans set documents = $1 where name = 'free'", [documents]);

rolledBack(
  "an upload is kept, leased to its caller, and fixes the agent's embedding model",
  async (session) => {
    const client = await makeClient(session, { agent: { language: "en" } });
    const begun = await begin(session, client, "Returns", {
      source: "returns.txt",
      category: "policy",
      metadata: { by: "Ann" },
      file_base64: btoa("returns"),
      api_key_id: client.keyId,
      created_by: client.ownerId,
    });
    assertEquals({ ...begun, document_id: "", lease: "" }, {
      outcome: "created",
      document_id: "",
      lease: "",
      embedding_model: "test/one",
      language: null,
      agent_language: "en",
      replaces: null,
      chunks: 0,
      tokens: 0,
      reusable: [],
    });
    const stored = (await row(session, begun.document_id))!;
    assertEquals([stored.status, stored.lease, stored.attempts, stored.chunk_count], [
      "processing",
      begun.lease,
      1,
      0,
    ]);
    assertEquals([stored.source, stored.category, stored.metadata], ["returns.txt", "policy", { by: "Ann" }]);
    assertEquals([stored.api_key_id, stored.created_by], [client.keyId, client.ownerId]);
    const file = await call(session, "public.document_file", { document_id: begun.document_id });
    assertEquals(file, {
      mime_type: "text/plain",
      title: "Returns",
      size: 7,
      file_base64: btoa("returns"),
      file_path: null,
    });
    const second = await begin(session, client, "Other", { embedding_model: "test/two" });
    assertEquals(second.embedding_model, "test/one");
  },
);

rolledBack("the same content again is deduplicated and changes nothing", async (session) => {
  const client = await makeClient(session);
  const ready = await learn(session, client, ["One passage.", "Two."], { title: "A", source: "a.txt" });
  const open = await begin(session, client, "B");
  const before = await everything(session);
  const again = await begin(session, client, "A again", { content: "A" });
  assertEquals(
    again,
    { outcome: "deduplicated", document_id: ready, status: "ready", chunks: 2, tokens: 3 } as Begun,
  );
  assertEquals((await begin(session, client, "A", { source: "a.txt" })).outcome, "deduplicated");
  const running = await begin(session, client, "B");
  assertEquals([running.outcome, running.document_id, running.status], [
    "deduplicated",
    open.document_id,
    "processing",
  ]);
  assertEquals(await everything(session), before);
});

rolledBack(
  "the same content under another source, or of another agent, is another document",
  async (session) => {
    const [client, other] = [await makeClient(session), await makeClient(session)];
    const first = await begin(session, client, "A", { source: "a.txt" });
    const second = await begin(session, client, "A", { source: "b.txt" });
    const third = await begin(session, other, "A", { source: "a.txt" });
    assertEquals([first, second, third].map(({ outcome }) => outcome), ["created", "created", "created"]);
  },
);

rolledBack(
  "a plan's documents count over all agents of an owner, and a refusal stores nothing",
  async (session) => {
    await setLimit(session, 2);
    const client = await makeClient(session, { plan: "free" });
    const sibling = await makeClient(session, { plan: "free", owner: client.ownerId });
    await begin(session, client, "A");
    await learn(session, sibling, ["B."], { title: "B" });
    const before = await everything(session);
    const refused = await begin(session, client, "C");
    assertEquals(refused, { outcome: "refused", code: "quota_exceeded", limit: 2, used: 2 } as Begun);
    assertEquals(await everything(session), before);
    assertEquals((await begin(session, await makeClient(session, { plan: "free" }), "C")).outcome, "created");
  },
);

rolledBack(
  "at the limit a document can still be replaced, and the two count once, whatever happens to the old one",
  async (session) => {
    await setLimit(session, 1);
    const client = await makeClient(session, { plan: "free" });
    const old = await learn(session, client, ["Old."], { source: "a.txt", file_path: "o/a/1" });
    const next = await begin(session, client, "New", { source: "a.txt" });
    assertEquals([next.outcome, next.replaces], ["created", old]);
    assertEquals((await begin(session, client, "Other")).outcome, "refused");
    await call(session, "public.delete_document", { agent_id: client.agentId, document_id: old });
    assertEquals((await begin(session, client, "Other")).outcome, "refused");
    assertEquals((await store(session, next, ["New."], { done: true })).outcome, "stored");
    assertEquals(await titles(session), ["New"]);
  },
);

rolledBack("what a refused upload would have replaced stays", async (session) => {
  const client = await makeClient(session, { plan: "free" });
  const failed = await begin(session, client, "A");
  await finish(session, { id: failed.document_id, lease: failed.lease }, { code: "x", retryable: false }, 0);
  await begin(session, client, "B");
  await begin(session, client, "C");
  await setLimit(session, 1);
  const before = await everything(session);
  assertEquals((await begin(session, client, "A")).outcome, "refused");
  assertEquals(await everything(session), before);
  await setLimit(session, 3);
  assertEquals((await begin(session, client, "A")).outcome, "created");
  assertEquals(await titles(session), ["A", "B", "C"]);
});

rolledBack("a hidden agent and one that never was take no document", async (session) => {
  const client = await makeClient(session);
  await change(session, "agents", client.agentId, { deleted_at: "2026-11-01" });
  assertEquals(await refusal(begin(session, client, "A")), "PT404 not_found");
  const nobody = { ...client, agentId: crypto.randomUUID() };
  assertEquals(await refusal(begin(session, nobody, "A")), "PT404 not_found");
});

rolledBack("a senseless upload raises and stores nothing", async (session) => {
  const client = await makeClient(session);
  const before = await everything(session);
  const senseless: Record<string, unknown[]> = {
    title: [null, "", "x".repeat(501)],
    source: ["", "x".repeat(2001)],
    category: ["", "x".repeat(101)],
    language: ["french"],
    mime_type: [null],
    content_hash: [null, "abc"],
    size_bytes: [null, -1],
    embedding_model: [null],
    metadata: ["[]", { text: "x".repeat(25_000) }],
    file_base64: ["?"],
    lease_seconds: [null, 0, -1, 3601],
  };
  for (const [name, values] of Object.entries(senseless)) {
    for (const bad of values) {
      const said = await refusal(begin(session, client, "A", { [name]: bad }));
      assertEquals(said, "PT422 validation_failed", `${name} = ${String(bad).slice(0, 30)}`);
    }
  }
  assertEquals(await everything(session), before);
});

rolledBack("the newest upload of a source wins: an older one under way loses its lease", async (session) => {
  const client = await makeClient(session);
  const first = await begin(session, client, "First", { source: "a.txt" });
  await store(session, first, ["Half."]);
  const second = await begin(session, client, "Second", { source: "a.txt" });
  assertEquals((await store(session, first, ["more."], { from_index: 1 })).outcome, "lost");
  assertEquals(
    (await finish(session, { id: first.document_id, lease: first.lease }, null, 0)).outcome,
    "lost",
  );
  assertEquals((await store(session, second, ["All."], { done: true })).outcome, "stored");
  assertEquals(await titles(session), ["Second"]);
  assertEquals((await session.query("select from public.document_chunks")).length, 1);
});

rolledBack(
  "the earlier content sent again under its source wins over a change still under way",
  async (session) => {
    const client = await makeClient(session);
    const old = await learn(session, client, ["Old."], { title: "Old", source: "a.txt" });
    const next = await begin(session, client, "New", { source: "a.txt" });
    const again = await begin(session, client, "Old", { source: "a.txt" });
    assertEquals([again.outcome, again.document_id], ["deduplicated", old]);
    assertEquals((await store(session, next, ["New."], { done: true })).outcome, "lost");
    assertEquals(await titles(session), ["Old"]);
  },
);
