import { createHandler } from "../../../functions/provider-keys/handler.ts";
import { createDeps, type Deps } from "../../../shared/deps.ts";
import { readEnv } from "../../../shared/env.ts";
import type { MasterKey } from "../../../shared/envelope.ts";
import { createLog } from "../../../shared/log.ts";
import type { Rpc } from "../../../shared/rpc.ts";
import { masterKeysText } from "../../support/master-keys.ts";
import type { TestStack, TestUser } from "../../support/stack.ts";

/** A provider key as the endpoint tells it. */
export interface ToldKey {
  id: string;
  provider: string;
  masked_key: string;
  metadata: Record<string, unknown>;
  created_at: string;
}

/** A key that nobody else has. */
export function madeUpSecret(): string {
  return `sk-${crypto.randomUUID()}${crypto.randomUUID()}`;
}

/** Calls provider-keys over HTTP as a user. */
export function call(
  stack: TestStack,
  { token }: Pick<TestUser, "token">,
  method: string,
  { id, body }: { id?: string; body?: unknown } = {},
): Promise<Response> {
  return fetch(stack.functionUrl(id === undefined ? "provider-keys" : `provider-keys/${id}`), {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body ? { "content-type": "application/json" } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
}

/** Stores a key of a user over HTTP; throws what was answered instead. */
export async function put(
  stack: TestStack,
  user: TestUser,
  body: { provider: string; api_key: string; metadata?: Record<string, unknown> },
): Promise<ToldKey> {
  const response = await call(stack, user, "PUT", { body });
  const text = await response.text();
  if (!response.ok) throw new Error(`Cannot store the key: ${text}`);
  return JSON.parse(text);
}

/** The keys of a user, as the endpoint lists them. */
export async function list(stack: TestStack, user: TestUser): Promise<ToldKey[]> {
  return await (await call(stack, user, "GET")).json();
}

/** The dependencies of a process of its own beside a stack, with these master keys. */
export function depsOf(stack: TestStack, keys: readonly MasterKey[]): Deps {
  const variables: Record<string, string> = {
    SUPABASE_URL: stack.url,
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: stack.publishableKey }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: stack.secretKey }),
    SUPABASE_JWKS: JSON.stringify(stack.tokens.jwks),
    PROVIDER_KEY_SECRETS: masterKeysText(keys),
  };
  return createDeps(() => readEnv({ get: (name) => variables[name] }));
}

/** Calls provider-keys in this process, with faults of the database where given; `lines` is what it logged. */
export async function callWith(
  deps: Deps,
  request: Request,
  faults: Partial<Rpc> = {},
): Promise<{ response: Response; lines: string[] }> {
  const lines: string[] = [];
  const handler = createHandler({
    env: deps.env,
    rpc: { ...deps.rpc, ...faults },
    rpcAs: (token) => deps.rpcAs(token),
    log: createLog((line) => lines.push(line)),
  });
  return { response: await handler(request), lines };
}
