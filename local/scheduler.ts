import { setTimeout as delay } from "node:timers/promises";
import type { LocalDatabase } from "./database.ts";

/** What stands in for pg_cron and autovacuum on the local stack. */
export interface Scheduler {
  /** Ends the loop and the calls it has under way. */
  stop(): Promise<void>;
}

/** Where the scheduler works, and how often. */
export interface SchedulerOptions {
  database: LocalDatabase;
  /** The project's address, for jobs that are functions. */
  url: string;
  secretKey: string;
  /** Milliseconds between two looks at the job list. */
  every?: number;
  /** Takes a line about what failed; the same line is not reported twice in a row. */
  report?: (line: string) => void;
}

interface DueJobs {
  ran: { name: string; status: string; error: string | null }[];
  functions: { name: string; path: string }[];
  more: boolean;
}

/** Runs the job list of the database once a second, and vacuums what was ingested. */
export function startScheduler(options: SchedulerOptions): Scheduler {
  const { database, every = 1000 } = options;
  const report = onceInARow(options.report ?? ((line) => console.error(line)));
  const stopped = new AbortController();
  const calls = new Map<string, Promise<void>>();
  const vacuum = vacuumAfterIngest(database);

  /** Returns how long to wait for the next look. */
  async function look(): Promise<number> {
    const [row] = await database.query<{ due: DueJobs }>(
      "select public.run_due_jobs(budget_ms => 1000) as due",
    );
    const { ran, functions, more } = row!.due;
    for (const job of ran) if (job.status === "failed") report(`job ${job.name} failed: ${job.error}`);
    for (const { name, path } of functions) {
      // A call may outlast its beat; a second one beside it would only compete for the same work.
      if (calls.has(name)) continue;
      const call = callFunction(path, options, stopped.signal)
        .catch((error) => stopped.signal.aborted || report(`job ${name} failed: ${(error as Error).message}`))
        .then(() => void calls.delete(name));
      calls.set(name, call);
    }
    await vacuum();
    return more ? Math.min(every, 50) : every;
  }

  const loop = (async () => {
    while (!stopped.signal.aborted) {
      const pause = await look().catch((error) => {
        report(`scheduler: ${(error as Error).message}`);
        return every;
      });
      await delay(pause, undefined, { signal: stopped.signal }).catch(() => {});
    }
  })();
  return {
    async stop() {
      stopped.abort();
      await loop;
      await Promise.all(calls.values());
    },
  };
}

/** Posts until the function says that nothing is left. */
async function callFunction(
  path: string,
  { url, secretKey }: SchedulerOptions,
  signal: AbortSignal,
): Promise<void> {
  let more = true;
  while (more && !signal.aborted) {
    const response = await fetch(`${url}/functions/v1/${path}`, {
      method: "POST",
      headers: { apikey: secretKey, "content-type": "application/json" },
      body: "{}",
      signal,
    });
    const answer = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}`);
    more = (JSON.parse(answer || "{}") as { more?: boolean }).more === true;
  }
}

/**
 * Vacuums the search tables at the first call after an ingest that finds nothing new: without the visibility map the index-only scan of the
 * vector search reads the whole table.
 */
export function vacuumAfterIngest(database: LocalDatabase): () => Promise<void> {
  let before = "";
  let vacuumed = "";
  return async () => {
    const [row] = await database.query<{ newest: string }>(
      "select coalesce(max(id), 0)::text as newest from public.document_chunks",
    );
    const { newest } = row!;
    if (newest === before && newest !== vacuumed) {
      await database.exec("vacuum (analyze) public.document_chunks, public.chunk_terms");
      vacuumed = newest;
    }
    before = newest;
  };
}

function onceInARow(report: (line: string) => void): (line: string) => void {
  let last = "";
  return (line) => {
    if (line !== last) report(line);
    last = line;
  };
}
