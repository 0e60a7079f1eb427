import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Session } from "../../local/database.ts";
import { openDatabase } from "../support/database.ts";
import { refusal, service, value } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";

interface Spending {
  allowed: boolean;
  count: number;
  retry_after: number;
  reset_at: string;
}

interface Bucket {
  key?: string;
  capacity: number;
  windowSeconds: number;
  cost?: number;
  blockSeconds?: number;
}

const noon = Date.parse("2026-11-20T12:00:00Z");

/** Noon plus `ms`, to the microsecond. */
function moment(ms: number): string {
  const micros = Math.round((ms - Math.floor(ms)) * 1000);
  return new Date(noon + Math.floor(ms)).toISOString().replace("Z", String(micros).padStart(3, "0") + "Z");
}

/** Spends at noon plus `ms`. */
async function spend(session: Session, ms: number, bucket: Bucket): Promise<Spending> {
  const { key = "somebody", cost = 1, capacity, windowSeconds, blockSeconds = 0 } = bucket;
  const [row] = await session.query<{ s: Spending }>(
    "select to_jsonb(private.spend($1, $2, $3, $4, $5, $6)) as s",
    [key, cost, capacity, windowSeconds, blockSeconds, moment(ms)],
  );
  return row!.s;
}

/** The same question, and nothing of it stays. */
async function wouldBe(session: Session, ms: number, bucket: Bucket): Promise<Spending> {
  await session.exec("savepoint trial");
  const answer = await spend(session, ms, bucket);
  await session.exec("rollback to savepoint trial");
  return answer;
}

/** What was allowed, one by one: the sliding window without any shortcut. */
class Log {
  #spent: { at: number; cost: number }[] = [];
  constructor(readonly windowMs: number) {}

  add(at: number, cost: number): void {
    this.#spent.push({ at, cost });
  }

  /** Spent in the window that ends at `at`, made longer by `slack`. */
  sum(at: number, slack = 0): number {
    return this.#spent.filter((s) => s.at > at - this.windowMs - slack && s.at <= at)
      .reduce((sum, s) => sum + s.cost, 0);
  }

  /** The first moment from `at` on when `cost` fits. */
  free(at: number, cost: number, capacity: number): number {
    const leaving = this.#spent.map((s) => s.at + this.windowMs).filter((end) => end > at);
    return [at, ...leaving.sort((a, b) => a - b)].find((end) => this.sum(end) + cost <= capacity)!;
  }
}

const requests = (windowMs: number) =>
  fc.array(
    fc.record({
      step: fc.oneof(
        fc.integer({ min: 0, max: 40 }),
        fc.integer({ min: 0, max: Math.ceil(windowMs / 8) }),
        fc.integer({ min: 0, max: 2 * windowMs }),
      ),
      micros: fc.constantFrom(0, 0, 0.5, 0.001, 0.999),
      cost: fc.integer({ min: 1, max: 4 }),
    }),
    { minLength: 1, maxLength: 40 },
  );

const scenario = fc.tuple(fc.integer({ min: 4, max: 12 }), fc.constantFrom(1, 7, 60, 90)).chain((
  [capacity, windowSeconds],
) =>
  fc.record({
    capacity: fc.constant(capacity),
    windowSeconds: fc.constant(windowSeconds),
    asked: requests(windowSeconds * 1000),
  })
);

rolledBack(
  "a limit is a sliding window: never more, never less but for a sixtieth, and a true wait",
  async (session) => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(scenario, async ({ capacity, windowSeconds, asked }) => {
        const windowMs = windowSeconds * 1000;
        // Marks are kept to the millisecond.
        const sixtieth = Math.ceil(windowMs / 60) + 1;
        const log = new Log(windowMs);
        const key = `bucket ${run++}`;
        let now = 0;
        for (const { step, cost } of asked) {
          now += step;
          const bucket = { key, capacity, windowSeconds, cost };
          const answer = await spend(session, now, bucket);
          if (answer.allowed) {
            log.add(now, cost);
            assert(log.sum(now) <= capacity, `${log.sum(now)} of ${capacity} within a window`);
            assert(answer.count >= log.sum(now) && answer.count <= log.sum(now, sixtieth));
            assertEquals(answer.retry_after, 0);
            continue;
          }
          assert(log.sum(now, sixtieth) + cost > capacity, "refused although there was room");
          const wait = answer.retry_after * 1000;
          const freeIn = log.free(now, cost, capacity) - now;
          assert(freeIn <= wait, `free in ${freeIn} ms, told to wait ${wait}`);
          assert(
            wait <= Math.ceil((freeIn + sixtieth) / 1000) * 1000,
            `free in ${freeIn} ms, told to wait ${wait}`,
          );
          assertEquals((await wouldBe(session, now + wait, bucket)).allowed, true);
          assertEquals((await wouldBe(session, now + wait - 1000, bucket)).allowed, false);
        }
      }),
      { numRuns: 60, seed: 20261120 },
    );
  },
);

