import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import type { Session } from "../../local/database.ts";
import { begin, type Begun, chunk, learn, type Passage, store } from "./documents.ts";
import { refusal } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { call, change, type Client, everything, makeClient } from "./turns.ts";

interface Work {
  id: string;
  agent_id: string;
  owner_id: string;
  lease: string;
  chunks: number;
  attempts: number;
  state: Record<string, unknown>;
  reusable: string[];
  [field: string]: unknown;
}

const noon = Date.parse("2030-01-01T12:00:00Z");
const at = (seconds: number) => new Date(noon + 1000 * seconds).toISOString();

const claim = (session: Session, seconds: number, max_items = 1) =>
  call<Work[]>(session, "public.claim_work", { max_items, lease_seconds: 60, as_of: at(seconds) });

const finish = (
  session: Session,
  { id, lease }: { id: string; lease: string },
  error: Record<string, unknown> | null,
  seconds: number,
) =>
  call<{ outcome: string; next_attempt_at: string }>(session, "public.finish_work", {
    kind: "documents",
    id,
    lease,
    error,
    as_of: at(seconds),
  });

const row = async (session: Session, id: string) =>
  (await session.query<Record<string, unknown>>("select * from public.documents where id = $1", [id]))[0];

const titles = (session: Session) =>
  session.query<{ title: string }>(
    "select title from public.documents where deleted_at is null order by title",
  )
    .then((rows) => rows.map(({ title }) => title));

/** A document that the upload left for the background, due at noon. */
async function queued(session: Session, client: Client, title: string): Promise<Begun> {
  const begun = await begin(session, client, title);
  await call(session, "public.finish_work", {
    kind: "documents",
    id: begun.document_id,
    lease: begun.lease,
    as_of: at(0),
  });
  return begun;
}

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
      file_base64: btoa("returns"),
      file_path: null,
    });
    const second = await begin(session, client, "Other", { embedding_model: "test/two" });
    assertEquals(second.embedding_model, "test/one");
  },
);

rolledBack("a large original comes back byte for byte", async (session) => {
  const client = await makeClient(session);
  const file_base64 = btoa("0123456789".repeat(50_000));
  const { document_id } = await begin(session, client, "Large", { file_base64 });
  const file = await call(session, "public.document_file", { document_id });
  assertEquals(file.file_base64, file_base64);
  assertEquals(
    await call(session, "public.document_file", { document_id: crypto.randomUUID() }),
    null as never,
  );
});

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
    metadata: [null, "[]", { text: "x".repeat(25_000) }],
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

rolledBack("batches append under the lease and the position, once", async (session) => {
  const client = await makeClient(session);
  const begun = await begin(session, client, "A");
  const state = { page: 3, overlap: "…" };
  const first = await store(session, begun, ["One.", "Two words."], {
    state,
    progress: 0.4,
    lease_seconds: 300,
  });
  assertEquals(first, { outcome: "stored", status: "processing", chunks: 2, tokens: 3 });
  const between = (await row(session, begun.document_id))!;
  assertEquals([between.status, between.state, between.progress, between.attempts, between.language], [
    "processing",
    state,
    0.4,
    0,
    "en",
  ]);
  const before = await everything(session);
  for (
    const args of [{ from_index: 0 }, { from_index: 1 }, { from_index: 3 }, {
      from_index: 2,
      lease: crypto.randomUUID(),
    }]
  ) {
    assertEquals(await store(session, begun, ["Three."], args), { outcome: "lost" } as never);
  }
  assertEquals(await everything(session), before);
  const last = await store(session, begun, ["Three."], { from_index: 2, done: true, state: { page: 9 } });
  assertEquals(last, { outcome: "stored", status: "ready", chunks: 3, tokens: 4 });
  const ready = (await row(session, begun.document_id))!;
  assertEquals([ready.status, ready.state, ready.progress, ready.lease, ready.leased_until], [
    "ready",
    {},
    1,
    null,
    null,
  ]);
  const chunks = await session.query(
    "select chunk_index, content, embedding_model from public.document_chunks order by 1",
  );
  assertEquals(chunks.map(({ chunk_index, content }) => [chunk_index, content]), [[0, "One."], [
    1,
    "Two words.",
  ], [2, "Three."]]);
  assertEquals((await store(session, begun, ["Four."], { from_index: 3 })).outcome, "lost");
});

