import type { Log } from "./log.ts";

interface EdgeRuntime {
  waitUntil(promise: Promise<unknown>): void;
}

const kept = new Set<Promise<unknown>>();

/** Lets work outlive its response: by `EdgeRuntime.waitUntil` on the platform, elsewhere kept until `settled()`. */
export function background(
  work: Promise<unknown>,
  log: Log,
  { EdgeRuntime } = globalThis as { EdgeRuntime?: EdgeRuntime },
): void {
  const guarded = work.catch((error: unknown) => log.error("background_work_failed", error));
  if (EdgeRuntime) return EdgeRuntime.waitUntil(guarded);
  kept.add(guarded);
  guarded.finally(() => kept.delete(guarded));
}

/** Resolves when no background work is left: what a server awaits before it closes its database. */
export async function settled(): Promise<void> {
  while (kept.size > 0) await Promise.all(kept);
}
