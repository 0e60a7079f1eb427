import type { Session } from "../../local/database.ts";
import { type Actor, as } from "./people.ts";
import type { Tenant } from "./world.ts";

/** A table of the API, as the catalog describes it. */
export interface Table {
  name: string;
  key: string[];
  /** How a row is found to belong to an owner: SQL with `$1`, the owner's id. Null for what belongs to nobody. */
  belongs: string | null;
}

type Row = Record<string, unknown>;

/** Every table of schema public, with the way from its rows to their owner. */
export async function readTables(session: Session): Promise<Table[]> {
  const found = await session.query<{ name: string; key: string[]; columns: string[]; parents: Row[] }>(`
    select c.relname::text as name,
      (select array_agg(a.attname::text order by a.attnum) from pg_index i join pg_attribute a
         on a.attrelid = c.oid and a.attnum = any (i.indkey) where i.indrelid = c.oid and i.indisprimary) as key,
      (select array_agg(a.attname::text) from pg_attribute a where a.attrelid = c.oid and a.attnum > 0) as columns,
      coalesce((select jsonb_agg(jsonb_build_object('column', a.attname, 'parent', p.relname) order by a.attnum)
        from pg_constraint f join pg_class p on p.oid = f.confrelid join pg_attribute a
          on a.attrelid = c.oid and a.attnum = f.conkey[1]
        where f.conrelid = c.oid and f.contype = 'f' and f.conparentid = 0 and cardinality(f.conkey) = 1), '[]') as parents
    from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    order by c.relname collate "C"`);
  const way = (name: string, seen: string[]): string | null => {
    const table = found.find((one) => one.name === name)!;
    if (name === "users") return "id = $1";
    if (table.columns.includes("owner_id")) return "owner_id = $1";
    if (table.columns.includes("agent_id")) {
      return "agent_id in (select a.id from public.agents a where a.owner_id = $1)";
    }
    if (table.columns.includes("user_id")) return "user_id = $1";
    for (const { column, parent } of table.parents) {
      const above = seen.includes(String(parent)) ? null : way(String(parent), [...seen, name]);
      if (above) return `${column} in (select p.id from public.${parent} p where ${above})`;
    }
    return null;
  };
  return found.map(({ name, key }) => ({ name, key, belongs: way(name, []) }));
}

/** The rows of an owner in a table, or all of a table that belongs to nobody, as the database's owner sees them. */
export async function rowsOf(session: Session, table: Table, tenant: Tenant): Promise<Row[]> {
  const rows = await session.query<{ row: Row }>(
    `select to_jsonb(t) as row from public.${table.name} t
     where ${table.belongs ?? "$1::uuid is not null"} order by to_jsonb(t)::text`,
    [tenant.ownerId],
  );
  return rows.map(({ row }) => row);
}

/** Names a row by its primary key. */
export function keyOf(table: Table, row: Row): string {
  return JSON.stringify(table.key.map((column) => row[column]));
}

/** What happened to a statement: the rows it answered, or why it was refused. */
export interface Outcome {
  rows: Row[];
  refused: string | null;
}

/** Runs one statement that answers rows named `row`, or none, as an actor; what it changes stays. */
export async function attempt(
  session: Session,
  actor: Actor,
  sql: string,
  params: unknown[] = [],
): Promise<Outcome> {
  try {
    const rows = await as<{ row: Row }>(session, actor, sql, params);
    return { rows: rows.map(({ row }) => row), refused: null };
  } catch (error) {
    return { rows: [], refused: String((error as { code?: string }).code) };
  }
}

/** The columns of a table on which a role has a right. */
export async function columnsWith(
  session: Session,
  table: Table,
  role: string,
  right: "select" | "insert" | "update",
): Promise<string[]> {
  const rows = await session.query<{ name: string }>(
    `select a.attname::text as name from pg_attribute a
     where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped
       and has_column_privilege($2, a.attrelid, a.attnum, $3) order by a.attnum`,
    [`public.${table.name}`, role, right],
  );
  return rows.map(({ name }) => name);
}

async function writable(session: Session, name: string): Promise<string> {
  const [column] = await session.query<{ name: string }>(
    `select a.attname::text as name from pg_attribute a where a.attrelid = $1::regclass and a.attnum > 0
       and a.attidentity = '' and a.attgenerated = '' order by a.attnum limit 1`,
    [name],
  );
  return column!.name;
}

/** What makes a copy of a row another row. */
const another: Record<string, Row> = {
  agents: { name: "Another" },
  agent_tools: { tool: "another" },
  company_facts: { key: "another" },
  model_prices: { model: "another" },
};

export const operations = ["select", "insert", "update", "delete"] as const;
export type Operation = typeof operations[number];

/** The statement with which an actor tries an operation on a whole table; an insert copies `row`. */
export async function statement(
  session: Session,
  { table, role, operation, row }: { table: Table; role: string; operation: Operation; row: Row },
): Promise<{ sql: string; params: unknown[] }> {
  const name = `public.${table.name}`;
  if (operation === "delete") return { sql: `delete from ${name}`, params: [] };
  const allowed = await columnsWith(session, table, role, operation);
  if (operation === "select") {
    const columns = allowed.length > 0 ? allowed.join(", ") : "*";
    return { sql: `select to_jsonb(s) as row from (select ${columns} from ${name}) s`, params: [] };
  }
  // Without any right it is tried all the same, to see the missing grant refuse it.
  const columns = allowed.length > 0 ? allowed : [await writable(session, name)];
  if (operation === "update") {
    return { sql: `update ${name} set ${columns.map((c) => `${c} = ${c}`).join(", ")}`, params: [] };
  }
  return {
    sql: `insert into ${name} (${columns.join(", ")}) select ${columns.join(", ")}
      from jsonb_populate_record(null::${name}, $1)`,
    params: [JSON.stringify({ ...row, ...another[table.name] })],
  };
}
