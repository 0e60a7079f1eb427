import { parseArgs } from "node:util";
import { embed } from "../shared/embeddings.ts";
import { startStack, type TestStack } from "../tests/support/stack.ts";
import { bm25 } from "./bm25.ts";
import { assess } from "./ranking.ts";
import { printTable } from "./report.ts";
import { type Paragraph, readSquad } from "./squad.ts";

// Does the right passage come first? Each paragraph of a SQuAD 1.1 file is one document of one agent, and each
// question is asked of match_documents with the offline embedder.

const { values: flags } = parseArgs({
  options: {
    data: { type: "string" },
    language: { type: "string", default: "en" },
    sample: { type: "string" },
  },
});
if (!flags.data) {
  console.error("Usage: deno task bench:retrieval --data FILE [--language en] [--sample PARAGRAPHS]");
  Deno.exit(1);
}
const present = await Deno.stat(flags.data).then((found) => found.isFile, () => false);
if (!present) {
  console.log(`Skipped: there is no file ${flags.data}`);
  Deno.exit(0);
}
const paragraphs = await readSquad(flags.data, flags.sample ? Number(flags.sample) : undefined);
const stack = await startStack();
const { agentId, documents, seconds } = await ingest(stack, paragraphs, flags.language);
const questions = paragraphs.flatMap(({ questions }, index) =>
  questions.map((question) => ({ question, answer: documents[index]! }))
);

/** The documents of the best ten chunks, in order; by words alone without a vector. */
const match = async (query: string, vector: string | null) =>
  (await stack.database.query<{ document_id: string }>(
    `select document_id from public.match_documents(agent_id => $1, query => $2, query_embedding => $3,
       match_count => 10, embedding_model => 'local')`,
    [agentId, query, vector],
  )).map((row) => row.document_id);
const nearest = async (vector: string) =>
  (await stack.database.query<{ document_id: string }>(
    `select document_id from private.match_vectors($1, $2::extensions.halfvec, 'local',
       (select chunks from public.agent_knowledge where agent_id = $1), null, null, 10)`,
    [agentId, vector],
  )).map((row) => row.document_id);
const vectorOf = async (question: string) =>
  (await embed("local", [question], { env: {}, purpose: "query" }))[0]!;
const plain = bm25(paragraphs.map((paragraph) => paragraph.text));

const results = {
  match_documents: await assess(
    questions,
    async (question) => await match(question, await vectorOf(question)),
  ),
  words_alone: await assess(questions, (question) => match(question, null)),
  vectors_alone: await assess(questions, async (question) => await nearest(await vectorOf(question))),
  plain_bm25: await assess(questions, (question) => plain(question, 10).map((index) => documents[index]!)),
};
printTable([
  ["", "recall@1", "recall@5", "MRR", "ms a question"],
  ...Object.entries(results).map(([name, quality]) => [
    name.replaceAll("_", " "),
    quality["recall@1"].toFixed(4),
    quality["recall@5"].toFixed(4),
    quality.mrr.toFixed(4),
    quality.ms_per_question.toFixed(2),
  ]),
]);
const { match_documents, ...beside } = results;
console.log(JSON.stringify({
  bench: "retrieval",
  language: flags.language,
  database: stack.database.kind,
  paragraphs: paragraphs.length,
  questions: questions.length,
  ingest_seconds: Number(seconds.toFixed(1)),
  ...match_documents,
  ...beside,
}));
await stack.close();
Deno.exit(0);

/** Uploads every paragraph through the function, one after the other, and waits until all are ready. */
async function ingest(stack: TestStack, paragraphs: readonly Paragraph[], language: string) {
  const owner = await stack.signUp();
  await stack.database.query("update public.users set plan = 'business' where id = $1", [owner.id]);
  const { id: agentId } = await stack.createAgent(owner.token, { language });
  const { key } = await stack.createKey(owner.token, agentId, {
    scopes: ["ingest", "read"],
    requests_per_minute: 1_000_000,
  });
  const started = performance.now();
  const documents: string[] = [];
  for (const [index, { title, text }] of paragraphs.entries()) {
    const response = await fetch(stack.functionUrl("ingest-document"), {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ title, content: text, language, source: `paragraph ${index}` }),
    });
    const body = await response.json();
    if (!response.ok) throw new Error(`Cannot ingest paragraph ${index}: ${response.status} ${body.code}`);
    documents.push(body.document_id);
  }
  await allReady(stack, agentId, paragraphs.length);
  return { agentId, documents, seconds: (performance.now() - started) / 1000 };
}

async function allReady(stack: TestStack, agentId: string, count: number): Promise<void> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline;) {
    const [found] = await stack.database.query<{ ready: number }>(
      "select count(*)::integer as ready from public.documents where agent_id = $1 and status = 'ready'",
      [agentId],
    );
    if (found!.ready === count) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error("Not every paragraph was ready within a minute");
}
