// @ts-types="@types/pg"
import type pg from "pg";
import { median, percentile } from "./clients.ts";
import { embeddingModel, knowledge, type Probe, store } from "./knowledge.ts";
import { type Figure, report } from "./report.ts";
import { type BenchServer, openServer } from "./server.ts";
import { addTenants } from "./tenants.ts";

// How long does one agent's search take among 100,000 chunks of 1024 dimensions, and does it find the nearest?

const sizes = [20_000, 400, ...Array<number>(20).fill(3_980)];
const total = sizes.reduce((sum, size) => sum + size, 0);
const probesPerAgent = 200;
const server = await openServer();
console.error(`Loading ${total} chunks …`);
const { agents, seconds } = await load(server);
const [reader, service] = [(await server.connect(1))[0]!, (await server.connect(1, "service_role"))[0]!];
await reader.query("set role agent_reader");

const large = await search(agents[0]!, 20_000);
const small = await search(agents[1]!, 400);
report("tenant-search", [
  { what: "primary key lookup", value: await lookups(), unit: "ms" },
  ...large,
  ...small,
  ...await sizesPerChunk(),
  { what: "loading, with words and vectors", value: total / seconds, unit: "chunks/s" },
], { chunks: total, dimensions: 1024, probes: probesPerAgent });
await server.close();

/** Stores the documents of all agents in a shuffled order, so that no agent's rows lie together. */
async function load(server: BenchServer) {
  const made = knowledge();
  const agents = (await addTenants(server, sizes.length)).map(({ agentId }) => ({
    agentId,
    topics: made.topics(),
    probes: [] as Probe[],
  }));
  const order = made.shuffled(sizes.flatMap((size, index) => Array<number>(size / 20).fill(index)));
  const started = performance.now();
  let number = 0;
  await Promise.all((await server.connect(2, "service_role")).map(async (client) => {
    await client.query("set synchronous_commit = off");
    for (let place = number++; place < order.length; place = number++) {
      const agent = agents[order[place]!]!;
      const chunks = made.document(agent.topics);
      if (agent.probes.length < probesPerAgent) agent.probes.push(...chunks.slice(0, 10).map(made.probe));
      await store(client, agent.agentId, place, chunks);
    }
  }));
  const seconds = (performance.now() - started) / 1000;
  await server.query("vacuum analyze");
  return { agents, seconds };
}

/** Times both sides of the search of one agent, and compares the vector side with an exact scan. */
async function search(agent: { agentId: string; probes: Probe[] }, size: number): Promise<Figure[]> {
  const times = { vectors: [] as number[], hybrid: [] as number[] };
  let recalled = 0;
  await reader.query("begin");
  await reader.query("select set_config('app.agent_id', $1, true)", [agent.agentId]);
  for (const { vector } of agent.probes) {
    const [milliseconds, found] = await timed(reader, {
      name: "vectors",
      text: `select document_id, chunk_index
        from private.match_vectors($1, $2::extensions.halfvec, $3, $4, null, null, 10)`,
      values: [agent.agentId, vector, embeddingModel, size],
    });
    times.vectors.push(milliseconds);
    const exact = await server.query(
      `select document_id, chunk_index from public.document_chunks where agent_id = $1
       order by embedding operator(extensions.<=>) $2::extensions.halfvec limit 10`,
      [agent.agentId, vector],
    );
    const names = new Set(found.map(nameOf));
    recalled += exact.filter((row) => names.has(nameOf(row))).length;
  }
  await reader.query("commit");
  for (const { text, vector } of agent.probes) {
    const [milliseconds, found] = await timed(service, {
      name: "hybrid",
      text:
        `select * from public.match_documents(agent_id => $1, query => $2, query_embedding => $3, match_count => 10,
        match_threshold => 0, embedding_model => $4)`,
      values: [agent.agentId, text, vector, embeddingModel],
    });
    if (found.length !== 10) throw new Error(`Expected the 10 best chunks, got ${found.length}`);
    times.hybrid.push(milliseconds);
  }
  const name = size.toLocaleString("en");
  const isLarge = size === 20_000;
  return [
    {
      what: `vector side, agent of ${name}`,
      value: median(times.vectors),
      unit: "ms",
      mark: { of: "value", atMost: isLarge ? 5 : 1 },
    },
    {
      what: `recall@10, agent of ${name}`,
      value: recalled / (10 * agent.probes.length),
      unit: "",
      mark: { of: "value", atLeast: 0.99 },
    },
    {
      what: `match_documents, agent of ${name}`,
      value: median(times.hybrid),
      unit: "ms",
      ...(isLarge ? { mark: { of: "value", atMost: 25 } as const } : {}),
    },
    { what: `the same, 95th percentile`, value: percentile(times.hybrid, 0.95), unit: "ms" },
  ];
}

/** The time of finding one row by its primary key: as fast as a search could be. */
async function lookups(): Promise<number> {
  const times: number[] = [];
  for (let id = 1; id <= probesPerAgent; id++) {
    const text = "select id, content from public.document_chunks where id = $1";
    times.push((await timed(service, { name: "lookup", text, values: [id * 100] }))[0]);
  }
  return median(times);
}

/** What a chunk takes on disk, table by table and index by index. */
async function sizesPerChunk(): Promise<Figure[]> {
  const rows = await server.query<{ name: string; bytes: string }>(
    `select relname as name, pg_table_size(oid) as bytes from pg_catalog.pg_class
     where relnamespace = 'public'::regnamespace and relkind in ('r', 'i')
       and (relname like 'chunk_terms%' or relname like 'document_chunks%')
     order by name`,
  );
  return rows.map(({ name, bytes }) => ({
    what: `${name}, per chunk`,
    value: Number(bytes) / total / 1024,
    unit: "KB",
  }));
}

async function timed(client: pg.Client, query: pg.QueryConfig): Promise<[number, pg.QueryResultRow[]]> {
  const started = performance.now();
  const { rows } = await client.query(query);
  return [performance.now() - started, rows];
}

function nameOf(row: pg.QueryResultRow): string {
  return `${row.document_id} ${row.chunk_index}`;
}
