import { createClient } from "@supabase/supabase-js";
import { createRpc, type NewChunk, type NewDocument } from "../shared/rpc.ts";
import { startStack, type TestStack } from "../tests/support/stack.ts";
import { type Contestant, median } from "./clients.ts";
import { chunkRows, embeddingModel, knowledge } from "./knowledge.ts";
import { langchainTable, openLangchainStore } from "./peers/langchain.ts";
import { type Figure, report } from "./report.ts";
import { serverUrl } from "./server.ts";
import { random, writer } from "./synthetic.ts";

// How fast do embedded chunks get into the database over REST, and what does a large text cost the function?

const chunkCount = 200;
const rounds = 7;
// As many as the function keeps in a call at most, of those that come at once.
const documentsPerCall = 100;
serverUrl();
const stack = await startStack();
const { agentId } = await agent(stack);
report("ingest", [...await storing(), ...await largeText()], { chunks: chunkCount, dimensions: 1024 });
await stack.close();
Deno.exit();

/**
 * Stores the same 200 chunks with the same vectors over the same REST endpoint, each call after the answer to the one
 * before. LangChain's documents are chunks; here each is a document of its own, or all are those of one document.
 */
async function storing(): Promise<Figure[]> {
  const made = knowledge();
  const topics = made.topics();
  const rows = chunkRows(Array.from({ length: chunkCount / 20 }, () => made.document(topics)).flat());
  await stack.database.exec(langchainTable(1024));
  await stack.database.connection.clearSchemaCache();
  const client = createClient(stack.url, stack.secretKey, { auth: { persistSession: false } });
  const rpc = createRpc(client);
  const langchain = openLangchainStore(client);
  // The vectors go as pgvector's text: the local REST server does not turn a JSON array into a vector.
  const vectors = rows.map((row) => row.embedding as unknown as number[]);
  const pages = rows.map((row) => ({ pageContent: row.content, metadata: { title: "Handbook" } }));
  const store = async (documents: NewChunk[][]) => {
    const kept = await rpc.storeDocuments({ agentId, embeddingModel, documents: documents.map(newDocument) });
    for (const { outcome } of kept) if (outcome !== "stored") throw new Error(`A document was ${outcome}`);
  };
  const contestants: Contestant[] = [
    {
      name: "LangChain, document by document",
      async run() {
        for (let index = 0; index < chunkCount; index++) {
          await langchain.addVectors([vectors[index]!], [pages[index]!]);
        }
      },
    },
    { name: "LangChain, all in one call", run: () => langchain.addVectors(vectors, pages) },
    {
      name: "200 documents, one a call",
      async run() {
        for (const row of rows) await store([[row]]);
      },
    },
    {
      name: `200 documents, ${documentsPerCall} a call`,
      async run() {
        for (let from = 0; from < chunkCount; from += documentsPerCall) {
          await store(rows.slice(from, from + documentsPerCall).map((row) => [row]));
        }
      },
    },
    { name: "one document of 200 chunks", run: () => store([rows]) },
  ];
  const speeds = contestants.map(() => [] as number[]);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, contestant] of contestants.entries()) {
      const started = performance.now();
      await contestant.run(0, round);
      // The first round is a warm-up.
      if (round > 0) speeds[index]!.push(chunkCount / (performance.now() - started) * 1000);
    }
  }
  const figures: Figure[] = contestants.map(({ name }, index) => ({
    what: name,
    value: median(speeds[index]!),
    unit: "chunks/s",
    toPeer: median(speeds[index]!.map((speed, round) => speed / speeds[0]![round]!)),
  }));
  for (const figure of figures.slice(3)) figure.mark = { of: "toPeer", atLeast: 3 };
  return figures;
}

function newDocument(chunks: NewChunk[]): NewDocument {
  return {
    title: "Handbook",
    mime_type: "text/plain",
    content_hash: crypto.randomUUID().replaceAll("-", "").repeat(2),
    size_bytes: 1,
    language: "en",
    chunks,
  };
}

/** Lets a process of its own ingest 5 MB of text through the function, and reads what that took. */
async function largeText(): Promise<Figure[]> {
  const { agentId } = await agent(stack);
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(
    file,
    JSON.stringify({ title: "Large", content: prose(5_000_000), agent_id: agentId, language: "en" }),
  );
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", new URL("ingest-large.ts", import.meta.url).pathname, file, agentId],
    env: {
      SUPABASE_URL: stack.url,
      SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: stack.publishableKey }),
      SUPABASE_SECRET_KEYS: JSON.stringify({ default: stack.secretKey }),
      SUPABASE_JWKS: JSON.stringify({ keys: [] }),
    },
  }).output();
  await Deno.remove(file);
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const cost = JSON.parse(new TextDecoder().decode(stdout)) as Record<string, number>;
  return [
    { what: "5 MB of text, CPU", value: cost.cpuSeconds!, unit: "s", mark: { of: "value", atMost: 2 } },
    {
      what: "5 MB of text, peak memory",
      value: cost.peakMb!,
      unit: "MB",
      mark: { of: "value", atMost: 256 },
    },
    { what: "5 MB of text, chunks", value: cost.chunks!, unit: "" },
    { what: "5 MB of text, until ready", value: cost.seconds!, unit: "s" },
  ];
}

/** Sentences and paragraphs of made-up words, in so many characters. */
function prose(length: number): string {
  const write = writer(random(1))();
  const paragraphs: string[] = [];
  for (let written = 0; written < length;) {
    const sentences = Array.from({ length: 6 }, () => write(16));
    const paragraph = sentences.map((words) => `${words[0]!.toUpperCase()}${words.slice(1)}.`).join(" ");
    paragraphs.push(paragraph);
    written += paragraph.length + 2;
  }
  return paragraphs.join("\n\n").slice(0, length);
}

async function agent(stack: TestStack): Promise<{ agentId: string }> {
  const owner = await stack.signUp();
  await stack.database.query("update public.users set plan = 'business' where id = $1", [owner.id]);
  return { agentId: (await stack.createAgent(owner.token, { language: "en" })).id };
}
