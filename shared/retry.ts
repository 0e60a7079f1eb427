/** How long one waits before the next try. */
export interface Backoff {
  /** The most that the first wait may take; it doubles with each try. */
  firstMs: number;
  mostMs?: number;
  random?: () => number;
}

/**
 * Milliseconds before the next try after `tries` failed ones, from 1: any time up to a bound that doubles, so that
 * callers who failed together do not come back together ("full jitter", AWS Architecture Blog, 2015).
 */
export function fullJitter(
  tries: number,
  { firstMs, mostMs = 8000, random = Math.random }: Backoff,
): number {
  return random() * Math.min(mostMs, firstMs * 2 ** (tries - 1));
}

/** The wait that a server asks for, in milliseconds: `retry-after-ms`, or `retry-after` in seconds or as a date; else 0. */
export function retryAfterMs(headers: Pick<Headers, "get">, now: Date): number {
  const [ms, after] = [headers.get("retry-after-ms"), headers.get("retry-after")];
  const asked = ms !== null && isNumber(ms)
    ? Number(ms)
    : after === null
    ? 0
    : isNumber(after)
    ? 1000 * Number(after)
    : Date.parse(after) - now.getTime();
  return Number.isFinite(asked) && asked > 0 ? Math.ceil(asked) : 0;
}

function isNumber(text: string): boolean {
  return /^\s*\d+(\.\d+)?\s*$/.test(text);
}

/** Resolves after `ms` milliseconds; rejects with the reason of `signal` as soon as that aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
