import { assert, assertEquals } from "@std/assert";
import { openDatabase, type TestDatabase } from "../support/database.ts";
import {
  attempt,
  keyOf,
  type Operation,
  operations,
  readTables,
  rowsOf,
  statement,
  type Table,
} from "./access.ts";
import type { Actor } from "./people.ts";
import { makeWorld, type Tenant, type World } from "./world.ts";

/** What one actor's operation on one table did to the rows of one tenant. */
interface Reach {
  table: string;
  actor: string;
  operation: Operation;
  own: number;
  foreign: number;
  refused: string | null;
}

/** Tries an operation and counts, as the database's owner, the rows of each side that were seen or changed. */
function reach(
  database: TestDatabase,
  world: World,
  { table, actor, operation }: { table: Table; actor: Actor; operation: Operation },
): Promise<Reach> {
  return database.rolledBack(async (session) => {
    const look = (tenant: Tenant) => rowsOf(session, table, tenant);
    const before = { own: await look(world.ann), foreign: table.belongs ? await look(world.bob) : [] };
    const outcomes = [];
    // An insert is tried with a row of each side, everything else takes the whole table.
    for (const rows of operation === "insert" ? [before.own, before.foreign] : [before.own]) {
      if (rows.length === 0) continue;
      const { sql, params } = await statement(session, { table, role: actor.role, operation, row: rows[0]! });
      outcomes.push(await attempt(session, actor, sql, params));
    }
    const refused = outcomes.find((outcome) => outcome.refused)?.refused ?? null;
    const result = { table: table.name, actor: actor.name, operation, refused };
    if (operation === "select") {
      const seen = new Set(outcomes[0]!.rows.map((row) => keyOf(table, row)));
      const count = (rows: Record<string, unknown>[]) =>
        rows.filter((row) => seen.has(keyOf(table, row))).length;
      return { ...result, own: count(before.own), foreign: count(before.foreign) };
    }
    const changed = (old: Record<string, unknown>[], now: Record<string, unknown>[]) => {
      const [then, since] = [old.map((row) => JSON.stringify(row)), now.map((row) => JSON.stringify(row))];
      return then.filter((row) => !since.includes(row)).length || Math.abs(now.length - old.length);
    };
    return {
      ...result,
      own: changed(before.own, await look(world.ann)),
      foreign: table.belongs ? changed(before.foreign, await look(world.bob)) : 0,
    };
  });
}

const letters: Record<Operation, string> = { select: "r", insert: "c", update: "u", delete: "d" };
const accessFile = new URL("access.snap", import.meta.url);

/** One line a table: what each actor reaches of Ann's rows, or of a table that belongs to nobody. */
export function access(tables: Table[], reaches: Reach[]): string {
  const actors = [...new Set(reaches.map(({ actor }) => actor))];
  return tables.map(({ name }) => {
    const cells = actors.map((actor) => {
      const rights = reaches.filter((one) => one.table === name && one.actor === actor && one.own > 0);
      return `${actor} ${rights.map(({ operation }) => letters[operation]).join("") || "-"}`;
    });
    return `${name}: ${cells.join(", ")}\n`;
  }).join("");
}

