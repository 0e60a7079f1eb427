import { createHandler } from "../../../functions/chat/handler.ts";
import { createDeps, type Deps } from "../../../shared/deps.ts";
import { embed } from "../../../shared/embeddings.ts";
import { readEnv } from "../../../shared/env.ts";
import { createLog } from "../../../shared/log.ts";
import { settled } from "../../../shared/platform.ts";
import type { Rpc } from "../../../shared/rpc.ts";
import { type ModelServer, type Script, startModelServer } from "../../support/model-server.ts";
import { startStack, type TestStack, type TestUser } from "../../support/stack.ts";
import { parseEvents, type ReadEvent } from "./read-events.ts";

/** A stack whose agents answer by a scripted model server. */
export interface ChatFixture {
  stack: TestStack;
  models: ModelServer;
  owner: TestUser;
  deps: Deps;
  /** An agent with a key of every scope; `script` is what its model does. */
  agent(script?: Script, fields?: Record<string, unknown>, key?: Record<string, unknown>): Promise<ChatAgent>;
  /** The rows of a query, for what the database is to hold. */
  rows<T = Record<string, unknown>>(sql: string, parameters?: unknown[]): Promise<T[]>;
  close(): Promise<void>;
}

/** One agent of a fixture, and how to talk to it. */
export interface ChatAgent {
  id: string;
  key: string;
  keyId: string;
  model: string;
  /** Asks over HTTP. */
  ask(body: Record<string, unknown>, init?: RequestInit): Promise<Response>;
  /** Asks a handler in this process whose database calls are those of `faults` where given. */
  askWith(faults: Partial<Rpc>, body: Record<string, unknown>, init?: RequestInit): Promise<Response>;
  /** Calls another route of chat with the agent's key. */
  call(method: string, path: string, body?: unknown): Promise<Response>;
  /** Asks by Chat Completions; a text is the whole conversation. */
  complete(body: string | Record<string, unknown>, headers?: Record<string, string>): Promise<Response>;
  /** Asks for events and reads them all. */
  stream(body: Record<string, unknown>): Promise<ReadEvent[]>;
  /** Stores a document with these chunks. */
  learn(title: string, chunks: string[]): Promise<string>;
  /** The requests its model received. */
  calls(): ModelServer["calls"];
  /** The one turn of this agent, its ledger rows, messages and counters. */
  record(): Promise<TurnRecord>;
}

/** What the database holds of an agent's only turn. */
export interface TurnRecord {
  turn: Record<string, unknown>;
  ledger: Record<string, unknown>[];
  messages: { role: string; content: string; status: string; citations: unknown[] }[];
  /** Reserved and used messages and tokens of the agent's own counter. */
  counter: Record<string, unknown>;
}

/** Starts the stack and the model server. */
export async function startChat(): Promise<ChatFixture> {
  const models = await startModelServer();
  const env = { OPENAI_API_KEY: "sk-test", OPENAI_BASE_URL: models.url };
  const stack = await startStack({ env });
  const owner = await stack.signUp();
  // Every test makes agents of its own, and the plan of a new user has room for three.
  await stack.database.query("update public.users set plan = 'business' where id = $1", [owner.id]);
  const deps = createDeps(() => readEnv({ get: (name) => variables[name] }));
  const variables: Record<string, string> = {
    ...env,
    SUPABASE_URL: stack.url,
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: stack.publishableKey }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: stack.secretKey }),
  };
  return {
    stack,
    models,
    owner,
    deps,
    rows: (sql, parameters = []) => stack.database.query(sql, parameters),
    agent: (script = {}, fields = {}, key = {}) =>
      makeAgent({ stack, models, owner, deps }, script, fields, key),
    async close() {
      await settled();
      await stack.close();
      await models.close();
    },
  };
}