rolledBack("an empty batch carries state, but a document needs a chunk", async (session) => {
  const client = await makeClient(session);
  const begun = await begin(session, client, "A");
  assertEquals((await store(session, begun, [], { state: { page: 2 } })).chunks, 0);
  assertEquals(await refusal(store(session, begun, [], { done: true })), "PT422 validation_failed");
  await store(session, begun, ["One."]);
  assertEquals((await store(session, begun, [], { from_index: 1, done: true })).status, "ready");
});

rolledBack("a senseless batch raises and stores nothing", async (session) => {
  const client = await makeClient(session);
  const begun = await begin(session, client, "A");
  await store(session, begun, ["One."]);
  const before = await everything(session);
  const senseless: Record<string, unknown>[] = [
    { document_id: null },
    { lease: null },
    { from_index: null },
    { chunks: null },
    { chunks: "{}" },
    { state: null },
    { state: "[]" },
    { progress: null },
    { progress: -0.1 },
    { progress: 1.1 },
    { done: null },
    { lease_seconds: null },
    { lease_seconds: 0 },
    { language: "english" },
  ];
  for (const field of ["content", "char_start", "char_end", "tokens", "hash"]) {
    senseless.push({ chunks: JSON.stringify([{ ...chunk("Two."), [field]: null }]) });
  }
  const broken: Record<string, unknown>[] = [{ content: "" }, { char_end: 0 }, { tokens: 0 }, { page: 0 }, {
    tokens: "many",
  }];
  for (const embedding of ["[]", "nonsense", "[1,null]", "[1e9,0,0,0]", "[1,1,1]"]) {
    broken.push({ embedding });
  }
  for (const fields of broken) senseless.push({ chunks: JSON.stringify([{ ...chunk("Two."), ...fields }]) });
  for (const args of senseless) {
    const said = await refusal(store(session, begun, ["Two."], { from_index: 1, ...args }));
    assertEquals(said, "PT422 validation_failed", JSON.stringify(args));
  }
  const foreign = { embedding: null, content: "Two." };
  assertEquals(await refusal(store(session, begun, [foreign], { from_index: 1 })), "PT409 conflict");
  const mixed: Passage[] = [{ content: "Two." }, { content: "Three.", embedding: [1, 2] }];
  assertEquals(await refusal(store(session, begun, mixed, { from_index: 1 })), "PT422 validation_failed");
  assertEquals(await everything(session), before);
});

rolledBack("vectors of one model have one size over all documents of an agent", async (session) => {
  const client = await makeClient(session);
  await learn(session, client, [{ content: "Four.", embedding: [1, 2, 3, 4] }]);
  const begun = await begin(session, client, "B");
  const said = await refusal(store(session, begun, [{ content: "Two.", embedding: [1, 2] }], { done: true }));
  assertEquals(said, "PT422 validation_failed");
  const other = await makeClient(session);
  await learn(session, other, [{ content: "Two.", embedding: [1, 2] }]);
});

rolledBack(
  "a changed document replaces the one of its source at once, and takes over the vectors of what stayed",
  async (session) => {
    const client = await makeClient(session);
    const old = await learn(session, client, [
      { content: "Kept.", embedding: [1, 2, 3, 4] },
      { content: "Changed.", embedding: [4, 3, 2, 1] },
    ], { source: "a.txt" });
    const next = await begin(session, client, "New", { source: "a.txt" });
    assertEquals([next.replaces, next.reusable.sort()], [old, ["Changed.", "Kept."]]);
    await store(session, next, [{ content: "Kept.", embedding: null }]);
    assertEquals((await row(session, old))!.status, "ready");
    await store(session, next, [{ content: "Different.", embedding: [1, 1, 1, 1] }], {
      from_index: 1,
      done: true,
    });
    assertEquals(await row(session, old), undefined);
    const chunks = await session.query(
      "select content, embedding::text as vector from public.document_chunks order by chunk_index",
    );
    assertEquals(chunks, [{ content: "Kept.", vector: "[1,2,3,4]" }, {
      content: "Different.",
      vector: "[1,1,1,1]",
    }]);
    assertEquals((await row(session, next.document_id))!.replaces, null);
    const [known] = await session.query("select chunks::integer, languages from public.agent_knowledge");
    assertEquals(known, { chunks: 2, languages: ["en"] });
  },
);

