import { PGlite, type Transaction } from "@electric-sql/pglite";
import { vector } from "@electric-sql/pglite/vector";
import { createPgliteConnection } from "@supabase/lite/pglite";
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from "kysely";
import type { LocalDatabase, Session } from "./database.ts";

/** A folder of PGlite, a dump of such a folder, or memory alone. */
export type EmbeddedTarget = { folder: string } | { snapshot: Blob } | "memory";

/** Opens PGlite with pgvector in this process. Nothing here locks the folder: two processes would corrupt it. */
export async function connectEmbedded(target: EmbeddedTarget): Promise<LocalDatabase> {
  const exitCode = Deno.exitCode;
  const connection = await createPgliteConnection({
    ...(typeof target === "object" && "folder" in target ? { url: target.folder } : {}),
    pgliteOptions: {
      extensions: { vector },
      startParams: [...PGlite.defaultStartParams, ...logLimits],
      ...(typeof target === "object" && "snapshot" in target ? { loadDataDir: target.snapshot } : {}),
    },
  });
  const driver: PGlite = connection.driver;
  // Starting PostgreSQL inside the process leaves its exit code behind as if this process had failed.
  await driver.waitReady;
  Deno.exitCode = exitCode;
  const turns = new Turns(() => checkpoint(driver));
  // The REST server's own dialect lets requests share the one session, so that one request's statements would run
  // in another's transaction and role. Here each has the session alone until it gives it back.
  connection.kysely = new Kysely({ dialect: exclusive(driver, turns) });
  const session = (on: PGlite | Transaction): Session => ({
    query: async <T>(sql: string, params?: unknown[]) => (await on.query<T>(sql, params)).rows,
    exec: async (sql) => void await on.exec(sql),
  });
  const alone = session(driver);
  return {
    kind: "pglite",
    connection,
    query: (sql, params) => turns.run(() => alone.query(sql, params)),
    exec: (sql) => turns.run(() => alone.exec(sql)),
    transaction: (work) => turns.run(() => driver.transaction((open) => work(session(open)))),
    close: () => connection.close(),
  };
}

// What a checkpoint leaves of the write-ahead log; PostgreSQL's own limit of 1 GB is meant for servers.
const logLimits = ["-c", "max_wal_size=128MB", "-c", "min_wal_size=32MB"];

/** Embedded PostgreSQL has no process that makes checkpoints: without this the log grows until the end. */
async function checkpoint(driver: PGlite): Promise<void> {
  const { rows: [log] } = await driver.query<{ long: boolean }>(
    `select pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), redo_lsn) > 64 * 1024 * 1024 as long
     from pg_catalog.pg_control_checkpoint()`,
  );
  if (log!.long) await driver.exec("checkpoint");
}

const upkeepInterval = 500;

/** Hands out the session to one caller after the other, and in between, now and then, to `upkeep`. */
class Turns {
  readonly #upkeep: () => Promise<void>;
  #last: Promise<void> = Promise.resolve();
  #upkept = performance.now();

  constructor(upkeep: () => Promise<void>) {
    this.#upkeep = upkeep;
  }

  /** Resolves to what gives the session back, once everyone before has done so. */
  async take(): Promise<() => void> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    // PGlite marks the process as failed (exit code 100) whenever a statement fails, though it goes on working.
    const { exitCode } = Deno;
    if (performance.now() - this.#upkept > upkeepInterval) {
      // What it could not do now it does the next time; nobody's statement is to fail for it.
      await this.#upkeep().catch((error) =>
        console.error(`Cannot checkpoint the database: ${error.message}`)
      );
      this.#upkept = performance.now();
    }
    return () => {
      Deno.exitCode = exitCode;
      resolve();
    };
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    const giveBack = await this.take();
    try {
      return await work();
    } finally {
      giveBack();
    }
  }
}

function exclusive(driver: PGlite, turns: Turns): Dialect {
  const connection: DatabaseConnection = {
    async executeQuery<R>({ sql, parameters }: CompiledQuery) {
      const { rows, affectedRows } = await driver.query<R>(sql, [...parameters]);
      return { rows, ...(affectedRows === undefined ? {} : { numAffectedRows: BigInt(affectedRows) }) };
    },
    // deno-lint-ignore require-yield -- the type asks for a generator
    async *streamQuery() {
      throw new Error("Cannot stream a query: the embedded database answers at once");
    },
  };
  const held = new Map<DatabaseConnection, () => void>();
  const run = async (on: DatabaseConnection, sql: string) =>
    void await on.executeQuery(CompiledQuery.raw(sql));
  return {
    createAdapter: () => new PostgresAdapter(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createDriver: () => ({
      init: () => Promise.resolve(),
      destroy: () => Promise.resolve(),
      async acquireConnection() {
        const giveBack = await turns.take();
        const own = { ...connection };
        held.set(own, giveBack);
        return own;
      },
      releaseConnection(own) {
        held.get(own)?.();
        held.delete(own);
        return Promise.resolve();
      },
      beginTransaction: (on) => run(on, "begin"),
      commitTransaction: (on) => run(on, "commit"),
      rollbackTransaction: (on) => run(on, "rollback"),
    }),
  };
}
