import type { PgliteConnection } from "@supabase/lite/pglite";
import type { PostgresConnection } from "@supabase/lite/postgres";
import { connectEmbedded, type EmbeddedTarget } from "./embedded.ts";
import { matchHosted } from "./parity.ts";
import { connectServer } from "./server.ts";

/** One connection to the database, as superuser unless the statement before set another role. */
export interface Session {
  /** Runs one statement with `$1` parameters; objects are passed as jsonb, arrays as arrays. */
  query<T = Record<string, unknown>>(sql: string, params?: unknown[]): Promise<T[]>;
  /** Runs any number of statements without parameters. */
  exec(sql: string): Promise<void>;
}

/** The database of the local stack: PGlite in this process, or a PostgreSQL server. */
export interface LocalDatabase extends Session {
  readonly kind: "pglite" | "postgres";
  /** What the REST and Auth server of the stack is built on. */
  readonly connection: PgliteConnection | PostgresConnection;
  /** Commits when `work` resolves, rolls back when it rejects. */
  transaction<T>(work: (session: Session) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Where the data is: a server, a folder of PGlite, a dump of such a folder, or memory alone. */
export type DatabaseTarget = { url: string } | EmbeddedTarget;

/** Opens the database and waits, at most `patience` milliseconds, until it answers; throws when it does not. */
export async function connect(target: DatabaseTarget, patience = 10_000): Promise<LocalDatabase> {
  const database = typeof target === "object" && "url" in target
    ? connectServer(target.url)
    : await connectEmbedded(target);
  // On its first request the REST server would grant ALL on every table to every role. "active" says that it
  // did, so privileges stay those of the migrations, as on a hosted project.
  Reflect.set(database.connection, "rlsState", "active");
  matchHosted(database.connection);
  try {
    await answers(database, patience);
  } catch (error) {
    await database.close().catch(() => {});
    throw error;
  }
  return database;
}

// The driver's own limit ends with the connection: a server that takes it and then says nothing would be waited for.
async function answers(database: LocalDatabase, patience: number): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${patience / 1000} s`)), patience);
  try {
    await Promise.race([database.query("select 1"), promise]);
  } finally {
    clearTimeout(timer);
  }
}
