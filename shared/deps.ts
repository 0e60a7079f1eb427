import { createProjectClient } from "./database.ts";
import { type Env, readEnv } from "./env.ts";
import { createLog, type Log } from "./log.ts";
import type { ResolvedModel } from "./models.ts";
import { background } from "./platform.ts";
import type { SealedProviderKey } from "./provider-key.ts";
import { createRpc, createUserRpc, type Rpc, type UserRpc } from "./rpc.ts";
import { createStorage, type Storage } from "./storage.ts";

/** Whether texts are embedded to be found or to find. */
export type EmbeddingPurpose = "query" | "document";

/** Everything a function may need from outside; a handler asks for the members it uses. */
export interface Deps {
  readonly env: Env;
  readonly log: Log;
  /** The database as the service role. */
  readonly rpc: Rpc;
  readonly storage: Storage;
  /** The database as the user of a verified token. */
  rpcAs(token: string): UserRpc;
  /** The vectors of texts, as pgvector texts, in order. */
  embed(
    model: string,
    texts: string[],
    options: { purpose: EmbeddingPurpose; signal?: AbortSignal },
  ): Promise<string[]>;
  /** The model an agent names, ready to stream; by the agent's own provider key where that is one of its provider. */
  resolveModel(name: string, providerKey?: SealedProviderKey | null): Promise<ResolvedModel>;
  now(): Date;
  /** Lets work outlive the response. */
  background(work: Promise<unknown>): void;
}

/** The dependencies of a process; nothing is read or built before it is used. */
export function createDeps(env: Env | (() => Env) = () => readEnv()): Deps {
  const read = once(typeof env === "function" ? env : () => env);
  const log = createLog();
  const service = once(() => createProjectClient(read(), "secret"));
  const publishable = once(() => createProjectClient(read(), "publishable"));
  const rpc = once(() => createRpc(service()));
  const storage = once(() => createStorage(service()));
  return {
    log,
    get env() {
      return read();
    },
    get rpc() {
      return rpc();
    },
    get storage() {
      return storage();
    },
    rpcAs: (token) => createUserRpc(publishable(), token),
    // Imported on first use: the model packages are slow to load, and most functions embed nothing.
    embed: async (model, texts, options) =>
      (await import("./embeddings.ts")).embed(model, texts, { env: read(), ...options }),
    resolveModel: async (name, providerKey) =>
      (await import("./models.ts")).resolveModel(name, read(), { providerKey }),
    now: () => new Date(),
    background: (work) => background(work, log),
  };
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
