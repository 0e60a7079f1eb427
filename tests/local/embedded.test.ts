import { setTimeout as delay } from "node:timers/promises";
import { assertEquals, assertRejects } from "@std/assert";
import { sql } from "kysely";
import { connect } from "../../local/database.ts";
import { snapshot } from "../support/snapshot.ts";

Deno.test("the embedded database", async (t) => {
  const database = await connect({ snapshot: await snapshot() });
  try {
    await t.step("gives one transaction after the other the session, with its role", async () => {
      const asRole = (role: string) =>
        database.connection.kysely.transaction().execute(async (open) => {
          await sql.raw(`set local role ${role}`).execute(open);
          // Somebody else's statement would run here if the session were shared.
          await Promise.resolve();
          return (await sql<{ role: string }>`select current_user::text as role`.execute(open)).rows[0]!.role;
        });
      const direct = async () =>
        (await database.query<{ role: string }>("select current_user::text as role"))[0]!.role;
      const seen = await Promise.all([asRole("anon"), direct(), asRole("service_role"), direct()]);
      assertEquals(seen, ["anon", "postgres", "service_role", "postgres"]);
    });

    await t.step("leaves nothing of a transaction that fails, and gives the session back", async () => {
      await database.exec("create table public.note (text text)");
      await assertRejects(() =>
        database.transaction(async (session) => {
          await session.query("insert into public.note values ('lost')");
          throw new Error("no");
        })
      );
      assertEquals(await database.query("select text from public.note"), []);
    });

    await t.step("keeps its write-ahead log short", async () => {
      await database.exec("create table public.bulk (i int, text text)");
      for (let written = 0; written < 4; written++) {
        await database.exec(
          `insert into public.bulk select i, repeat('x', 1000) from generate_series(1, 20000) as i;
           truncate public.bulk`,
        );
      }
      await delay(600);
      const [log] = await database.query<{ bytes: number }>(
        `select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::float8 as bytes from pg_control_checkpoint()`,
      );
      assertEquals(log!.bytes < 65 * 1024 * 1024, true, `${log!.bytes}`);
      assertEquals(await database.query("show max_wal_size"), [{ max_wal_size: "128MB" }]);
    });

    await t.step("does not mark the process as failed when a statement fails", async () => {
      await assertRejects(() => database.query("select 1 / 0"), Error, "division by zero");
      assertEquals(Deno.exitCode, 0);
    });
  } finally {
    await database.close();
  }
});
