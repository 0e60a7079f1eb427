import { assertEquals, assertRejects } from "@std/assert";
import { ChangedMigration, migrate } from "../../local/migrations.ts";
import { openDatabase } from "../support/database.ts";

const first = { version: "20990101000000", name: "notes", sql: "create table public.notes (text text);" };

Deno.test("migrations are applied once, in order, each with its line in the CLI's history", async () => {
  await using database = await openDatabase();
  const second = {
    version: "20990102000000",
    name: "more",
    sql: "alter table public.notes add column more text;",
  };
  assertEquals(await migrate(database, [first, second]), [first.version, second.version]);
  assertEquals(await migrate(database, [first, second]), []);
  const history = await database.query(
    "select version, name, statements from supabase_migrations.schema_migrations where version >= '2099' order by 1",
  );
  assertEquals(
    history,
    [first, second].map(({ version, name, sql }) => ({ version, name, statements: [sql] })),
  );

  await assertRejects(
    () => migrate(database, [{ ...first, sql: "create table public.notes (other text);" }]),
    ChangedMigration,
    "20990101000000_notes.sql has changed since it was applied",
  );
  const broken = {
    version: "20990103000000",
    name: "broken",
    sql: "create table public.half (i int);\n\nselct 1;",
  };
  await assertRejects(
    () => migrate(database, [broken]),
    Error,
    "cannot apply 20990103000000_broken.sql, line 3",
  );
  assertEquals(await database.query("select to_regclass('public.half')::text as half"), [{ half: null }]);
});
