import { assertEquals } from "@std/assert";
import { openDatabase } from "../support/database.ts";
import { atOnce, gather, tally } from "./crowd.ts";

interface Checked {
  allowed: boolean;
  count: number;
  retry_after: number;
}

Deno.test("of 100 requests at once exactly as many are allowed as fit, five times, with every cost", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  for (const [round, [capacity, cost]] of [[40, 1], [40, 3], [1, 1], [99, 1], [7, 7]].entries()) {
    const answers = await atOnce(100, () =>
      crowd.call<Checked>("public.check_rate_limit", {
        p_key: `hot ${round}`,
        p_max_requests: capacity,
        p_window_seconds: 3600,
        p_cost: cost,
      }));
    const fit = Math.floor(capacity! / cost!);
    assertEquals(tally(answers.map(({ allowed }) => String(allowed))), { true: fit, false: 100 - fit });
    const counts = answers.filter(({ allowed }) => allowed).map(({ count }) => count).sort((a, b) => a - b);
    assertEquals(counts, Array.from({ length: fit }, (_, n) => (n + 1) * cost!));
    const [row] = await database.query("select total from public.rate_limits where key = $1", [
      `hot ${round}`,
    ]);
    assertEquals(row, { total: fit * cost! });
  }
});

Deno.test("many refused at once start one block, and while it lasts nothing is written", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  const check = () =>
    crowd.call<Checked>("public.check_rate_limit", {
      p_key: "k",
      p_max_requests: 1,
      p_window_seconds: 60,
      p_block_seconds: 600,
    });
  await check();
  const refused = await atOnce(60, check);
  assertEquals(tally(refused.map(({ allowed }) => String(allowed))), { false: 60 });
  const row = () => database.query("select xmin, ctid, blocked_until from public.rate_limits");
  const blocked = await row();
  await atOnce(60, check);
  assertEquals(await row(), blocked);
});

Deno.test("a key that is forgotten while it is spent loses no spending", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  for (let round = 0; round < 10; round++) {
    await database.query("select private.spend($1, 5, 5, 1, 0, now() - interval '1 hour')", [`old ${round}`]);
    const spend = () =>
      crowd.call<Checked>("public.check_rate_limit", {
        p_key: `old ${round}`,
        p_max_requests: 5,
        p_window_seconds: 3600,
      });
    const forget = () => database.query("select private.forget_rate_limits()");
    const [answers] = await Promise.all([atOnce(20, spend), atOnce(4, forget)]);
    assertEquals(tally(answers.map(({ allowed }) => String(allowed))), { true: 5, false: 15 });
  }
});
