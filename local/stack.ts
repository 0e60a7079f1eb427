import type { Log } from "../shared/log.ts";
import { settled } from "../shared/platform.ts";
import type { LocalDatabase } from "./database.ts";
import { mountFunctions } from "./functions.ts";
import { createGateway, type Gateway } from "./gateway.ts";
import type { ProjectKeys } from "./keys.ts";
import { createRest } from "./rest.ts";
import { createTokens, type Tokens } from "./tokens.ts";

/** A running stack: REST, Auth and the functions on one port, over one database. */
export interface Stack {
  /** The project's address, `http://127.0.0.1:<port>`. */
  readonly url: string;
  readonly tokens: Tokens;
  /** Stops accepting, lets what runs end within `grace` milliseconds (10 s), background work included. */
  close(grace?: number): Promise<void>;
}

/** How a stack is run. */
export interface StackOptions {
  database: LocalDatabase;
  keys: ProjectKeys;
  /** 0 takes a free port. */
  port: number;
  /** What the functions find in their environment besides the project's own variables. */
  env?: Record<string, string>;
  /** Where the functions write what they log; stderr when not given. */
  log?: Log;
}

/** Serves a migrated database; throws `Deno.errors.AddrInUse` when the port is taken. */
export async function startStack({ database, keys, port, env = {}, log }: StackOptions): Promise<Stack> {
  const tokens = createTokens(keys.jwtSecret);
  // The functions must know the port, which is only known once it is open: until then a request waits.
  const { promise: gateway, resolve: open } = Promise.withResolvers<Gateway>();
  const calls = new Set<Promise<void>>();
  const queries = new Set<Promise<void>>();
  const hardStop = new AbortController();
  let draining = false;
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port,
    signal: hardStop.signal,
    onListen: () => {},
    handler: async (request, info) => {
      const running = isFunctionCall(request) ? calls : queries;
      if (draining && running === calls) return unavailable();
      const completed = info.completed.catch(() => {}).finally(() => running.delete(completed));
      running.add(completed);
      return await (await gateway)(request, info);
    },
  });
  const url = `http://127.0.0.1:${server.addr.port}`;
  try {
    const functions = await mountFunctions({
      ...env,
      SUPABASE_URL: url,
      SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: keys.publishableKey }),
      SUPABASE_SECRET_KEYS: JSON.stringify({ default: keys.secretKey }),
      SUPABASE_JWKS: JSON.stringify(tokens.jwks),
    }, { log });
    open(createGateway({ rest: createRest({ database, keys, tokens, siteUrl: url }), functions, tokens }));
  } catch (error) {
    hardStop.abort();
    throw error;
  }
  return {
    url,
    tokens,
    async close(grace = 10_000) {
      // REST stays open while functions and their background work end, since they reach the database through it.
      draining = true;
      await within(grace, Promise.all([...calls]).then(settled));
      await within(1_000, Promise.all([...queries]));
      // Not shutdown(), which waits for connections that a client merely keeps open.
      hardStop.abort();
      await server.finished;
    },
  };
}

function isFunctionCall(request: Request): boolean {
  return new URL(request.url).pathname.startsWith("/functions/v1/");
}

function unavailable(): Response {
  return Response.json({ code: "UNAVAILABLE", message: "The server is stopping" }, {
    status: 503,
    headers: { "retry-after": "5", connection: "close" },
  });
}

/** Whether `work` ended in time. */
async function within(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), milliseconds);
  try {
    return await Promise.race([work.then(() => true), promise]);
  } finally {
    clearTimeout(timer);
  }
}
