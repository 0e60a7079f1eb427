import { assert, assertEquals, assertRejects } from "@std/assert";
import { fullJitter, retryAfterMs, sleep } from "../../shared/retry.ts";

const now = new Date("2026-11-20T12:00:00Z");
const asked = (headers: Record<string, string>) => retryAfterMs(new Headers(headers), now);

Deno.test("a wait is any time up to a bound that doubles", () => {
  const bounds = [1, 2, 3, 4, 5, 6].map((tries) => fullJitter(tries, { firstMs: 500, random: () => 1 }));
  assertEquals(bounds, [500, 1000, 2000, 4000, 8000, 8000]);
  assertEquals(fullJitter(3, { firstMs: 500, random: () => 0.25 }), 500);
  assertEquals(fullJitter(3, { firstMs: 500, mostMs: 600, random: () => 1 }), 600);
  for (let n = 0; n < 100; n++) assert(fullJitter(1, { firstMs: 5 }) < 5);
});

Deno.test("the wait that a server asks for is read in each of its forms", () => {
  assertEquals(asked({ "retry-after": "7" }), 7000);
  assertEquals(asked({ "retry-after": "0.5" }), 500);
  assertEquals(asked({ "retry-after": "Fri, 20 Nov 2026 12:00:30 GMT" }), 30_000);
  assertEquals(asked({ "retry-after-ms": "250", "retry-after": "7" }), 250);
  for (const nothing of [{}, { "retry-after": "soon" }, { "retry-after": "-3" }, { "retry-after": "0" }]) {
    assertEquals(asked(nothing as Record<string, string>), 0);
  }
  assertEquals(asked({ "retry-after": "Fri, 20 Nov 2026 11:00:00 GMT" }), 0);
});

Deno.test("a sleep ends when its time is over, or with the signal", async () => {
  await sleep(1);
  const controller = new AbortController();
  const sleeping = sleep(60_000, controller.signal);
  controller.abort(new Error("enough"));
  await assertRejects(() => sleeping, Error, "enough");
  await assertRejects(() => sleep(60_000, AbortSignal.abort(new Error("before"))), Error, "before");
});
