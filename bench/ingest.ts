import { createClient } from "@supabase/supabase-js";
import { createRpc } from "../shared/rpc.ts";
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
// As many as the function stores in a call.
const chunksPerCall = 128;
serverUrl();
const stack = await startStack();
const { agentId } = await agent(stack);
report("ingest", [...await storing(), ...await largeText()], { chunks: chunkCount, dimensions: 1024 });
await stack.close();
Deno.exit();

/**
 * Stores the same 200 chunks with the same vectors: LangChain's documents are chunks, added one by one, here they are
 * those of one document. Both use the same REST endpoint and await each call before the next.
 */
async function storing(): Promise<Figure[]> {
  const made = knowledge();
  const topics = made.topics();
  const chunks = Array.from({ length: chunkCount / 20 }, () => made.document(topics)).flat();
  const rows = chunkRows(chunks);
  await stack.database.exec(langchainTable(1024));
  await stack.database.connection.clearSchemaCache();
  const client = createClient(stack.url, stack.secretKey, { auth: { persistSession: false } });
  const rpc = createRpc(client);
  const langchain = openLangchainStore(client);
  // The vectors go as pgvector's text: the local REST server does not turn a JSON array into a vector.
  const vectors = rows.map((row) => row.embedding as unknown as number[]);
  const documents = rows.map((row) => ({ pageContent: row.content, metadata: { title: "Handbook" } }));
  const contestants: Contestant[] = [
    {
      name: "LangChain, document by document",
      async run() {
        for (let index = 0; index < chunkCount; index++) {
          await langchain.addVectors([vectors[index]!], [documents[index]!]);
        }
      },
    },
    { name: "LangChain, all in one call", run: () => langchain.addVectors(vectors, documents) },
    {
      name: "begin_document and store_chunks",
      async run() {
        const begun = await rpc.beginDocument({
          agentId,
          title: "Handbook",
          mimeType: "text/plain",
          contentHash: crypto.randomUUID().replaceAll("-", "").repeat(2),
          sizeBytes: 1,
          embeddingModel,
          language: "en",
        });
        if (begun.outcome !== "created") throw new Error(`The document was ${begun.outcome}`);
        for (let fromIndex = 0; fromIndex < chunkCount; fromIndex += chunksPerCall) {
          const stored = await rpc.storeChunks({
            documentId: begun.document_id,
            lease: begun.lease,
            fromIndex,
            chunks: rows.slice(fromIndex, fromIndex + chunksPerCall),
            language: "en",
            done: fromIndex + chunksPerCall >= chunkCount,
          });
          if (stored.outcome !== "stored") throw new Error(`The batch was ${stored.outcome}`);
        }
      },
    },
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
  }));
  figures[2]!.toPeer = median(speeds[2]!.map((speed, round) => speed / speeds[0]![round]!));
  figures[2]!.mark = { of: "toPeer", atLeast: 3 };
  return figures;
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
