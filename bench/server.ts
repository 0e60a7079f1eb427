// @ts-types="@types/pg"
import pg from "pg";
import { freshDatabase } from "../tests/support/template.ts";

/** A migrated database of its own on the server of DATABASE_URL, for the time of one bench. */
export interface BenchServer {
  readonly url: string;
  /** Opens one connection for each client; `role` is set on each when given. */
  connect(clients: number, role?: string): Promise<pg.Client[]>;
  /** Runs one statement on a connection of its own, as the owner. */
  query<T extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<T[]>;
  close(): Promise<void>;
}

/** The address of the PostgreSQL server to measure on; the embedded database has one session and no rounds to race. */
export function serverUrl(): string {
  const url = Deno.env.get("DATABASE_URL");
  if (url) return url;
  console.error("Cannot run this bench: DATABASE_URL is not set; it needs PostgreSQL 17 with pgvector.");
  Deno.exit(1);
}

/** Creates a database with every migration; `close` drops it. */
export async function openServer(): Promise<BenchServer> {
  const database = await freshDatabase(serverUrl());
  const open: pg.Client[] = [];
  const opened = async () => {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    open.push(client);
    return client;
  };
  const owner = await opened();
  return {
    url: database.url,
    connect: (clients, role) =>
      Promise.all(Array.from({ length: clients }, async () => {
        const client = await opened();
        if (role) await client.query(`set role ${role}`);
        return client;
      })),
    query: async (sql, values) => (await owner.query(sql, values)).rows,
    async close() {
      await Promise.all(open.map((client) => client.end()));
      await database.drop();
    },
  };
}

/** The fastest that a statement can be: what the driver, the wire and the server take for nothing. */
export function floor(clients: readonly pg.Client[]): (client: number) => Promise<unknown> {
  return (client) => clients[client]!.query({ name: "floor", text: "select 1" });
}
