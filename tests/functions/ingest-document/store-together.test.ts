import { assert, assertEquals, assertRejects } from "@std/assert";
import { storeTogether } from "../../../functions/ingest-document/store-together.ts";
import { Problem, problem } from "../../../shared/errors.ts";
import type { KeptDocument } from "../../../shared/results.ts";
import type { NewDocument, Rpc } from "../../../shared/rpc.ts";

const target = { agentId: "agent", embeddingModel: "local" };

const upload = (title: string, more: Partial<NewDocument> = {}): NewDocument => ({
  title,
  mime_type: "text/plain",
  content_hash: "",
  size_bytes: 1,
  ...more,
});

const stored = (document_id: string): KeptDocument => ({
  outcome: "stored",
  document_id,
  replaces: null,
  chunks: 1,
  tokens: 1,
});

/** A database that notes the titles of each call, and fails as `fault` says. */
function database(fault: (titles: string[]) => Error | null = () => null) {
  const calls: string[][] = [];
  const storeDocuments: Rpc["storeDocuments"] = async ({ documents }) => {
    const titles = documents.map(({ title }) => title);
    calls.push(titles);
    await Promise.resolve();
    const error = fault(titles);
    if (error) throw error;
    return titles.map(stored);
  };
  return { calls, rpc: { storeDocuments } as Rpc };
}

const letters = (text: string, rpc: Rpc, to = target) =>
  Promise.all([...text].map((title) => storeTogether(upload(title), to, rpc)));

Deno.test("documents that come while one is being kept go together in the next call, each with its answer", async () => {
  const { calls, rpc } = database();
  assertEquals(await letters("abcd", rpc), [..."abcd"].map(stored));
  assertEquals(calls, [["a"], ["b", "c", "d"]]);
  assertEquals(await letters("e", rpc), [stored("e")]);
  assertEquals(calls.length, 3);
});

Deno.test("documents of another agent or for another model wait for nobody", async () => {
  const { calls, rpc } = database();
  await Promise.all([
    letters("ab", rpc),
    letters("c", rpc, { ...target, agentId: "another" }),
    letters("d", rpc, { ...target, embeddingModel: "another" }),
  ]);
  assertEquals(calls, [["a"], ["c"], ["d"], ["b"]]);
});

Deno.test("a call has a bounded number of documents, chunks and bytes", async () => {
  const { calls, rpc } = database();
  const chunk = {
    content: "a",
    heading: null,
    page: null,
    char_start: 0,
    char_end: 1,
    tokens: 1,
    hash: "a",
    embedding: "[1]",
  };
  const chunks = Array.from({ length: 300 }, () => chunk);
  const large = { size_bytes: 3 * 1024 * 1024 };
  const all = [
    upload("first"),
    upload("a", { chunks }),
    upload("b", { chunks }),
    upload("c", large),
    upload("d", large),
  ];
  const many = Array.from({ length: 150 }, (_, n) => upload(`${n}`));
  await Promise.all([...all, ...many].map((document) => storeTogether(document, target, rpc)));
  assertEquals(calls.map((titles) => titles.length), [1, 1, 2, 100, 51]);
  assertEquals(calls.flat(), [...all, ...many].map(({ title }) => title));
});

Deno.test("one that the database refuses does not take the others with it", async () => {
  const { calls, rpc } = database((titles) =>
    titles.includes("c") ? problem("validation_failed", "c is senseless") : null
  );
  const kept = await Promise.allSettled(
    [..."abcd"].map((title) => storeTogether(upload(title), target, rpc)),
  );
  assertEquals(kept.map(({ status }) => status), ["fulfilled", "fulfilled", "rejected", "fulfilled"]);
  assertEquals(calls, [["a"], ["b", "c", "d"], ["b"], ["c"], ["d"]]);
});

Deno.test("a database that is away is not asked again for each", async () => {
  const { calls, rpc } = database((titles) =>
    titles.length > 1 ? problem("unavailable", "no database") : null
  );
  const kept = await Promise.allSettled([..."abc"].map((title) => storeTogether(upload(title), target, rpc)));
  assertEquals(kept.map(({ status }) => status), ["fulfilled", "rejected", "rejected"]);
  assertEquals(calls, [["a"], ["b", "c"]]);
  const error = await assertRejects(() => letters("xyz", rpc), Problem);
  assert(error.code === "unavailable");
});
