import { assert, assertEquals } from "@std/assert";
import { createHandler } from "../../../functions/ingest-document/handler.ts";
import { workFor } from "../../../functions/ingest-document/work.ts";
import { createDeps, type Deps } from "../../../shared/deps.ts";
import { readEnv } from "../../../shared/env.ts";
import { problem } from "../../../shared/errors.ts";
import { createLog } from "../../../shared/log.ts";
import type { Rpc } from "../../../shared/rpc.ts";
import { assertProblem, contents } from "../../support/security-suite.ts";
import { startStack } from "../../support/stack.ts";

const stack = await startStack();
Deno.test.afterAll(() => stack.close());

const variables: Record<string, string> = {
  SUPABASE_URL: stack.url,
  SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: stack.publishableKey }),
  SUPABASE_SECRET_KEYS: JSON.stringify({ default: stack.secretKey }),
};
const real = createDeps(readEnv({ get: (name) => variables[name] }));
// The agents' model is one of a provider, as far as ingestion knows: it is asked only for what is needed.
const sound: Deps = { ...real, embed: (_model, texts, options) => real.embed("local", texts, options) };

/** Dependencies with some replaced, and what was left running in the background. */
function faulty(replaced: { rpc?: Partial<Rpc>; embed?: Deps["embed"] }) {
  const running: Promise<unknown>[] = [];
  const deps: Deps = {
    env: sound.env,
    log: createLog(() => {}),
    rpc: { ...sound.rpc, ...replaced.rpc },
    rpcAs: sound.rpcAs,
    storage: sound.storage,
    embed: replaced.embed ?? sound.embed,
    resolveModel: sound.resolveModel,
    now: () => new Date(),
    background: (work) => void running.push(work),
  };
  return { deps, idle: () => Promise.allSettled(running) };
}

async function tenant() {
  const user = await stack.signUp();
  const agent = await stack.createAgent(user.token, { language: "en", embedding_model: "test/paid" });
  const { key } = await stack.createKey(user.token, agent.id, {
    scopes: ["ingest"],
    requests_per_minute: 10_000,
  });
  return { agentId: agent.id, key };
}

const ingest = (key: string, content: string, deps: Deps, more: Record<string, unknown> = {}) =>
  createHandler(deps)(
    new Request("http://functions/ingest-document", {
      method: "POST",
      headers: { "x-api-key": key, "content-type": "application/json" },
      body: JSON.stringify({ title: "Long", mime_type: "text/markdown", content, ...more }),
    }),
  );

/** Sections that differ, so that no two chunks have the same text. */
function longText(sections: number, word = "parcel"): string {
  const sentences = (section: number) =>
    Array.from(
      { length: 40 },
      (_, index) => `Rule ${section}.${index} says how a ${word} number ${section * 97 + index} travels.`,
    );
  return Array.from(
    { length: sections },
    (_, section) => `# Section ${section}\n\n${sentences(section).join(" ")}\n`,
  )
    .join("\n");
}

const stored = (documentId: string) =>
  stack.database.query<Record<string, unknown>>(
    `select chunk_index, content, heading, char_start, char_end, tokens, hash, embedding::text as embedding
     from public.document_chunks where document_id = $1 order by chunk_index, id`,
    [documentId],
  );
const postings = (documentId: string) =>
  stack.database.query(
    `select lexeme, p.posting from public.chunk_terms, unnest(postings) as p (posting)
     where document_id = $1 order by lexeme, p.posting`,
    [documentId],
  );
const statusOf = async (documentId: string) =>
  (await stack.database.query<Record<string, unknown>>(
    "select status, attempts, chunk_count, progress, error_code, next_attempt_at > now() as waits from public.documents where id = $1",
    [documentId],
  ))[0];
const makeDue = (documentId: string) =>
  stack.database.query(
    `update public.documents set next_attempt_at = now(),
       leased_until = case when lease is not null then now() - interval '1 second' end where id = $1`,
    [documentId],
  );

async function finish(documentId: string): Promise<void> {
  for (let rounds = 0; rounds < 50; rounds++) {
    await makeDue(documentId);
    await workFor(5_000, sound);
    if ((await statusOf(documentId))?.status === "ready") return;
  }
  throw new Error("the document does not become ready");
}

