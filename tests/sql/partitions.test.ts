import { assert, assertEquals, assertMatch } from "@std/assert";
import { rolledBack } from "./rolled-back.ts";
import { ensure, makeTable, months, note } from "./notes.ts";

rolledBack("the month of a time and the months ahead are made, once", async (session) => {
  await makeTable(session);
  assertEquals(await ensure(session, "2026-11-20T12:00:00Z"), 4);
  assertEquals(await months(session), [
    "notes_2026_11",
    "notes_2026_12",
    "notes_2027_01",
    "notes_2027_02",
    "notes_default",
  ]);
  assertEquals(await ensure(session, "2026-11-20T12:00:00Z"), 0);
  assertEquals(await ensure(session, "2026-12-01T00:00:00Z"), 1);
});

rolledBack("months are those of UTC, whatever the session's time zone", async (session) => {
  await makeTable(session);
  await session.exec("set local time zone 'Pacific/Auckland'");
  await ensure(session, "2026-11-30T23:59:59Z", 0);
  assertEquals(await months(session), ["notes_2026_11", "notes_default"]);
  for (
    const [at, where] of [
      ["2026-11-01T00:00:00Z", "notes_2026_11"],
      ["2026-11-30T23:59:59.999Z", "notes_2026_11"],
      ["2026-12-01T00:00:00Z", "notes_default"],
      ["2026-10-31T23:59:59.999Z", "notes_default"],
    ]
  ) {
    const [row] = await note(session, at!);
    const [found] = await session.query<{ at: string }>(
      "select tableoid::regclass::text as at from public.notes where id = $1",
      [row!.id],
    );
    assertEquals(found!.at, `partitions.${where}`, at);
  }
});

rolledBack("rows that found no month move into it with all that refers to them", async (session) => {
  await makeTable(session);
  await ensure(session, "2026-11-20T12:00:00Z", 0);
  const [moved] = await note(session, "2027-05-05T00:00:00Z", "moved");
  const [stays] = await note(session, "2028-01-01T00:00:00Z", "stays");
  for (const row of [moved, stays]) await session.query("insert into public.stars values ($1)", [row!.id]);
  const before = await session.query(
    "select id, room_id, n::text, text, shout from public.notes order by id",
  );
  assertEquals(await ensure(session, "2027-05-20T00:00:00Z", 0), 1);
  assertEquals(
    await session.query("select id, room_id, n::text, text, shout from public.notes order by id"),
    before,
  );
  const places = await session.query<{ place: string }>(
    "select tableoid::regclass::text as place from public.notes order by id",
  );
  assertEquals(places.map(({ place }) => place), ["partitions.notes_2027_05", "partitions.notes_default"]);
  assertEquals((await session.query("select note_id from public.stars")).length, 2);
  // The keys and the triggers are there again.
  const [keys] = await session.query<{ definition: string }>(
    "select pg_get_constraintdef(oid) as definition from pg_constraint where conrelid = 'public.stars'::regclass and contype = 'f'",
  );
  assertEquals(keys!.definition, "FOREIGN KEY (note_id) REFERENCES notes(id) ON DELETE CASCADE");
  const triggers = await session.query(
    "select tgrelid::regclass::text as name from pg_trigger where tgname = 'notes_are_kept' and tgenabled <> 'O'",
  );
  assertEquals(triggers, []);
});

rolledBack(
  "a partition has the indexes of its parent, row level security, and rights for nobody",
  async (session) => {
    await makeTable(session);
    await ensure(session, "2026-11-20T12:00:00Z", 0);
    const found = await session.query<Record<string, unknown>>(`
    select c.relrowsecurity as rls, (select count(*)::integer from pg_index i where i.indrelid = c.oid) as indexes,
      (select array_agg(p.polname::text) from pg_policy p where p.polrelid = c.oid) as policies,
      has_table_privilege('authenticated', c.oid, 'select') or has_table_privilege('anon', c.oid, 'select') as readable
    from pg_class c where c.oid in ('partitions.notes_2026_11'::regclass, 'partitions.notes_default'::regclass)`);
    const each = { rls: true, indexes: 2, policies: ["nobody"], readable: false };
    assertEquals(found, [each, each]);
  },
);

rolledBack("the job makes the months of every registered table", async (session) => {
  await makeTable(session);
  await session.exec("insert into private.partitioned_tables (name) values ('notes')");
  await session.exec("update public.jobs set next_run_at = '2026-01-01' where name = 'ensure_partitions'");
  await session.query("select public.run_due_jobs()");
  assertEquals((await months(session)).length, 5);
});

rolledBack("every partitioned table of the project is registered and has its months", async (session) => {
  const tables = await session.query<{ name: string }>(
    "select relname::text as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'p' order by 1",
  );
  const registered = await session.query("select name from private.partitioned_tables order by 1");
  assertEquals(tables, registered);
  for (const { name } of tables) {
    const at = new Date();
    const month = `${name}_${at.getUTCFullYear()}_${String(at.getUTCMonth() + 1).padStart(2, "0")}`;
    assert((await months(session, name)).includes(month), `${month} is missing`);
  }
});

rolledBack("an id is a UUIDv7 of its time, and ids sort by time to the microsecond", async (session) => {
  const [row] = await session.query<{ id: string; floor: string }>(
    `select private.uuid_v7('2026-11-20T12:00:00.123456Z') as id, private.uuid_floor('2026-11-20T12:00:00.123456Z') as floor`,
  );
  assertMatch(row!.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const milliseconds = parseInt(row!.id.replaceAll("-", "").slice(0, 12), 16);
  assertEquals(new Date(milliseconds).toISOString(), "2026-11-20T12:00:00.123Z");
  assertMatch(row!.floor, new RegExp(`^${row!.id.slice(0, 13)}-0000-0000-000000000000$`));
  const [order] = await session.query<{ sorted: boolean; distinct: number }>(`
    with made as (
      select n, private.uuid_v7('2026-11-20T12:00:00Z'::timestamptz + n * interval '1 microsecond') as id
      from generate_series(1, 5000) n)
    select bool_and(id > earlier or earlier is null) as sorted, count(distinct id)::integer as distinct
    from (select id, lag(id) over (order by n) as earlier from made) m`);
  assertEquals(order, { sorted: true, distinct: 5000 });
  const [clock] = await session.query<{ first: string; second: string }>(
    "select private.uuid_v7() as first, pg_sleep(0.001), private.uuid_v7() as second",
  );
  assert(clock!.first < clock!.second);
});
