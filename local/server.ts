// The REST server finds this driver as its own only when it is imported here as a value.
import "postgres";
import type { Sql, TransactionSql } from "postgres";
import { createPostgresConnection } from "@supabase/lite/postgres";
import type { LocalDatabase, Session } from "./database.ts";

/** A pool of connections to a PostgreSQL server; nothing is sent yet. */
export function connectServer(url: string): LocalDatabase {
  const connection = createPostgresConnection({
    url,
    postgresOptions: { types, connect_timeout: 10, onnotice: () => {} },
  });
  const driver: Sql = connection.driver;
  const session = (on: Sql | TransactionSql): Session => ({
    query: async <T>(sql: string, params?: unknown[]) =>
      // deno-lint-ignore no-explicit-any -- the driver's parameter type has no room for nested JSON
      [...await on.unsafe(sql, params as any[])] as T[],
    exec: async (sql) => void await on.unsafe(sql).simple(),
  });
  return {
    kind: "postgres",
    connection,
    ...session(driver),
    transaction: <T>(work: (session: Session) => Promise<T>) =>
      driver.begin((open) => work(session(open))) as Promise<T>,
    close: () => driver.end({ timeout: 5 }),
  };
}

const json = (oid: number) => ({
  to: oid,
  from: [oid],
  // A string is JSON already: encoding it again would store a string where an object is meant.
  serialize: (value: unknown) => typeof value === "string" ? value : JSON.stringify(value),
  parse: (text: string) => JSON.parse(text),
});

const types = {
  json: json(114),
  jsonb: json(3802),
  timestamptz: {
    to: 1184,
    from: [1184],
    serialize: (value: unknown) => value instanceof Date ? value.toISOString() : value,
    parse: (text: string) => text,
  },
};