rolledBack("vectors of another model are not taken over", async (session) => {
  const client = await makeClient(session);
  await learn(session, client, ["Kept."], { source: "a.txt" });
  await change(session, "agents", client.agentId, { embedding_model: "test/two" });
  const next = await begin(session, client, "New", { source: "a.txt" });
  assertEquals([next.embedding_model, next.reusable], ["test/two", []]);
  assertEquals(
    await refusal(store(session, next, [{ content: "Kept.", embedding: null }])),
    "PT409 conflict",
  );
});

rolledBack(
  "when the replaced document is deleted meanwhile, its vectors are missed and the rest goes on",
  async (session) => {
    const client = await makeClient(session);
    const old = await learn(session, client, ["Kept."], { source: "a.txt" });
    const next = await begin(session, client, "New", { source: "a.txt" });
    await call(session, "public.delete_document", { agent_id: client.agentId, document_id: old });
    assertEquals(
      await refusal(store(session, next, [{ content: "Kept.", embedding: null }])),
      "PT409 conflict",
    );
    assertEquals((await store(session, next, ["Kept."], { done: true })).status, "ready");
  },
);

rolledBack("the language is the given one, else the detected one, else the agent's", async (session) => {
  const client = await makeClient(session, { agent: { language: "es" } });
  const languageOf = async (given: string | null, detected: string | null) => {
    const id = await learn(session, client, ["Un pasaje."], {
      title: crypto.randomUUID(),
      language: detected,
    });
    if (given === null) return (await row(session, id))!.language;
    const begun = await begin(session, client, crypto.randomUUID(), { language: given });
    await store(session, begun, ["Un pasaje."], { language: detected, done: true });
    return (await row(session, begun.document_id))!.language;
  };
  assertEquals(await languageOf("de", "fr"), "de");
  assertEquals(await languageOf(null, "fr"), "fr");
  assertEquals(await languageOf(null, null), "es");
});

rolledBack("work is claimed when it is due, by one, until its lease runs out", async (session) => {
  const client = await makeClient(session);
  const begun = await queued(session, client, "A");
  await store(session, { ...begun, lease: (await claim(session, 0))[0]!.lease }, ["One."], {
    state: { page: 2 },
    lease_seconds: 1,
  });
  await session.query("update public.documents set leased_until = $1", [at(60)]);
  assertEquals(await claim(session, 59), []);
  const [work] = await claim(session, 60);
  assertEquals({ ...work, lease: "" }, {
    id: begun.document_id,
    agent_id: client.agentId,
    owner_id: client.ownerId,
    lease: "",
    title: "A",
    mime_type: "text/plain",
    language: "en",
    agent_language: "fr",
    embedding_model: "test/one",
    state: { page: 2 },
    chunks: 1,
    attempts: 1,
    file_path: null,
    reusable: [],
  });
  assertEquals(await claim(session, 60), []);
});

rolledBack("one owner after the other is served, also when they are claimed one by one", async (session) => {
  const [ann, bob, eve] = [await makeClient(session), await makeClient(session), await makeClient(session)];
  for (const title of ["1", "2", "3"]) await queued(session, ann, `ann ${title}`);
  const sibling = await makeClient(session, { owner: ann.ownerId });
  await queued(session, sibling, "ann 4");
  for (const title of ["1", "2"]) await queued(session, bob, `bob ${title}`);
  await queued(session, eve, "eve 1");
  const owners = (works: Work[]) => works.map(({ title }) => String(title).split(" ")[0]);
  await session.exec("savepoint together");
  const together = owners(await claim(session, 1, 7));
  assertEquals([...together].sort(), ["ann", "ann", "ann", "ann", "bob", "bob", "eve"]);
  await session.exec("rollback to savepoint together");
  const oneByOne: (string | undefined)[] = [];
  for (let n = 0; n < 7; n++) {
    const [work] = await claim(session, 1 + n);
    oneByOne.push(...owners([work!]));
    await store(session, { document_id: work!.id, lease: work!.lease }, ["Done."], { done: true });
  }
  assertEquals(new Set(oneByOne.slice(0, 3)).size, 3);
  assertEquals(oneByOne.slice(3, 5).sort(), ["ann", "bob"]);
  assertEquals(oneByOne.slice(5), ["ann", "ann"]);
});