Deno.test("a long document is accepted with its place, and not searchable before it is complete", async () => {
  const { key, agentId } = await tenant();
  const held = Promise.withResolvers<void>();
  let calls = 0;
  const second = Promise.withResolvers<void>();
  const { deps, idle } = faulty({
    embed: async (model, texts, options) => {
      if (++calls > 1) {
        second.resolve();
        await held.promise;
      }
      return await sound.embed(model, texts, options);
    },
  });
  const response = await ingest(key, longText(132), deps);
  const { document_id, status } = await response.json();
  assertEquals([response.status, status], [202, "processing"]);
  assertEquals(response.headers.get("location"), `/functions/v1/ingest-document/${document_id}`);
  const found = () =>
    stack.database.query("select 1 from public.match_documents($1, 'rule parcel')", [agentId]);
  await second.promise;
  assertEquals(await found(), []);
  const [shown] = await stack.database.query<{ progress: number }>(
    "select progress from public.documents where id = $1",
    [document_id],
  );
  assert(shown!.progress > 0 && shown!.progress < 1);
  held.resolve();
  await idle();
  await finish(document_id);
  assert((await found()).length > 0);
});

Deno.test("a process killed anywhere loses no chunk and doubles none", async () => {
  const text = longText(132);
  const clean = await tenant();
  const { deps, idle } = faulty({});
  const { document_id: whole } = await (await ingest(clean.key, text, deps)).json();
  await idle();
  await finish(whole);
  const expected = await stored(whole);
  const expectedPostings = await postings(whole);
  assertEquals(expected.map(({ chunk_index }) => chunk_index), expected.map((_, index) => index));
  assert(expected.length > 256, `three batches are needed, not ${expected.length} chunks`);
  const dies = problem("unavailable", "the process was killed");
  // Before the n-th batch is sent, after it was stored but before the answer came, and while it was embedded.
  for (
    const [batch, when] of [[1, "before"], [1, "after"], [2, "before"], [2, "after"], [
      2,
      "embedding",
    ]] as const
  ) {
    const { key } = await tenant();
    let batches = 0, embeddings = 0;
    const killed = faulty({
      rpc: {
        storeChunks: async (args, options) => {
          batches++;
          if (batches === batch && when === "before") throw dies;
          const answer = await sound.rpc.storeChunks(args, options);
          if (batches === batch && when === "after") throw dies;
          return answer;
        },
        // A dead process reports nothing.
        finishWork: () => Promise.reject(dies),
      },
      embed: (model, texts, options) =>
        ++embeddings === batch && when === "embedding"
          ? Promise.reject(dies)
          : sound.embed(model, texts, options),
    });
    const { document_id } = await (await ingest(key, text, killed.deps)).json();
    await killed.idle();
    assertEquals((await statusOf(document_id))!.status, "processing");
    await finish(document_id);
    assertEquals(await stored(document_id), expected, `killed ${when} batch ${batch}`);
    assertEquals(await postings(document_id), expectedPostings, `killed ${when} batch ${batch}`);
  }
});

Deno.test("two processes that work on the same document store it once", async () => {
  const { key } = await tenant();
  const text = longText(132);
  // The first process is slow: its lease runs out while it embeds, and a second one takes over.
  let took = false;
  const slow = faulty({
    embed: async (model, texts, options) => {
      if (!took) {
        took = true;
        const [row] = await stack.database.query<{ id: string }>(
          "update public.documents set leased_until = now() - interval '1 second' where status = 'processing' returning id",
        );
        await workFor(5_000, sound);
        assert(row !== undefined);
      }
      return await sound.embed(model, texts, options);
    },
  });
  const { document_id } = await (await ingest(key, text, slow.deps)).json();
  await slow.idle();
  await finish(document_id);
  const indexes = (await stored(document_id)).map(({ chunk_index }) => chunk_index);
  assertEquals(indexes, indexes.map((_, index) => index));
});

Deno.test("a model that fails leaves the document queued with a growing wait, and it becomes ready later", async () => {
  const { key } = await tenant();
  const failing = faulty({ embed: () => Promise.reject(problem("provider_failed", "The model failed")) });
  const response = await ingest(key, "A short text.", failing.deps);
  const { document_id, status } = await response.json();
  assertEquals([response.status, status], [202, "queued"]);
  const row = await statusOf(document_id);
  assertEquals([row!.status, row!.waits, row!.chunk_count], ["queued", true, 0]);
  await finish(document_id);
  assertEquals((await stored(document_id)).length, 1);
});

