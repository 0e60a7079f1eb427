import { AsyncLocalStorage } from "node:async_hooks";

const serving = new AsyncLocalStorage<true>();
let quiet = false;

/** Runs a request of the REST server; see `quietConsole`. */
export function quietly<T>(work: () => Promise<T>): Promise<T> {
  return serving.run(true, work);
}

/**
 * Keeps off the console what must not stand there. The REST server writes every error of the database, refusals
 * included, with the parameters of the statement, which are messages and hashes of keys. The answer tells the caller
 * what went wrong; here only the code is kept, and only of what is no refusal.
 */
export function quietConsole(): void {
  if (quiet) return;
  quiet = true;
  const { error, warn } = console;
  console.error = (...values: unknown[]) => {
    if (!serving.getStore()) return error(...values);
    const cause = values.find((value) => value instanceof Error) as (Error & { code?: string }) | undefined;
    // An unknown table is the caller's fault too, and the one that has no code.
    if (cause && (/^(PT4|PGRST|22|23|42)/.test(cause.code ?? "") || "relation" in cause)) return;
    error(`rest: ${cause?.code ?? cause?.name ?? "error"}`);
  };
  console.warn = (...values: unknown[]) => {
    // Deno's notice that a request's signal also fires after a normal end. It does so on the hosted runtime too, the
    // functions count on it, and whoever runs the server can do nothing about it.
    if (String(values[0]).startsWith("Deno.serve: request.signal aborts")) return;
    warn(...values);
  };
}