rolledBack("a claim takes no more than it asks for, and each owner's share of it", async (session) => {
  const [ann, bob] = [await makeClient(session), await makeClient(session)];
  for (const title of ["1", "2", "3", "4"]) await queued(session, ann, `ann ${title}`);
  await queued(session, bob, "bob 1");
  const works = await claim(session, 1, 2);
  assertEquals(new Set(works.map(({ owner_id }) => owner_id)).size, 2);
});

rolledBack("documents of a hidden agent are not worked on", async (session) => {
  const client = await makeClient(session);
  const begun = await queued(session, client, "A");
  await change(session, "agents", client.agentId, { deleted_at: "2026-11-01" });
  assertEquals(await claim(session, 1), []);
  assertEquals((await store(session, begun, ["One."])).outcome, "lost");
});

rolledBack(
  "released work is due at once; work that stumbled waits longer each time and fails at the fifth",
  async (session) => {
    const client = await makeClient(session);
    const begun = await begin(session, client, "A");
    const released = await finish(session, { id: begun.document_id, lease: begun.lease }, null, 0);
    assertEquals([released.outcome, Date.parse(released.next_attempt_at)], ["released", noon]);
    const stumbled = { code: "provider_failed", message: "It was busy.", retryable: true };
    let clock = 0;
    for (const attempt of [1, 2, 3, 4]) {
      const [work] = await claim(session, clock);
      assertEquals(work!.attempts, attempt);
      const { outcome, next_attempt_at } = await finish(session, work!, stumbled, clock);
      const wait = (Date.parse(next_attempt_at) - noon) / 1000 - clock;
      assertEquals(outcome, "retry");
      assert(
        wait >= 5 * 2 ** (attempt - 1) && wait <= 10 * 2 ** (attempt - 1),
        `waits ${wait} s after attempt ${attempt}`,
      );
      assertEquals(await claim(session, clock + Math.floor(wait) - 1), []);
      clock += Math.ceil(wait);
    }
    const [last] = await claim(session, clock);
    assertEquals((await finish(session, last!, stumbled, clock)).outcome, "failed");
    const failed = (await row(session, begun.document_id))!;
    assertEquals([failed.status, failed.error_code, failed.error_message], [
      "failed",
      "provider_failed",
      "It was busy.",
    ]);
    assertEquals(await claim(session, clock + 1e6), []);
  },
);

rolledBack("progress starts the count of attempts again", async (session) => {
  const client = await makeClient(session);
  const begun = await queued(session, client, "A");
  for (let n = 0; n < 8; n++) {
    const [work] = await claim(session, 100 * n);
    await store(session, { document_id: begun.document_id, lease: work!.lease }, [`Page ${n}.`], {
      from_index: n,
    });
    const { outcome } = await finish(session, work!, { code: "internal", retryable: true }, 100 * n);
    assertEquals(outcome, "retry");
  }
});

rolledBack("a fault for good fails at once, with its reason, and leaves no passage", async (session) => {
  const client = await makeClient(session);
  const begun = await begin(session, client, "A");
  await store(session, begun, ["One."]);
  const error = { code: "validation_failed", message: "The PDF is broken.", retryable: false };
  const ended = await finish(session, { id: begun.document_id, lease: begun.lease }, error, 0);
  assertEquals(ended.outcome, "failed");
  const failed = (await row(session, begun.document_id))!;
  assertEquals([
    failed.status,
    failed.chunk_count,
    failed.token_count,
    failed.progress,
    failed.state,
    failed.lease,
  ], [
    "failed",
    0,
    0,
    0,
    {},
    null,
  ]);
  assertEquals(await session.query("select from public.document_chunks"), []);
  assertEquals(await session.query("select from public.chunk_terms"), []);
  const nameless = await begin(session, client, "B");
  await finish(session, { id: nameless.document_id, lease: nameless.lease }, {}, 0);
  assertEquals((await row(session, nameless.document_id))!.error_code, "internal");
});

