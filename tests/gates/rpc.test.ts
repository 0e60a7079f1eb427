import { createClient } from "@supabase/supabase-js";
import { assertEquals } from "@std/assert";
import type { Database } from "../../shared/database.types.ts";
import { createRpc, createUserRpc, type Rpc, type UserRpc } from "../../shared/rpc.ts";
import { openDatabase } from "../support/database.ts";
import { projectUrl } from "./files.ts";

type Functions = Database["public"]["Functions"];

type Snake<S extends string> = S extends `${infer Head}${infer Rest}`
  ? `${Head extends Lowercase<Head> ? Head : `_${Lowercase<Head>}`}${Snake<Rest>}`
  : S;

type NamesOf<T> = Extract<keyof T, string>;
type NeededNames<T> = Extract<{ [K in keyof T]-?: undefined extends T[K] ? never : K }[keyof T], string>;

/** Arguments that only one side has: what the method sends and SQL does not take, what SQL needs and nobody sends. */
type Unmatched<Sql, Sent> = string extends keyof Sql ? never
  : Exclude<Snake<NamesOf<Sent>>, NamesOf<Sql> | Unprefixed<NamesOf<Sql>>> | Missing<NeededNames<Sql>, Sent>;
type Unprefixed<S extends string> = S extends `p_${infer Name}` ? Name : never;
type Missing<Needed extends string, Sent> = Needed extends
  Snake<NeededNames<Sent>> | `p_${Snake<NeededNames<Sent>>}` ? never
  : Needed;

// Methods that query a table under its policies, where a SQL function would only repeat the query.
const tableQueries = ["documentAgent", "turnAgent", "providerKeys", "deleteProviderKey"] as const;

type Faults<Methods> = {
  [M in Exclude<NamesOf<Methods>, typeof tableQueries[number]>]: Snake<M> extends keyof Functions
    ? Methods[M] extends (sent: infer Sent, ...rest: never[]) => unknown
      ? [Unmatched<Functions[Snake<M>]["Args"], Sent>] extends [never] ? never
      : { [Name in M]: Unmatched<Functions[Snake<M>]["Args"], Sent> }
    : never
    : `${M} has no SQL function`;
}[Exclude<NamesOf<Methods>, typeof tableQueries[number]>];

// Checked when this file is compiled; the error message names the method and its arguments.
type Proof<Fault> = [Fault] extends [never] ? true : Fault;
const proofs: [Proof<Faults<Rpc>>, Proof<Faults<UserRpc>>] = [true, true];

Deno.test("each method of shared/rpc.ts sends what its SQL function takes", () =>
  assertEquals(proofs, [true, true]));

Deno.test("each method of shared/rpc.ts calls the SQL function of its name, which its role may execute", async () => {
  await using database = await openDatabase();
  const called: string[] = [];
  const client = createClient("http://localhost", "key", {
    global: {
      fetch: (url) => {
        called.push(new URL(url instanceof Request ? url.url : url).pathname.split("/").at(-1) ?? "");
        return Promise.resolve(new Response("null", { headers: { "content-type": "application/json" } }));
      },
    },
  });
  for (
    const [role, methods] of Object.entries({
      service_role: createRpc(client),
      authenticated: createUserRpc(client, "token"),
    })
  ) {
    called.length = 0;
    const calls = Object.entries(methods).filter(([name]) => !tableQueries.some((query) => query === name));
    // The empty answer is refused by most, after the call that counts here.
    await Promise.allSettled(calls.map(([, method]) => (method as (args: object) => Promise<unknown>)({})));
    assertEquals(
      called,
      calls.map(([name]) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)),
    );
    const executable = await database.query<{ proname: string }>(
      `select distinct proname from pg_catalog.pg_proc
       where pronamespace = 'public'::regnamespace and has_function_privilege($1, oid, 'execute')`,
      [role],
    );
    const allowed = new Set(executable.map(({ proname }) => proname));
    assertEquals(called.filter((name) => !allowed.has(name)), [], `${role} may not execute them`);
  }
});

Deno.test("shared/database.types.ts has the functions of the migrations, with their arguments", async () => {
  await using database = await openDatabase();
  const rows = await database.query<{ name: string; args: string }>(
    `select p.proname as name, coalesce((
       select string_agg(a.name || case when a.position > p.pronargs - p.pronargdefaults then '?' else '' end, ' ' order by a.name)
       from unnest(p.proargnames[1:p.pronargs]) with ordinality as a (name, position)), '') as args
     from pg_catalog.pg_proc p
     where p.pronamespace = 'public'::regnamespace and p.prokind = 'f'
       and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
     order by 1`,
  );
  const types = await Deno.readTextFile(projectUrl("shared/database.types.ts"));
  const functions = types.slice(types.indexOf("Functions: {"), types.indexOf("Enums: {"));
  const generated = [...functions.matchAll(/"(\w+)":\s*\{ Args: ([^;]*);/g)].map((
    [, name = "", args = ""],
  ) => ({
    name,
    args: [...args.matchAll(/"(\w+)"(\??):/g)].map(([, arg, optional]) => `${arg}${optional}`).sort().join(
      " ",
    ),
  }));
  const sorted = rows.map(({ name, args }) => ({ name, args: args.split(" ").sort().join(" ") }));
  const byName = (a: { name: string }, b: { name: string }) => a.name < b.name ? -1 : 1;
  assertEquals(generated.sort(byName), sorted.sort(byName));
});
