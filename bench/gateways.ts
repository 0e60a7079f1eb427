import { createClient } from "@supabase/supabase-js";
// @ts-types="@types/pg"
import pg from "pg";
import { join } from "node:path";
import { parseKey } from "../shared/api-key.ts";
import { embed } from "../shared/embeddings.ts";
import { createRpc } from "../shared/rpc.ts";
import { serve } from "../tests/support/server.ts";
import { emptyDatabase } from "../tests/support/template.ts";
import { portkeyHeaders, startPortkey } from "./peers/portkey.ts";
import { startProcess } from "./processes.ts";
import { serverUrl } from "./server.ts";
import type { Route } from "./streams.ts";
import type { VendorCall } from "./vendor.ts";

/** What is compared: a vendor asked directly, through our server, and through Portkey's, each in a process of its own. */
export interface Gateways {
  direct: Route;
  ours: Route;
  portkey: Route;
  /** The calls that the vendor received since the last time. */
  calls(): Promise<VendorCall[]>;
  forget(): Promise<void>;
  /** Our agent's two calls to the database before its model's, called bare; milliseconds of both. */
  hops(): Promise<number>;
  /** How often the database was called up to now, but for what ends a turn. */
  databaseCalls(): Promise<number>;
  stop(): Promise<void>;
}

const question = "How long do I have to return a lamp?";

/** Starts them all on a database of their own. */
export async function startGateways(): Promise<Gateways> {
  const folder = await Deno.makeTempDir({ prefix: "parley_bench_" });
  const vendorScript = new URL("vendor.ts", import.meta.url).pathname;
  const vendor = await startProcess(Deno.execPath(), ["run", "-A", vendorScript], /(http:\S+)/);
  const portkey = await startPortkey(join(folder, "portkey"));
  const database = await emptyDatabase(serverUrl());
  const owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
  const { rows: [named] } = await owner.query("select current_database() as name");
  // For connections to come: the server's.
  await owner.query(`alter database ${named.name} set track_functions = 'pl'`);
  const server = await serve(folder, ["--port", "0"], {
    DATABASE_URL: database.url,
    OPENAI_API_KEY: "sk-bench",
    OPENAI_BASE_URL: vendor.url,
  });
  const { SUPABASE_URL: url, SUPABASE_SECRET_KEY: secret, AGENT_API_KEY: key, AGENT_ID: agentId } =
    server.demo;
  await prepare(owner, agentId);
  const calls = async () => await (await fetch(new URL("/calls", vendor.url))).json();
  const rpc = createRpc(createClient(url, secret, { auth: { persistSession: false } }));
  const [vector = ""] = await embed("local", [question], { env: {} });
  const parsed = parseKey(key);
  if ("code" in parsed) throw new Error(`Cannot read the demo's key: ${parsed.code}`);
  return {
    direct: openai("direct", vendor.url, {}),
    portkey: openai("Portkey", portkey.url, portkeyHeaders(vendor.url)),
    ours: {
      name: "Parley",
      ask: async (model, signal) => {
        await useModel(owner, agentId, model);
        return await post(`${url}/functions/v1/chat`, { authorization: `Bearer ${key}` }, {
          message: question,
          stream: true,
        }, signal);
      },
    },
    calls,
    forget: async () => void await (await fetch(new URL("/forget", vendor.url))).body?.cancel(),
    async hops() {
      const began = performance.now();
      const admission = await rpc.admitTurn({
        keyHash: parsed.hash,
        message: question,
        messageTokens: 10,
        sessionId: crypto.randomUUID(),
        language: "en",
        metadata: {},
      });
      await rpc.matchDocuments({
        agentId,
        query: question,
        queryEmbedding: vector,
        matchCount: 5,
        matchThreshold: null,
        embeddingModel: "local",
      });
      const took = performance.now() - began;
      if (!admission.admitted) throw new Error(`Cannot measure the hops: ${admission.code}`);
      return took;
    },
    databaseCalls: () => countCalls(owner),
    async stop() {
      await server.end("SIGTERM");
      await Promise.all([vendor.stop(), portkey.stop(), owner.end()]);
      await database.drop();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function openai(name: string, base: string, headers: Record<string, string>): Route {
  const all = { ...headers, authorization: "Bearer sk-bench" };
  const messages = [{ role: "user", content: question }];
  return {
    name,
    ask: (model, signal) => post(`${base}/chat/completions`, all, { model, messages, stream: true }, signal),
  };
}

function post(url: string, headers: Record<string, string>, body: unknown, signal?: AbortSignal) {
  return fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
    signal,
  });
}

// The limits stay in force, so that their cost is part of what is measured; only their sizes are out of the way.
async function prepare(owner: pg.Client, agentId: string): Promise<void> {
  await owner.query("update public.api_keys set requests_per_minute = 1000000 where agent_id = $1", [
    agentId,
  ]);
  await owner.query("update public.app_config set value = '1000000' where key = 'addressRequestsPerMinute'");
  await owner.query("update public.plans set messages = 1e9, tokens = 1e12 where name = 'business'");
}

let used: { model: string; ready: Promise<unknown> } | null = null;

/** Gives the agent a model; who asks at the same time waits for it, too. */
async function useModel(owner: pg.Client, agentId: string, model: string): Promise<void> {
  if (used?.model !== model) {
    const change = "update public.agents set model = $2 where id = $1";
    used = { model, ready: owner.query(change, [agentId, `openai/${model}`]) };
  }
  await used.ready;
}

// What ends a turn, and what the scheduler calls.
const afterwards = [
  "settle_turn",
  "append_deltas",
  "save_context",
  "report_provider",
  "run_due_jobs",
  "claim_work",
];

/** How often the functions of the database's interface were called up to now, but for those that end a turn. */
async function countCalls(owner: pg.Client): Promise<number> {
  const { rows } = await owner.query<{ name: string; calls: string }>(
    `select f.funcname as name, f.calls from pg_stat_user_functions f join pg_proc p on p.oid = f.funcid
     where f.schemaname = 'public' and p.prorettype <> 'trigger'::regtype and f.funcname <> all ($1)`,
    [afterwards],
  );
  return rows.reduce((sum, { calls }) => sum + Number(calls), 0);
}