rolledBack(
  "a document whose worker dies every time is given up after the fifth, and not claimed before that",
  async (session) => {
    const client = await makeClient(session);
    const begun = await queued(session, client, "Killer");
    const giveUp = async (seconds: number) =>
      (await session.query<{ n: number }>("select private.fail_exhausted_documents($1) as n", [at(seconds)]))[
        0
      ]!.n;
    for (let n = 0; n < 5; n++) {
      assertEquals(await giveUp(61 * n), 0);
      assertEquals((await claim(session, 61 * n)).length, 1);
    }
    assertEquals(await claim(session, 61 * 5), []);
    assertEquals(await giveUp(61 * 4 + 59), 0);
    assertEquals(await giveUp(61 * 5), 1);
    const failed = (await row(session, begun.document_id))!;
    assertEquals([failed.status, failed.error_code, failed.lease], ["failed", "unavailable", null]);
  },
);

rolledBack("senseless claims and endings raise", async (session) => {
  const client = await makeClient(session);
  const begun = await begin(session, client, "A");
  for (
    const args of [{ kind: null }, { kind: "steps" }, { max_items: 0 }, { max_items: null }, {
      lease_seconds: 0,
    }, { as_of: null }]
  ) {
    assertEquals(
      await refusal(call(session, "public.claim_work", args)),
      "PT422 validation_failed",
      JSON.stringify(args),
    );
  }
  const ended = { kind: "documents", id: begun.document_id, lease: begun.lease };
  for (
    const args of [{ kind: "steps" }, { kind: null }, { error: '"x"' }, { error: { retryable: "yes" } }, {
      as_of: null,
    }]
  ) {
    const said = await refusal(call(session, "public.finish_work", { ...ended, ...args }));
    assertEquals(said, "PT422 validation_failed", JSON.stringify(args));
  }
  for (const args of [{ id: null }, { lease: null }, { lease: crypto.randomUUID() }]) {
    assertEquals(await call(session, "public.finish_work", { ...ended, ...args }), { outcome: "lost" });
  }
});

rolledBack(
  "a failed document can be tried again, only a failed one, only the agent's own",
  async (session) => {
    const [client, other] = [await makeClient(session), await makeClient(session)];
    const begun = await begin(session, client, "A");
    const retry = (whose: Client, document_id: string | null) =>
      call<{ outcome: string } | null>(session, "public.retry_document", {
        agent_id: whose.agentId,
        document_id,
      });
    assertEquals(await retry(client, begun.document_id), { outcome: "conflict" });
    await finish(session, { id: begun.document_id, lease: begun.lease }, { code: "x", retryable: false }, 0);
    assertEquals(await retry(other, begun.document_id), null);
    assertEquals([await retry(client, crypto.randomUUID()), await retry(client, null)], [null, null]);
    assertEquals(await retry(client, begun.document_id), { outcome: "queued" });
    assertEquals(await retry(client, begun.document_id), { outcome: "conflict" });
    const again = (await row(session, begun.document_id))!;
    assertEquals([again.status, again.error_code, again.attempts], ["queued", null, 0]);
    const [work] = await claim(session, 0);
    assertEquals(
      (await store(session, { document_id: work!.id, lease: work!.lease }, ["One."], { done: true })).status,
      "ready",
    );
  },
);

rolledBack("a failed document does not stand in the way of the same content sent again", async (session) => {
  const client = await makeClient(session);
  const begun = await begin(session, client, "A");
  await finish(session, { id: begun.document_id, lease: begun.lease }, { code: "x", retryable: false }, 0);
  const again = await begin(session, client, "A");
  assertEquals(again.outcome, "created");
  assertNotEquals(again.document_id, begun.document_id);
  assertEquals(await titles(session), ["A"]);
});

rolledBack(
  "deleting a document removes its passages and postings at once, and knows whose it is",
  async (session) => {
    const [client, other] = [await makeClient(session), await makeClient(session)];
    const id = await learn(session, client, ["One passage.", "Two."]);
    const kept = await learn(session, client, ["Three."], { file_path: "o/a/1" });
    const remove = (whose: Client, document_id: string) =>
      call<{ file_path: string | null } | null>(session, "public.delete_document", {
        agent_id: whose.agentId,
        document_id,
      });
    assertEquals(await remove(other, id), null);
    assertEquals(await remove(client, id), { file_path: null });
    assertEquals(await remove(client, id), null);
    assertEquals(await row(session, id), undefined);
    assertEquals((await session.query("select from public.document_chunks")).length, 1);
    assertEquals(await session.query("select from public.chunk_terms where document_id = $1", [id]), []);
    assertEquals((await session.query("select chunks::integer from public.agent_knowledge"))[0], {
      chunks: 1,
    });
    assertEquals(await remove(client, kept), { file_path: "o/a/1" });
    assertEquals((await session.query("select chunks::integer from public.agent_knowledge"))[0], {
      chunks: 0,
    });
    assertEquals(
      await call(session, "public.get_document", { agent_id: client.agentId, document_id: kept }),
      null as never,
    );
    assertEquals(await call<unknown[]>(session, "public.deleted_files"), [{
      document_id: kept,
      file_path: "o/a/1",
    }]);
  },
);

