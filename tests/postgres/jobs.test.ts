import { assertEquals, assertMatch } from "@std/assert";
import { connect } from "../../local/database.ts";
import { listOf, noon, run } from "../sql/job-list.ts";
import { openDatabase } from "../support/database.ts";

Deno.test("two callers never run the same job at once, and the second does not wait for the first", async () => {
  await using database = await openDatabase();
  await listOf(database, {
    a: ["sql", "wait", "1 hour"],
    b: ["sql", "wait", "1 hour"],
    c: ["sql", "wait", "1 hour"],
  });
  const callers = await Promise.all([1, 2, 3].map(() => connect({ url: database.url! })));
  try {
    const ran = await Promise.all(callers.map((caller) => run(caller, noon, 1)));
    assertEquals(ran.flatMap(({ ran }) => ran.map(({ name }) => name)).sort(), ["a", "b", "c"]);
  } finally {
    await Promise.all(callers.map((caller) => caller.close()));
  }
});

Deno.test("a job that the caller's timeout cancels is recorded and not the first again", async () => {
  await using database = await openDatabase();
  await database.rolledBack(async (session) => {
    await listOf(session, { a_slow: ["sql", "wait", "1 hour"], b_good: ["sql", "succeed", "1 minute"] });
    await session.exec("set local statement_timeout = '100ms'");
    const first = await run(session);
    assertEquals([first.ran.length, first.ran[0]!.status, first.more], [1, "failed", true]);
    assertMatch(first.ran[0]!.error!, /^cancelled: /);
    assertEquals((await run(session)).ran.map(({ name }) => name), ["b_good"]);
  });
});
