import { connect, type DatabaseTarget, type LocalDatabase, type Session } from "./database.ts";
import { reason, StartFailure } from "./failure.ts";
import { ChangedMigration, migrate, readMigrations } from "./migrations.ts";
import { prelude } from "./prelude.ts";

/** Opens the database and brings it up to date; every way in which that can fail is a `StartFailure`. */
export async function openDatabase(target: DatabaseTarget): Promise<LocalDatabase> {
  const name = describe(target);
  const database = await connect(target).catch((error) => {
    throw new StartFailure(`Cannot open ${name}: ${reason(error)}`, { cause: error });
  });
  try {
    await requireSupported(database, name);
    await prelude(database);
    await migrate(database, await readMigrations());
    return database;
  } catch (error) {
    await database.close().catch(() => {});
    if (error instanceof StartFailure) throw error;
    const advice = !(error instanceof ChangedMigration)
      ? ""
      : database.kind === "pglite"
      ? "; start over with --reset"
      : "; use a new database";
    throw new StartFailure(`Cannot prepare ${name}: ${reason(error)}${advice}`, { cause: error });
  }
}

/** Throws a `StartFailure` unless the server is PostgreSQL 15 or later with pgvector 0.8 or later. */
export async function requireSupported(database: Pick<Session, "query">, name: string): Promise<void> {
  const [server] = await database.query<{ version: number; vector: string | null }>(
    `select current_setting('server_version_num')::int as version,
       (select default_version from pg_catalog.pg_available_extensions where name = 'vector') as vector`,
  );
  const { version, vector } = server!;
  if (version < 150000) {
    throw new StartFailure(
      `Cannot use ${name}: it is PostgreSQL ${Math.floor(version / 10000)}, 15 or later is needed`,
    );
  }
  const [major = 0, minor = 0] = (vector ?? "").split(".").map(Number);
  if (vector === null || (major === 0 && minor < 8)) {
    const found = vector === null ? "it is not installed there" : `version ${vector} is installed there`;
    throw new StartFailure(`Cannot use ${name}: it needs the extension pgvector 0.8 or later, ${found}`);
  }
}

/** A name for messages; the password of an address stays out of it. */
function describe(target: DatabaseTarget): string {
  if (target === "memory" || "snapshot" in target) return "a database in memory";
  if ("folder" in target) return `the database in ${target.folder}`;
  const { hostname, port, pathname } = new URL(target.url);
  return `the database ${pathname.slice(1) || "postgres"} at ${hostname}:${port || 5432}`;
}