rolledBack("a document is shown to its agent as the contract says", async (session) => {
  const [client, other] = [await makeClient(session), await makeClient(session)];
  const id = await learn(session, client, ["One passage."], {
    title: "A",
    source: "a.txt",
    category: "policy",
  });
  const show = (whose: Client, document_id: string) =>
    call<Record<string, unknown> | null>(session, "public.get_document", {
      agent_id: whose.agentId,
      document_id,
    });
  const shown = await show(client, id);
  assertEquals({ ...shown, created_at: "" }, {
    document_id: id,
    title: "A",
    source: "a.txt",
    mime_type: "text/plain",
    category: "policy",
    language: "en",
    status: "ready",
    progress: 1,
    chunks: 1,
    tokens: 2,
    error: null,
    created_at: "",
  });
  assertEquals([await show(other, id), await show(client, crypto.randomUUID())], [null, null]);
  const failed = await begin(session, client, "B");
  await finish(session, { id: failed.document_id, lease: failed.lease }, { code: "x", message: "y" }, 0);
  assertEquals((await show(client, failed.document_id))!.error, { code: "x", message: "y" });
  await change(session, "agents", client.agentId, { deleted_at: "2026-11-01" });
  assertEquals(await show(client, id), null);
});

rolledBack(
  "documents are listed newest first, a page at a time, none twice and none left out",
  async (session) => {
    const [client, other] = [await makeClient(session), await makeClient(session)];
    for (let n = 0; n < 7; n++) await begin(session, client, `Document ${n}`);
    await begin(session, other, "Foreign");
    await learn(session, client, ["Ready."], { title: "Document 7" });
    const hidden = await learn(session, client, ["Hidden."], { title: "Hidden", file_path: "o/a/1" });
    await call(session, "public.delete_document", { agent_id: client.agentId, document_id: hidden });
    // Three of each moment, so that pages end between equal times.
    await session.query(
      `update public.documents d set created_at = timestamptz '2026-11-20 12:00:00.123456Z' + (n / 3) * interval '1 microsecond'
     from (select id, row_number() over (order by title) - 1 as n from public.documents) r where r.id = d.id`,
    );
    interface Page {
      documents: { document_id: string; title: string; created_at: string }[];
      next_cursor: string | null;
    }
    const list = (args: Record<string, unknown>) =>
      call<Page>(session, "public.list_documents", { agent_id: client.agentId, ...args });
    const whole = (await list({})).documents;
    assertEquals(whole.length, 8);
    assertEquals((await list({})).next_cursor, null);
    const order = whole.map(({ created_at, document_id }) => created_at + document_id);
    assertEquals(order, [...order].sort().reverse());
    for (const max_items of [1, 2, 3, 8]) {
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const page: Page = await list({ max_items, cursor });
        assert(page.documents.length <= max_items);
        seen.push(...page.documents.map(({ document_id }) => document_id));
        cursor = page.next_cursor;
      } while (cursor !== null);
      assertEquals(seen, whole.map(({ document_id }) => document_id), `${max_items} a page`);
    }
    assertEquals((await list({ status: "ready" })).documents.map(({ title }) => title), ["Document 7"]);
    for (
      const bad of [
        { max_items: 0 },
        { max_items: 201 },
        { max_items: null },
        { status: "gone" },
        { cursor: "" },
        { cursor: "1_x" },
        { cursor: `99999999999999999999_${crypto.randomUUID()}` },
        { cursor: "1_------------------------------------" },
      ]
    ) {
      assertEquals(await refusal(list(bad)), "PT422 validation_failed", JSON.stringify(bad));
    }
  },
);

