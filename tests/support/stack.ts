import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { generateKeys } from "../../local/keys.ts";
import { startStack as serveStack } from "../../local/stack.ts";
import type { Tokens } from "../../local/tokens.ts";
import { createLog } from "../../shared/log.ts";
import { openDatabase, type TestDatabase } from "./database.ts";

/** An account of the stack, signed in. */
export interface TestUser {
  id: string;
  email: string;
  token: string;
}

/** A migrated database behind REST, Auth and all functions, on a port of its own. */
export interface TestStack {
  readonly url: string;
  readonly publishableKey: string;
  readonly secretKey: string;
  readonly database: TestDatabase;
  /** What the gateway does to users' tokens, for tests that call a function without it. */
  readonly tokens: Tokens;
  /** Where a function answers, such as `functionUrl("chat/feedback")`. */
  functionUrl(path: string): string;
  /** supabase-js as the browser uses it: with a user's token, else anonymous. */
  client(token?: string): SupabaseClient;
  /** Makes an account; without an address it invents one. */
  signUp(email?: string): Promise<TestUser>;
  /** Makes an agent over REST as the user of `token`; returns its row. */
  createAgent(
    token: string,
    fields?: Record<string, unknown>,
  ): Promise<{ id: string; [column: string]: unknown }>;
  /** Makes a key by `create_api_key` as the user of `token`; the options are its arguments. */
  createKey(
    token: string,
    agentId: string,
    options?: Record<string, unknown>,
  ): Promise<{ id: string; key: string }>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

// That a turn ended well is no news in a test.
function keepFaults(line: string): void {
  if (JSON.parse(line).level !== "info") console.error(line);
}

/**
 * Starts a stack; `env` is all that the functions find besides the project's own variables: no provider has a key. `write`
 * takes the lines of their log, of which stderr shows only the faults.
 */
export async function startStack(
  { env = {}, write = keepFaults }: { env?: Record<string, string>; write?: (line: string) => void } = {},
): Promise<TestStack> {
  const keys = generateKeys();
  const database = await openDatabase();
  const stack = await serveStack({ database, keys, port: 0, env, log: createLog(write) });
  const client = (token?: string) =>
    createClient(stack.url, keys.publishableKey, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
      ...(token ? { global: { headers: { authorization: `Bearer ${token}` } } } : {}),
    });
  const close = async () => {
    await stack.close();
    await database.close();
  };
  return {
    url: stack.url,
    publishableKey: keys.publishableKey,
    secretKey: keys.secretKey,
    database,
    tokens: stack.tokens,
    functionUrl: (path) => `${stack.url}/functions/v1/${path}`,
    client,
    async signUp(email = `${crypto.randomUUID()}@example.com`) {
      const { data, error } = await client().auth.signUp({ email, password: crypto.randomUUID() });
      if (error) throw error;
      return { id: data.user!.id, email, token: data.session!.access_token };
    },
    async createAgent(token, fields = {}) {
      const { data } = await client(token).from("agents")
        .insert({ name: `agent ${crypto.randomUUID()}`, ...fields }).select().single().throwOnError();
      return data;
    },
    async createKey(token, agentId, options = {}) {
      const { data } = await client(token)
        .rpc("create_api_key", { agent_id: agentId, name: "test", ...options }).throwOnError();
      return data;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