rolledBack(
  "a clock that goes back, as between callers that waited for each other, opens no gap",
  async (session) => {
    let run = 0;
    const jittered = fc.array(fc.integer({ min: -300, max: 900 }), { minLength: 10, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(jittered, async (steps) => {
        const log = new Log(7000);
        const key = `jittered ${run++}`;
        let [now, latest] = [0, 0];
        for (const step of steps) {
          now = Math.max(0, now + step);
          latest = Math.max(latest, now);
          const answer = await spend(session, now, { key, capacity: 5, windowSeconds: 7 });
          if (answer.allowed) log.add(latest, 1);
          assert(log.sum(latest) <= 5);
        }
      }),
      { numRuns: 30, seed: 20261120 },
    );
  },
);

rolledBack("a log never has more than 61 marks, however busy its key", async (session) => {
  for (const windowSeconds of [1, 7, 60]) {
    const step = Math.ceil(windowSeconds * 1000 / 130);
    for (let n = 0; n < 300; n++) {
      const bucket = { key: `busy ${windowSeconds}`, capacity: 100_000, windowSeconds };
      assertEquals((await spend(session, n * step, bucket)).allowed, true);
    }
    const [row] = await session.query<{ marks: number; total: number }>(
      "select cardinality(marks) as marks, total from public.rate_limits where key = $1",
      [`busy ${windowSeconds}`],
    );
    assert(row!.marks <= 61, `${row!.marks} marks`);
    assert(row!.total >= Math.floor(windowSeconds * 1000 / step), `${row!.total} in the window`);
  }
});

rolledBack(
  "a cost is taken whole or not at all, and one that could fit later is told when",
  async (session) => {
    const bucket = { capacity: 10, windowSeconds: 60 };
    assertEquals((await spend(session, 0, { ...bucket, cost: 4 })).count, 4);
    assertEquals((await spend(session, 30_000, { ...bucket, cost: 4 })).count, 8);
    const refused = await spend(session, 40_000, { ...bucket, cost: 3 });
    assertEquals([refused.allowed, refused.count, refused.retry_after], [false, 8, 20]);
    assertEquals((await spend(session, 40_000, { ...bucket, cost: 7 })).retry_after, 50);
    assertEquals((await spend(session, 40_000, { ...bucket, cost: 2 })).allowed, true);
  },
);

rolledBack("the wait is true to the microsecond", async (session) => {
  const bucket = { capacity: 1, windowSeconds: 60 };
  await spend(session, 0.5, bucket);
  const { retry_after } = await spend(session, 10_000.5, bucket);
  assertEquals((await wouldBe(session, 10_000.5 + 1000 * retry_after, bucket)).allowed, true);
});

rolledBack(
  "a limit that was lowered, or a window that was changed, counts from the next call on",
  async (session) => {
    for (let n = 0; n < 5; n++) await spend(session, n * 1000, { capacity: 10, windowSeconds: 60 });
    assertEquals((await spend(session, 5000, { capacity: 5, windowSeconds: 60 })).allowed, false);
    assertEquals((await spend(session, 5000, { capacity: 5, windowSeconds: 2 })).allowed, true);
    assertEquals((await spend(session, 5000, { capacity: 10, windowSeconds: 60 })).allowed, true);
  },
);

rolledBack(
  "a refusal starts a block, which ends by itself and is not made longer by knocking",
  async (session) => {
    const bucket = { capacity: 2, windowSeconds: 10, blockSeconds: 30 };
    await spend(session, 0, bucket);
    await spend(session, 0, bucket);
    const refused = await spend(session, 1000, bucket);
    assertEquals([refused.allowed, refused.retry_after], [false, 30]);
    const [blocked] = await session.query("select ctid, xmin, blocked_until from public.rate_limits");
    const knocking = await spend(session, 12_500, bucket);
    assertEquals([knocking.allowed, knocking.count, knocking.retry_after], [false, 2, 19]);
    assertEquals(await session.query("select ctid, xmin, blocked_until from public.rate_limits"), [blocked!]);
    assertEquals((await spend(session, 30_999, bucket)).allowed, false);
    assertEquals((await spend(session, 31_000, bucket)).allowed, true);
    assertEquals((await spend(session, 31_000, bucket)).count, 2);
  },
);

rolledBack(
  "the wait of a blocked key is that of its window where the window is the longer one",
  async (session) => {
    const bucket = { capacity: 1, windowSeconds: 60, blockSeconds: 5 };
    await spend(session, 0, bucket);
    assertEquals((await spend(session, 10_000, bucket)).retry_after, 50);
    assertEquals((await spend(session, 12_000, bucket)).retry_after, 48);
    assertEquals((await wouldBe(session, 60_000, bucket)).allowed, true);
  },
);

Deno.test("a refusal writes nothing: no row, no transaction, no log", async () => {
  await using database = await openDatabase();
  const check = () =>
    database.query<{ answer: { allowed: boolean }; xid: string | null }>(
      `select c as answer, pg_current_xact_id_if_assigned()::text as xid
       from (select public.check_rate_limit('hot', 1, 60) as c offset 0) s`,
    );
  assertEquals((await check())[0]!.answer.allowed, true);
  const row = () => database.query("select ctid, xmin, xmax, * from public.rate_limits");
  const before = await row();
  const [refused] = await check();
  assertEquals([refused!.answer.allowed, refused!.xid], [false, null]);
  assertEquals(await row(), before);
});

rolledBack("check_rate_limit answers what the headers need", async (session) => {
  const check = (cost: number) =>
    value<Record<string, unknown>>(session, service, "public.check_rate_limit('k', 5, 60, $1)", [cost]);
  const { reset_at, ...first } = await check(3);
  assertEquals(first, { allowed: true, count: 3, remaining: 2, limit: 5, retry_after: 0 });
  assert(Math.abs(Date.parse(String(reset_at)) - Date.now() - 60_000) < 10_000);
  const { reset_at: _, retry_after, ...second } = await check(3);
  assertEquals(second, { allowed: false, count: 3, remaining: 2, limit: 5 });
  assert(Number(retry_after) >= 59 && Number(retry_after) <= 60);
});

rolledBack("senseless arguments are refused and nothing is stored", async (session) => {
  const valid = { p_key: "k", p_max_requests: 5, p_window_seconds: 60, p_cost: 1, p_block_seconds: 0 };
  const senseless: [keyof typeof valid, unknown[]][] = [
    ["p_key", [null, "", "k".repeat(501)]],
    ["p_max_requests", [null, 0, -1, 1_000_001]],
    ["p_window_seconds", [null, 0, -1, 2_592_001]],
    ["p_cost", [null, 0, -1, 6]],
    ["p_block_seconds", [null, -1, 2_592_001]],
  ];
  for (const [name, values] of senseless) {
    for (const bad of values) {
      const args = Object.entries({ ...valid, [name]: bad });
      const call = `public.check_rate_limit(${args.map(([key], n) => `${key} => $${n + 1}`)})`;
      const said = await refusal(value(session, service, call, args.map(([, argument]) => argument)));
      assertEquals(said, "PT422 validation_failed", `${name} = ${bad}`);
    }
  }
  assertEquals(await session.query("select from public.rate_limits"), []);
});

rolledBack("what has left its window is forgotten, what still counts or blocks is kept", async (session) => {
  await spend(session, 0, { key: "old", capacity: 5, windowSeconds: 60 });
  await spend(session, 0, { key: "long", capacity: 5, windowSeconds: 3600 });
  await spend(session, 0, { key: "blocked", capacity: 1, windowSeconds: 10 });
  await spend(session, 0, { key: "blocked", capacity: 1, windowSeconds: 10, blockSeconds: 600 });
  const forget = async (ms: number) => {
    const at = new Date(noon + ms).toISOString();
    const [row] = await session.query<{ n: number }>("select private.forget_rate_limits($1) as n", [at]);
    const kept = await session.query<{ key: string }>("select key from public.rate_limits order by key");
    return [row!.n, ...kept.map(({ key }) => key)];
  };
  assertEquals(await forget(59_000), [0, "blocked", "long", "old"]);
  assertEquals(await forget(65_000), [1, "blocked", "long"]);
  assertEquals(await forget(700_000), [1, "long"]);
});