Deno.test("a model that fails five times fails the document with a reason and without chunks", async () => {
  const { key } = await tenant();
  const failing = faulty({
    embed: () => Promise.reject(problem("provider_failed", "sb_secret_x refused the text")),
  });
  const { document_id } = await (await ingest(key, "Another short text.", failing.deps)).json();
  for (let attempt = 2; attempt <= 5; attempt++) {
    await makeDue(document_id);
    assertEquals(await workFor(5_000, failing.deps), { done: 0, failed: 1, more: false });
  }
  const [row] = await stack.database.query(
    "select status, error_code, error_message, chunk_count from public.documents where id = $1",
    [document_id],
  );
  assertEquals(row, {
    status: "failed",
    error_code: "provider_failed",
    error_message: "The model provider failed",
    chunk_count: 0,
  });
  assertEquals(await stored(document_id), []);
});

Deno.test("a model without a key refuses the document and stores nothing", async () => {
  const { key } = await tenant();
  const before = await contents(stack);
  const missing = faulty({
    embed: () => Promise.reject(problem("provider_not_configured", "MISTRAL_API_KEY is not set")),
  });
  await assertProblem(
    await ingest(key, "A text without a model.", missing.deps),
    503,
    "provider_not_configured",
  );
  assertEquals(await contents(stack), before);
});

Deno.test("a database that goes away is 503, and what was not begun leaves nothing", async () => {
  const { key } = await tenant();
  const before = await contents(stack);
  const gone = faulty({
    rpc: { storeDocuments: () => Promise.reject(problem("unavailable", "no database")) },
  });
  await assertProblem(await ingest(key, "A text without a database.", gone.deps), 503, "unavailable");
  assertEquals(await contents(stack), before);
});

Deno.test("unchanged chunks of a changed document are not embedded again", async () => {
  const { key } = await tenant();
  const source = "rules";
  const sections = (changed: string) => `${longText(3)}\n# Last\n\nThe last section is ${changed}.\n`;
  const asked: string[][] = [];
  const counting = faulty({
    embed: (model, texts, options) => {
      asked.push(texts);
      return sound.embed(model, texts, options);
    },
  });
  const first = await (await ingest(key, sections("old"), counting.deps, { source })).json();
  const all = asked.flat().length;
  asked.length = 0;
  const second = await (await ingest(key, sections("new"), counting.deps, { source })).json();
  assert(all > 3 && asked.flat().length < all, `${asked.flat().length} of ${all} were embedded again`);
  assert(asked.flat().every((text) => text.includes("new")));
  const fresh = await tenant();
  const alone = await (await ingest(fresh.key, sections("new"), sound)).json();
  assertEquals(await stored(second.document_id), await stored(alone.document_id));
  assertEquals(await stored(first.document_id), []);
});

Deno.test("a replacement whose old document is gone meanwhile embeds every chunk itself", async () => {
  const { key, agentId } = await tenant();
  const source = "rules";
  const first = await (await ingest(key, longText(3), sound, { source })).json();
  let calls = 0;
  const racing = faulty({
    embed: async (model, texts, options) => {
      if (++calls === 1) await sound.rpc.deleteDocument({ agentId, documentId: first.document_id });
      return await sound.embed(model, texts, options);
    },
  });
  const second = await ingest(key, `${longText(3)}\n# New\n\nOne more.\n`, racing.deps, { source });
  assertEquals(second.status, 201);
  const { chunks, document_id } = await second.json();
  assertEquals((await stored(document_id)).length, chunks);
});

Deno.test("a document whose lease was lost is in progress elsewhere, or was replaced and is gone", async () => {
  const { key, agentId } = await tenant();
  const lost = (isGone: boolean) =>
    faulty({
      rpc: {
        storeChunks: async ({ documentId }) => {
          if (isGone) await sound.rpc.deleteDocument({ agentId, documentId });
          return { outcome: "lost" };
        },
      },
    }).deps;
  const kept = await ingest(key, "Taken over.", lost(false));
  assertEquals([kept.status, (await kept.json()).status], [202, "processing"]);
  const gone = await ingest(key, "Replaced.", lost(true));
  assertEquals(gone.headers.get("location"), null);
  await assertProblem(gone, 409, "conflict");
});
