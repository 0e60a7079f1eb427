import { reason, StartFailure } from "./failure.ts";

/** A data folder that belongs to this process until it is released. */
export interface DataFolder {
  /** Where PGlite keeps its files. */
  readonly database: string;
  /** Where the installation's keys are kept. */
  readonly keys: string;
  release(): void;
}

const contents = new Set(["lock", "database", "keys.json", "keys.json.tmp"]);
/** What may lie beside them when the data folder is `.parley` itself. */
const neighbours = new Set(["demo.env", "demo.env.tmp", "memory.env", "memory.env.tmp"]);

/**
 * Makes the folder if need be and locks it: two processes on one embedded database would corrupt it silently. With
 * `reset` what Parley keeps there is deleted. Throws a `StartFailure`.
 */
export function claimFolder(path: string, { reset }: { reset: boolean }): DataFolder {
  try {
    // The data holds conversations: nobody else on this machine is to read them.
    Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
    const foreign = [...Deno.readDirSync(path)].find(({ name }) =>
      !contents.has(name) && !neighbours.has(name)
    );
    if (foreign) {
      throw new StartFailure(
        `Cannot use the data folder ${path}: it holds ${foreign.name}, not Parley's data`,
      );
    }
    const lock = Deno.openSync(`${path}/lock`, { create: true, write: true });
    if (!lock.tryLockSync(true)) {
      lock.close();
      throw new StartFailure(`Cannot use the data folder ${path}: another server is using it`);
    }
    if (reset) {
      for (const name of contents) if (name !== "lock") removeIfPresent(`${path}/${name}`);
    }
    return { database: `${path}/database`, keys: `${path}/keys.json`, release: () => lock.close() };
  } catch (error) {
    if (error instanceof StartFailure) throw error;
    throw new StartFailure(`Cannot use the data folder ${path}: ${reason(error)}`, { cause: error });
  }
}

function removeIfPresent(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
