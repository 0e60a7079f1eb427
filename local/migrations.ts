import type { LocalDatabase, Session } from "./database.ts";

/** A file of `supabase/migrations`, `<version>_<name>.sql`. */
export interface Migration {
  version: string;
  name: string;
  sql: string;
}

/** A migration file is not what was applied under its name. */
export class ChangedMigration extends Error {}

const folder = new URL("../supabase/migrations/", import.meta.url);

/** The migrations of the project, in the order in which they are applied. */
export async function readMigrations(): Promise<Migration[]> {
  const migrations: Migration[] = [];
  for await (const file of Deno.readDir(folder)) {
    const [, version, name] = /^(\d{14})_(.+)\.sql$/.exec(file.name) ?? [];
    if (!version || !name) continue;
    migrations.push({ version, name, sql: await Deno.readTextFile(new URL(file.name, folder)) });
  }
  return migrations.sort((a, b) => a.version < b.version ? -1 : 1);
}

/**
 * Applies what is pending, each migration in a transaction of its own together with its line in the history table
 * of the Supabase CLI. Returns the versions applied now. Throws a `ChangedMigration` or the database's error.
 */
export async function migrate(database: LocalDatabase, migrations: Migration[]): Promise<string[]> {
  const applied: string[] = [];
  for (const migration of migrations) {
    if (await database.transaction((session) => apply(session, migration))) applied.push(migration.version);
  }
  // The REST server keeps the tables it saw.
  if (applied.length > 0) await database.connection.clearSchemaCache();
  return applied;
}

/** Who wrote the line in the history: the CLI stores statements one by one, this server the file as it is. */
const writer = "parley";

async function apply(session: Session, { version, name, sql }: Migration): Promise<boolean> {
  // Two servers starting on one database: the second waits here and then finds the line.
  await session.query("select pg_advisory_xact_lock(hashtext('parley migrations'))");
  const [line] = await session.query<{ created_by: string | null; statements: string[] | null }>(
    "select created_by, statements from supabase_migrations.schema_migrations where version = $1",
    [version],
  );
  if (line) {
    if (line.created_by === writer && line.statements?.[0] !== sql) {
      throw new ChangedMigration(`${version}_${name}.sql has changed since it was applied`);
    }
    return false;
  }
  try {
    await session.exec(sql);
  } catch (error) {
    throw new Error(`cannot apply ${version}_${name}.sql${lineOf(sql, error)}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  await session.query(
    "insert into supabase_migrations.schema_migrations (version, name, statements, created_by) values ($1, $2, $3, $4)",
    [version, name, [sql], writer],
  );
  return true;
}

function lineOf(sql: string, error: unknown): string {
  const position = Number((error as { position?: string | number }).position);
  return position > 0 ? `, line ${sql.slice(0, position).split("\n").length}` : "";
}