async function makeAgent(
  { stack, models, owner, deps }: Pick<ChatFixture, "stack" | "models" | "owner" | "deps">,
  script: Script,
  fields: Record<string, unknown>,
  keyOptions: Record<string, unknown>,
): Promise<ChatAgent> {
  const model = `model-${crypto.randomUUID()}`;
  models.play(model, script);
  const { id } = await stack.createAgent(owner.token, {
    language: "en",
    model: `openai/${model}`,
    ...fields,
  });
  const { key, id: keyId } = await stack.createKey(owner.token, id, {
    scopes: ["chat", "ingest", "read"],
    requests_per_minute: 10_000,
    ...keyOptions,
  });
  const query = <T>(sql: string) => stack.database.query<T>(sql, [id]);
  const post = (body: Record<string, unknown>, { headers, ...init }: RequestInit = {}): RequestInit => ({
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers as object },
    body: JSON.stringify(body),
    ...init,
  });
  const ask: ChatAgent["ask"] = (body, init) => fetch(stack.functionUrl("chat"), post(body, init));
  return {
    id,
    key,
    keyId,
    model,
    ask,
    askWith: (faults, body, init) => {
      const handler = createHandler({ ...deps, rpc: { ...deps.rpc, ...faults }, log: createLog(() => {}) });
      return handler(new Request("http://functions/chat", post(body, init)));
    },
    call: (method, path, body) =>
      fetch(stack.functionUrl(`chat/${path}`), {
        method,
        headers: { "x-api-key": key, ...(body === undefined ? {} : { "content-type": "application/json" }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    complete: (body, headers) => {
      const asked = typeof body === "string" ? { messages: [{ role: "user", content: body }] } : body;
      return fetch(stack.functionUrl("chat/completions"), post(asked, { headers }));
    },
    stream: async (body) => parseEvents(await (await ask({ stream: true, ...body })).text()),
    learn: (title, chunks) => learn(deps.rpc, id, title, chunks),
    calls: () => models.calls.filter((call) => call.model === model),
    async record() {
      const turns = await query<Record<string, unknown>>("select * from public.turns where agent_id = $1");
      if (turns.length !== 1) throw new Error(`Cannot choose a turn: the agent has ${turns.length}`);
      const [counter = {}] = await query<Record<string, unknown>>(
        `select messages::int, tokens::int, reserved_messages::int, reserved_tokens::int
         from public.usage_counters where scope = 'agent' and subject_id = $1`,
      );
      return {
        turn: turns[0]!,
        ledger: await query("select * from public.usage_logs where agent_id = $1 order by id"),
        messages: await query(
          "select role, content, status, citations from public.messages where agent_id = $1 order by id",
        ),
        counter,
      };
    },
  };
}

/** Stores a document as ingestion does, chunk by chunk as given. */
async function learn(rpc: Rpc, agentId: string, title: string, chunks: string[]): Promise<string> {
  const embeddings = await embed("local", chunks, { purpose: "document", env: {} as Deps["env"] });
  const [stored] = await rpc.storeDocuments({
    agentId,
    embeddingModel: "local",
    documents: [{
      title,
      source: `${title}.md`,
      mime_type: "text/markdown",
      content_hash: (crypto.randomUUID() + crypto.randomUUID()).replaceAll("-", ""),
      size_bytes: 1,
      file_base64: btoa("x"),
      language: "en",
      chunks: chunks.map((content, index) => ({
        content,
        heading: "Handbook",
        page: null,
        char_start: index,
        char_end: index + 1,
        tokens: 10,
        hash: `${index}`.padStart(64, "0"),
        embedding: embeddings[index]!,
      })),
    }],
  });
  if (stored?.outcome !== "stored") throw new Error(`Cannot store the document: ${stored?.outcome}`);
  return stored.document_id;
}

/** Waits until `found` says yes; gives up after `ms` milliseconds, which only a fault takes. */
export async function eventually(found: () => boolean | Promise<boolean>, ms = 30_000): Promise<void> {
  const started = performance.now();
  while (!await found()) {
    if (performance.now() - started > ms) throw new Error(`Cannot see it after ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
