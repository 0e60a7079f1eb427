import { assertEquals } from "@std/assert";
import { limitHeaders, rateLimited } from "../../shared/limits.ts";

const now = new Date("2026-11-01T10:00:00.500Z");
const key = { name: "key", limit: 60, remaining: 10, reset_at: "2026-11-01T10:00:42Z", window_seconds: 60 };
const session = {
  name: "session",
  limit: 30,
  remaining: 4,
  reset_at: "2026-11-01T10:00:08Z",
  window_seconds: 60,
};

Deno.test("limit headers list every policy and OpenAI's name the tightest", () => {
  assertEquals(limitHeaders([key, session], now), {
    "ratelimit-policy": '"key";q=60;w=60, "session";q=30;w=60',
    "ratelimit": '"key";r=10;t=42, "session";r=4;t=8',
    "x-ratelimit-limit-requests": "30",
    "x-ratelimit-remaining-requests": "4",
    "x-ratelimit-reset-requests": "8s",
  });
  assertEquals(limitHeaders([], now), {});
});

Deno.test("a name cannot break out of the structured field, and nothing is negative", () => {
  const odd = { ...key, name: 'a", "b\r\n', remaining: -1, reset_at: "2026-11-01T09:00:00Z" };
  assertEquals(limitHeaders([odd], now).ratelimit, '"a, b";r=0;t=0');
});

Deno.test("beyond its limits a request is 429 with Retry-After and the limit headers", () => {
  const problem = rateLimited([{ ...key, remaining: 0 }], 42, now);
  assertEquals([problem.status, problem.headers["retry-after"], problem.headers.ratelimit], [
    429,
    "42",
    '"key";r=0;t=42',
  ]);
  assertEquals(problem.body("id").retry_after, 42);
});