rolledBack(
  "originals are kept in the table where there is no Storage, else in the bucket",
  async (session) => {
    assertEquals(await call<string>(session, "public.storage_mode"), "table");
    await session.exec(
      "create schema storage; create table storage.buckets (id text); grant usage on schema storage to service_role",
    );
    assertEquals(await call<string>(session, "public.storage_mode"), "bucket");
  },
);

// Whatever happens: what is counted is what is there, and nothing is there without its document.
type Event = ["upload" | "store" | "done" | "fail" | "retry" | "delete" | "claim" | "exhaust", number];
const events = fc.array(
  fc.tuple(
    fc.constantFrom<Event[0]>(
      "upload",
      "upload",
      "store",
      "done",
      "done",
      "fail",
      "retry",
      "delete",
      "claim",
      "exhaust",
    ),
    fc.nat(11),
  ),
  { minLength: 5, maxLength: 40 },
);

async function play(session: Session, client: Client, plan: Event[]): Promise<void> {
  const held = new Map<string, { document_id: string; lease: string; chunks: number }>();
  let clock = 0;
  for (const [event, n] of plan) {
    const [id, hold] = [...held][n % Math.max(1, held.size)] ?? [];
    if (event === "upload") {
      const args = {
        source: n % 3 ? `s${n % 3}` : undefined,
        content: `c${n}`,
        file_path: n % 2 ? `p/${n}` : undefined,
      };
      const begun = await begin(session, client, `Title ${n}`, args);
      if (begun.outcome === "created") held.set(begun.document_id, { ...begun, chunks: 0 });
    } else if (event === "claim") {
      for (const work of await claim(session, clock += 100, 2)) {
        held.set(work.id, { document_id: work.id, lease: work.lease, chunks: work.chunks });
      }
    } else if (event === "exhaust") {
      await session.query(
        "update public.documents set attempts = 5 where status = 'processing' and attempts < 5",
      );
      await session.query("select private.fail_exhausted_documents($1)", [at(clock += 100)]);
    } else if (hold === undefined) continue;
    else if (event === "store" || event === "done") {
      const passages = [`Passage ${n} about returns.`, "Another one."].slice(0, 1 + n % 2);
      const stored = await store(session, hold, passages, {
        from_index: hold.chunks,
        done: event === "done",
      });
      if (stored.outcome === "stored") hold.chunks = stored.chunks;
    } else if (event === "fail") {
      await finish(session, { id: id!, lease: hold.lease }, { code: "x", retryable: n % 2 === 0 }, clock);
    } else await call(session, `public.${event}_document`, { agent_id: client.agentId, document_id: id });
  }
}

rolledBack("in any order of events, what is counted is what is there", async (session) => {
  await fc.assert(
    fc.asyncProperty(events, async (plan) => {
      await session.exec("savepoint run");
      const client = await makeClient(session);
      await play(session, client, plan as Event[]);
      const wrong = await session.query(
        `select d.id, d.status, d.chunk_count, count(c.id) as stored, sum(c.tokens) as tokens, d.token_count
         from public.documents d left join public.document_chunks c on c.document_id = d.id group by d.id
         having d.chunk_count <> count(c.id) or (d.deleted_at is null and d.token_count <> coalesce(sum(c.tokens), 0))`,
      );
      assertEquals(wrong, [], "documents count their chunks");
      const [known] = await session.query(
        `select coalesce((select chunks from public.agent_knowledge), 0)::integer as counted,
           (select count(*) from public.document_chunks c join public.documents d on d.id = c.document_id
            where d.status = 'ready' and d.deleted_at is null)::integer as searchable`,
      );
      assertEquals(known!.counted, known!.searchable, "agent_knowledge counts what can be found");
      const strays = await session.query(
        `select t.document_id from public.chunk_terms t, unnest(t.postings) p
         where not exists (select from public.document_chunks c where c.document_id = t.document_id and c.chunk_index = p >> 12)
         union all select c.document_id from public.document_chunks c where not exists (
           select from public.chunk_terms t, unnest(t.postings) p where t.document_id = c.document_id and p >> 12 = c.chunk_index)`,
      );
      assertEquals(strays, [], "postings and chunks belong together");
      const twice = await session.query(
        `select source from public.documents where deleted_at is null and source is not null and status = 'ready'
         group by source having count(*) > 1`,
      );
      assertEquals(twice, [], "one ready document per source");
      await session.exec("rollback to savepoint run");
    }),
    { numRuns: 25, seed: 20261120 },
  );
});
