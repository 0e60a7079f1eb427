import { assertEquals } from "@std/assert";
import { readMigrations } from "../../local/migrations.ts";
import { openDatabase, type TestSession } from "../support/database.ts";
import { catalog, difference } from "./catalog.ts";

const rollbacks = new URL("../../supabase/rollbacks/", import.meta.url);

const empty =
  ["tables", "columns", "constraints", "indexes", "policies", "triggers", "functions", "types", "views"]
    .map((title) => `# ${title}\n\n`).join("") + "# schemas\n";

async function down(session: TestSession): Promise<void> {
  for (const { version, name } of (await readMigrations()).reverse()) {
    await session.exec(await Deno.readTextFile(new URL(`${version}_${name}.sql`, rollbacks)));
  }
}

// Each file goes to the server as it is, many statements in one query: what pasting it into an editor does.
async function up(session: TestSession): Promise<void> {
  for (const { sql } of await readMigrations()) await session.exec(sql);
}

Deno.test("every migration has a rollback of the same name, and none is left over", async () => {
  const migrations = (await readMigrations()).map(({ version, name }) => `${version}_${name}.sql`);
  assertEquals([...Deno.readDirSync(rollbacks)].map((file) => file.name).sort(), migrations);
});

Deno.test("a rollback says in its head which data it drops, and never uses cascade", async () => {
  for (const { version, name } of await readMigrations()) {
    const sql = await Deno.readTextFile(new URL(`${version}_${name}.sql`, rollbacks));
    assertEquals(/^-- Undoes [a-z_]+\. Drops for good: /.test(sql), true, `head of ${name}`);
    assertEquals(/\bcascade\b/i.test(sql.replace(/--.*/g, "")), false, `cascade in ${name}`);
  }
});

Deno.test("up, down, up gives the same catalog, and down leaves nothing behind", async () => {
  await using database = await openDatabase();
  const before = await catalog(database);
  await down(database);
  assertEquals(difference(empty, await catalog(database)), []);
  if (database.kind === "pglite") {
    // No other database needs the role here.
    assertEquals(await database.query("select from pg_roles where rolname = 'agent_reader'"), []);
  }
  await up(database);
  assertEquals(difference(before, await catalog(database)), []);
});

Deno.test("a rollback works on a database that has data", async () => {
  await using database = await openDatabase();
  await database.exec(`
    insert into auth.users (id, email) values ('00000000-0000-4000-8000-000000000001', 'ann@example.com');
    insert into public.agents (owner_id, name) values ('00000000-0000-4000-8000-000000000001', 'Shop')`);
  await down(database);
  await up(database);
  assertEquals(await database.query("select email from public.users"), [{ email: "ann@example.com" }]);
});

Deno.test("the default privileges of an older hosted project change nothing", async () => {
  await using database = await openDatabase();
  const before = await catalog(database);
  await down(database);
  for (const kind of ["tables", "functions", "sequences"]) {
    await database.exec(
      `alter default privileges in schema public grant all on ${kind} to anon, authenticated, service_role`,
    );
  }
  await up(database);
  assertEquals(difference(before, await catalog(database)), []);
});
