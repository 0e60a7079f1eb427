import { connect } from "../../local/database.ts";
import { migrate, type Migration, readMigrations } from "../../local/migrations.ts";
import { prelude } from "../../local/prelude.ts";
import { schemaHash } from "./snapshot.ts";

/** A database of its own on the server of `DATABASE_URL`. */
export interface FreshDatabase {
  url: string;
  drop(): Promise<void>;
}

/** Copies a migrated template, made once per schema; test processes that start at once wait for the first. */
export async function freshDatabase(server: string): Promise<FreshDatabase> {
  return await createDatabase(server, await ensureTemplate(server));
}

/** A database without anything in it, as a new project's server has. */
export async function emptyDatabase(server: string): Promise<FreshDatabase> {
  return await createDatabase(server, "template1");
}

async function createDatabase(server: string, template: string): Promise<FreshDatabase> {
  const name = `parley_test_${crypto.randomUUID().replaceAll("-", "")}`;
  await onServer(server, (exec) => exec(`create database ${name} template ${template}`));
  return {
    url: withDatabase(server, name),
    drop: () => onServer(server, (exec) => exec(`drop database if exists ${name} with (force)`)),
  };
}

async function ensureTemplate(server: string): Promise<string> {
  const migrations = await readMigrations();
  const name = `parley_template_${await schemaHash(migrations)}`;
  const admin = await connect({ url: server });
  try {
    // Held by a transaction of its own, since CREATE DATABASE must not run inside one.
    await admin.transaction(async (held) => {
      await held.query("select pg_advisory_xact_lock(hashtext('parley template'))");
      const [found] = await held.query<{ ready: boolean }>(
        "select datistemplate as ready from pg_catalog.pg_database where datname = $1",
        [name],
      );
      if (found?.ready) return;
      // One that is no template was left half-made by a process that was killed.
      await onServer(server, async (exec) => {
        if (found) await exec(`drop database ${name} with (force)`);
        await exec(`create database ${name}`);
      });
      try {
        await build(withDatabase(server, name), migrations);
      } catch (error) {
        await onServer(server, (exec) => exec(`drop database ${name} with (force)`));
        throw error;
      }
      await onServer(server, (exec) => exec(`alter database ${name} is_template true`));
    });
  } finally {
    await admin.close();
  }
  return name;
}

async function build(url: string, migrations: Migration[]): Promise<void> {
  const database = await connect({ url });
  try {
    await prelude(database);
    await migrate(database, migrations);
  } finally {
    await database.close();
  }
}

async function onServer(
  server: string,
  work: (exec: (sql: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  const admin = await connect({ url: server });
  try {
    await work(admin.exec);
  } finally {
    await admin.close();
  }
}

function withDatabase(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}
