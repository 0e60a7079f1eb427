import { assertEquals } from "@std/assert";
import { readMigrations } from "../../local/migrations.ts";
import { openDatabase } from "../support/database.ts";
import { rules } from "./rules.ts";

Deno.test("the schema keeps its laws", async (t) => {
  await using database = await openDatabase();
  for (const { name, offenders } of rules) {
    await t.step(name, async () => {
      const rows = await database.query<{ name: string }>(
        `select name::text from (${offenders}) o order by 1`,
      );
      assertEquals(rows.map((row) => row.name), []);
    });
  }
});

// A law that nothing can break would guard nothing.
const broken = `
  create table public.broken (
    id bigint, x integer check (x > 0), status text, owner_id uuid references public.users (id), token text,
    a integer, b integer, updated_at timestamptz, unique (a, b), constraint broken_a_b_again unique (b, a));
  create index broken_a on public.broken (a);
  grant select, update (status, token, id) on public.broken to anon, authenticated, agent_reader;
  grant truncate on public.broken to authenticated;
  create policy one on public.broken for select to agent_reader using (true);
  create policy two on public.broken for select to agent_reader using (true);
  create policy three on public.broken for update using (owner_id = auth.uid());
  create policy four on public.broken for delete to authenticated using (owner_id in (select private.visible_agents()));
  create table public.bare (id integer, status text);
  grant update on public.bare to authenticated;
  create table public.halves (id uuid primary key) partition by range (id);
  create table partitions.half partition of public.halves default;
  create function public.broken() returns integer language sql security definer as $$ select 1 $$;
  grant execute on function public.broken() to public;
  create function public.fire() returns trigger language plpgsql as $$ begin return new; end $$;
  grant execute on function public.fire() to service_role;
  create view public.peek as select * from public.users;
  alter extension vector set schema public;`;

Deno.test("every law finds what breaks it", async () => {
  await using database = await openDatabase();
  await database.rolledBack(async (session) => {
    await session.exec(broken);
    const blind: string[] = [];
    for (const { name, offenders } of rules) {
      if ((await session.query(`select from (${offenders}) o`)).length === 0) blind.push(name);
    }
    assertEquals(blind, []);
  });
});

/** The text of each `create function` up to its body. */
function heads(sql: string): string[] {
  return [...sql.matchAll(/^create function [\s\S]*?\bas \$/gm)].map(([head]) => head.replace(/\s+/g, " "));
}

Deno.test("a function says its volatility, its security and its path where it is made", async () => {
  const silent: string[] = [];
  for (const { name, sql } of await readMigrations()) {
    for (const head of heads(sql)) {
      const complete = /\b(immutable|stable|volatile)\b/.test(head) &&
        /\bsecurity (definer|invoker)\b/.test(head);
      if (!complete) silent.push(`${name}: ${head.slice(0, 80)}`);
    }
  }
  assertEquals(silent, []);
});

Deno.test("a function fits a screen", async () => {
  await using database = await openDatabase();
  const long = await database.query(`
    select p.oid::regprocedure::text as name, array_length(string_to_array(btrim(p.prosrc, E'\\n'), E'\\n'), 1) as lines
    from pg_proc p where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
      and array_length(string_to_array(btrim(p.prosrc, E'\\n'), E'\\n'), 1) > 50`);
  assertEquals(long, []);
});

Deno.test("migrations are plain: no test for existence but where a hosted project has the object already", async () => {
  const found: string[] = [];
  for (const { name, sql } of await readMigrations()) {
    for (const [line] of sql.matchAll(/^.*\bif (not )?exists\b.*$/gim)) {
      if (/create (schema|extension) if not exists|create role/.test(line)) continue;
      if (/^\s*(--|if (not )?exists \(select)/.test(line)) continue;
      found.push(`${name}: ${line.trim()}`);
    }
    for (const [line] of sql.matchAll(/^.*\b(concurrently|drop .* cascade)\b.*$/gim)) {
      found.push(`${name}: ${line.trim()}`);
    }
  }
  assertEquals(found, []);
});
