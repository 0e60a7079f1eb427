import { assertEquals } from "@std/assert";
import { begin, changeModel, chunk, learn, type Passage, row, store } from "./documents.ts";
import { refusal } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { call, everything, makeClient } from "./turns.ts";

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

rolledBack("of two vectors of a chunk, that of the model that answers is taken over", async (session) => {
  const client = await makeClient(session);
  await learn(session, client, ["Kept."], { source: "a.txt" });
  await changeModel(session, client, "test/two", [2, 1]);
  const next = await begin(session, client, "New", { source: "a.txt" });
  assertEquals([next.embedding_model, next.reusable], ["test/two", ["Kept."]]);
  await store(session, next, [{ content: "Kept.", embedding: null }]);
  const vectors = await session.query(
    "select embedding::text as vector, embedding_model as model from public.document_chunks where document_id = $1",
    [next.document_id],
  );
  assertEquals(vectors, [{ vector: "[2,1]", model: "test/two" }]);
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
