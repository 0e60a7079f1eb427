import { z } from "zod";
import { type Problem, problem } from "./errors.ts";

/** One limit a request was counted against. */
export const Limit = z.object({
  name: z.string(),
  limit: z.number(),
  remaining: z.number(),
  /** When the window starts anew. */
  reset_at: z.string(),
  window_seconds: z.number(),
});

/** One limit a request was counted against. */
export type Limit = z.infer<typeof Limit>;

/**
 * The limit headers: `RateLimit-Policy` and `RateLimit` as structured fields with one item per policy
 * (draft-ietf-httpapi-ratelimit-headers-10), and OpenAI's `x-ratelimit-*-requests` for the tightest of them.
 */
export function limitHeaders(limits: Limit[], now: Date): Record<string, string> {
  const tightest = limits.toSorted((a, b) => a.remaining - b.remaining)[0];
  if (!tightest) return {};
  const name = (limit: Limit) => `"${limit.name.replaceAll(/[^\x20-\x7e]|["\\]/g, "")}"`;
  return {
    "ratelimit-policy": limits.map((each) => `${name(each)};q=${each.limit};w=${each.window_seconds}`).join(
      ", ",
    ),
    "ratelimit": limits.map((each) => `${name(each)};r=${left(each)};t=${resetSeconds(each, now)}`).join(
      ", ",
    ),
    "x-ratelimit-limit-requests": String(tightest.limit),
    "x-ratelimit-remaining-requests": String(left(tightest)),
    "x-ratelimit-reset-requests": `${resetSeconds(tightest, now)}s`,
  };
}

const spent = new WeakMap<Request, Record<string, string>>();

/** Remembers what a request was counted against, for the headers of whatever it is answered. */
export function noteLimits(request: Request, limits: Limit[], now: Date): void {
  spent.set(request, limitHeaders(limits, now));
}

/** The limit headers of a request whose limits were noted. */
export function notedHeaders(request: Request): Record<string, string> {
  return spent.get(request) ?? {};
}

/** The problem for a request beyond its limits: 429 with the wait in whole seconds and the limit headers. */
export function rateLimited(limits: Limit[], retryAfter: number, now: Date): Problem {
  return problem(
    "rate_limited",
    `Cannot take the request: a limit is reached, try again in ${retryAfter} s`,
    {
      members: { retry_after: retryAfter },
      headers: limitHeaders(limits, now),
    },
  );
}

function left(limit: Limit): number {
  return Math.max(0, limit.remaining);
}

function resetSeconds(limit: Limit, now: Date): number {
  return Math.max(0, Math.ceil((Date.parse(limit.reset_at) - now.getTime()) / 1000));
}