Deno.test("tenants are isolated in every table, for every operation", async (t) => {
  await using database = await openDatabase();
  const world = await database.transaction(makeWorld);
  const tables = await readTables(database);
  const { owner, editor, viewer, stranger, anonymous, admin, neighbour } = world.actors;

  await t.step("each table has a row of both tenants, or is of the installation and not empty", async () => {
    for (const table of tables) {
      const [own, foreign] = [
        await rowsOf(database, table, world.ann),
        await rowsOf(database, table, world.bob),
      ];
      assert(own.length > 0 && foreign.length > 0, `no row in ${table.name}: makeWorld must make one`);
    }
    const named = await database.query<{ name: string }>(`
      select distinct c.table_name::text as name from information_schema.columns c join pg_class p on p.relname = c.table_name
      where c.table_schema = 'public' and c.column_name in ('agent_id', 'owner_id', 'user_id') and p.relkind in ('r', 'p')`);
    const ownerless = tables.filter(({ belongs }) => !belongs).map(({ name }) => name);
    assertEquals(named.filter(({ name }) => ownerless.includes(name)), []);
  });

  const reaches: Reach[] = [];
  for (const table of tables) {
    for (const actor of [owner, editor, viewer, stranger, anonymous, admin]) {
      for (const operation of operations) {
        reaches.push(await reach(database, world, { table, actor, operation }));
      }
    }
  }
  const found = (wrong: (one: Reach) => boolean) =>
    reaches.filter(wrong).map(({ table, actor, operation }) => `${actor} ${operation} ${table}`);
  const owned = new Set(tables.filter(({ belongs }) => belongs).map(({ name }) => name));

  await t.step("the people of one tenant see and change nothing of the other", () => {
    assertEquals(found(({ actor, foreign }) => actor !== admin.name && foreign > 0), []);
  });

  await t.step("a signed-in stranger sees and changes nothing of any tenant", () => {
    assertEquals(
      found(({ actor, own, table }) => actor === stranger.name && own > 0 && owned.has(table)),
      [],
    );
  });

  await t.step("without a token everything is refused, not merely empty", () => {
    assertEquals(found(({ actor, refused }) => actor === anonymous.name && refused !== "42501"), []);
  });

  await t.step("a viewer writes nothing but the end of their own membership", () => {
    assertEquals(found((one) => one.actor === viewer.name && one.operation !== "select" && one.own > 0), [
      "viewer delete agent_members",
    ]);
  });

  await t.step("what the owner's policies promise works on the rows there are", async () => {
    const promised = await database.query<{ name: string; command: string }>(`
      select c.relname::text as name, p.polcmd::text as command from pg_policy p join pg_class c on c.oid = p.polrelid
      where c.relnamespace = 'public'::regnamespace and p.polpermissive and 'authenticated'::regrole = any (p.polroles)`);
    const commands: Record<Operation, string> = { select: "r", insert: "a", update: "w", delete: "d" };
    const kept = (table: string, operation: Operation) =>
      reaches.some((one) =>
        one.table === table && one.actor === owner.name && one.operation === operation && one.own > 0
      );
    const empty = operations.flatMap((operation) =>
      promised.filter(({ name, command }) => owned.has(name) && [commands[operation], "*"].includes(command))
        .filter(({ name }) => !kept(name, operation)).map(({ name }) => `${operation} ${name}`)
    );
    assertEquals(empty, []);
  });

  await t.step("who reaches what is as committed (deno task snapshot writes it)", async () => {
    const text = access(tables, reaches);
    if (Deno.env.get("UPDATE_SNAPSHOT")) await Deno.writeTextFile(accessFile, text);
    assertEquals(text.split("\n"), (await Deno.readTextFile(accessFile)).split("\n"));
  });

  await t.step("a hidden agent is out of reach for all its members, and so is all that it has", async () => {
    await database.rolledBack(async (session) => {
      const before = new Map<string, string[]>();
      for (const table of tables) {
        before.set(table.name, (await rowsOf(session, table, world.ann)).map((row) => keyOf(table, row)));
      }
      await session.query("delete from public.agents where id = $1", [world.ann.agentId]);
      const visible: string[] = [];
      // The ledger and the counters hang on the owner, and the owner stays.
      const stay = ["users", "provider_keys", "usage_counters", "usage_logs"];
      for (const table of tables.filter(({ name, belongs }) => belongs && !stay.includes(name))) {
        for (const actor of [owner, editor, viewer]) {
          const { sql } = await statement(session, { table, role: actor.role, operation: "select", row: {} });
          const { rows } = await attempt(session, actor, sql);
          const own = rows.filter((row) => before.get(table.name)!.includes(keyOf(table, row)));
          if (own.length > 0) visible.push(`${actor.name} ${table.name}`);
        }
      }
      assertEquals(visible, []);
    });
  });

  await t.step("agent_reader sees the one agent of its transaction, and nothing without one", async () => {
    const reader: Actor = { name: "agent_reader", role: "agent_reader", claims: null };
    const read: string[] = [];
    for (const table of tables) {
      const granted = await database.query(
        "select from pg_policy p where p.polrelid = $1::regclass and 'agent_reader'::regrole = any (p.polroles)",
        [`public.${table.name}`],
      );
      await database.rolledBack(async (session) => {
        const { sql } = await statement(session, { table, role: reader.role, operation: "select", row: {} });
        assertEquals((await attempt(session, reader, sql)).rows, [], `${table.name} without an agent`);
        // Contexts are of one visitor besides, and both tenants know one of this name.
        await session.query(
          "select set_config('app.agent_id', $1, true), set_config('app.visitor_id', 'zoe', true)",
          [
            world.ann.agentId,
          ],
        );
        const seen = (await attempt(session, reader, sql)).rows.map((row) => keyOf(table, row));
        const foreign = (await rowsOf(session, table, world.bob)).map((row) => keyOf(table, row));
        if (granted.length > 0) {
          assert(seen.length > 0, `${table.name} has a policy for agent_reader but shows nothing`);
          assertEquals(seen.filter((key) => foreign.includes(key)), [], table.name);
          read.push(table.name);
        } else assertEquals(seen, [], table.name);
      });
    }
    assert(read.includes("document_chunks") && read.includes("messages"), read.join());
  });

  await t.step("the neighbour is as real as the owner: each sees their own half", async () => {
    for (const table of tables.filter(({ belongs }) => belongs)) {
      const mine = await reach(database, world, { table, actor: owner, operation: "select" });
      const theirs = await reach(database, world, { table, actor: neighbour, operation: "select" });
      assertEquals([theirs.own, theirs.foreign > 0], [0, mine.own > 0], table.name);
    }
  });
});
