import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { reason, StartFailure } from "./failure.ts";

/** What `deno task start` was asked to do. */
export interface StartOptions {
  port: number;
  /** Holds the embedded database and the installation's keys. */
  dataDir: string;
  /** Where the demo's keys and passwords are written. */
  demoFile: string;
  /** Keep nothing: the database and the keys end with the process. */
  memory: boolean;
  /** Delete what is in `dataDir` first. */
  reset: boolean;
  /** A PostgreSQL server instead of the embedded database. */
  databaseUrl: string | null;
}

const defaultDataDir = ".parley/data";

/** What `--help` prints. */
export const usage = `Starts Parley: database, REST, Auth and functions on one port.

  deno task start [--port 54321] [--data-dir .parley/data] [--memory] [--reset]

  --port NUMBER    the port on 127.0.0.1; 0 takes a free one
  --data-dir PATH  where the embedded database, the keys and demo.env are kept
  --memory         keep nothing on disk but demo.env (memory.env where demo.env belongs to kept data)
  --reset          delete the data in --data-dir and start over
  DATABASE_URL     (environment) use this PostgreSQL 15 or later with pgvector instead of the embedded database`;

/**
 * Reads the command line and `DATABASE_URL`; null when help was asked for. `isInUse` says whether a folder holds an
 * installation's data. Throws a `StartFailure`.
 */
export function readOptions(
  args: string[],
  databaseUrl: string | undefined,
  isInUse: (dataDir: string) => boolean = holdsKeys,
): StartOptions | null {
  const flags = parse(args);
  if (flags.help) return null;
  const port = flags.port ?? "54321";
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    throw new StartFailure(`Cannot use --port ${port}: it must be a number from 0 to 65535`);
  }
  const dataDir = flags["data-dir"] ?? defaultDataDir;
  const memory = flags.memory ?? false;
  const options: StartOptions = {
    port: Number(port),
    dataDir,
    // Beside other data lie other keys: servers that do not share a folder do not share the file, nor does one that keeps
    // nothing write over the keys of one that does.
    demoFile: resolve(dataDir) !== resolve(defaultDataDir)
      ? join(dataDir, "demo.env")
      : memory && isInUse(dataDir)
      ? ".parley/memory.env"
      : ".parley/demo.env",
    memory,
    reset: flags.reset ?? false,
    databaseUrl: databaseUrl?.trim() || null,
  };
  if (options.dataDir === "") throw new StartFailure("Cannot use --data-dir: the path is empty");
  if (options.databaseUrl) refuseBeside(options);
  return options;
}

function holdsKeys(dataDir: string): boolean {
  try {
    return Deno.statSync(join(dataDir, "keys.json")).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new StartFailure(`Cannot look into ${dataDir}: ${reason(error)}`, { cause: error });
  }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        port: { type: "string" },
        "data-dir": { type: "string" },
        memory: { type: "boolean" },
        reset: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw new StartFailure(`${reason(error)} (--help lists what there is)`);
  }
}

function refuseBeside({ databaseUrl, memory, reset }: StartOptions): void {
  if (!URL.canParse(databaseUrl!) || !/^postgres(ql)?:$/.test(new URL(databaseUrl!).protocol)) {
    throw new StartFailure(
      "Cannot use DATABASE_URL: it must look like postgres://user:password@host:5432/database",
    );
  }
  if (memory) throw new StartFailure("Cannot use --memory together with DATABASE_URL: unset one of them");
  if (reset) {
    // The server may hold more than Parley's tables, and its data has no other copy.
    throw new StartFailure(
      "Cannot use --reset together with DATABASE_URL: it only deletes embedded data; roll back or drop that database yourself",
    );
  }
}
