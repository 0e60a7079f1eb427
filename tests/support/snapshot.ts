import { connect } from "../../local/database.ts";
import { migrate, type Migration, readMigrations } from "../../local/migrations.ts";
import { prelude } from "../../local/prelude.ts";

const root = new URL("../../", import.meta.url);
const cache = new URL(".parley/cache/", root);

/** Names one state of the schema: the migrations and all that runs before them. */
export async function schemaHash(migrations: Migration[]): Promise<string> {
  const sources = ["local/prelude.ts", "local/migrations.ts", "import_map.json"].map((path) =>
    new URL(path, root)
  );
  const texts = await Promise.all(sources.map((url) => Deno.readTextFile(url)));
  const all = new TextEncoder().encode(JSON.stringify([texts, migrations]));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", all));
  return [...digest.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * A dump of an embedded database with every migration applied. It is made once per schema and kept in
 * `.parley/cache`; the test processes that start meanwhile wait for the first.
 */
export async function snapshot(): Promise<Blob> {
  const migrations = await readMigrations();
  const file = new URL(`schema-${await schemaHash(migrations)}.tar.gz`, cache);
  const kept = await readIfPresent(file);
  if (kept) return kept;
  await Deno.mkdir(cache, { recursive: true });
  using lock = await Deno.open(new URL("lock", cache), { create: true, write: true });
  await lock.lock(true);
  const made = await readIfPresent(file);
  if (made) return made;
  const blob = await build(migrations);
  for await (const old of Deno.readDir(cache)) {
    if (old.name.startsWith("schema-")) await Deno.remove(new URL(old.name, cache));
  }
  const unfinished = new URL(`${crypto.randomUUID()}.tmp`, cache);
  await Deno.writeFile(unfinished, blob.stream());
  await Deno.rename(unfinished, file);
  return blob;
}

async function build(migrations: Migration[]): Promise<Blob> {
  const database = await connect("memory");
  try {
    await prelude(database);
    await migrate(database, migrations);
    if (!("dumpDataDir" in database.connection.driver)) {
      throw new Error("only an embedded database can be dumped");
    }
    return await database.connection.driver.dumpDataDir("gzip");
  } finally {
    await database.close();
  }
}

async function readIfPresent(file: URL): Promise<Blob | null> {
  try {
    return new Blob([await Deno.readFile(file)], { type: "application/x-gzip" });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
