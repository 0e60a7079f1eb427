import { assert, assertEquals, assertMatch } from "@std/assert";
import { refusal } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { listOf, noon, run } from "./job-list.ts";

rolledBack("a due sql job runs and its outcome is recorded", async (session) => {
  await listOf(session, { good: ["sql", "succeed", "1 minute"] });
  assertEquals(await run(session), {
    ran: [{ name: "good", status: "ok", error: null }],
    functions: [],
    more: false,
  });
  assertEquals(await session.query("select topic from public.outbox"), [{ topic: "ran" }]);
  const [job] = await session.query<Record<string, unknown>>(
    `
    select last_status, last_error, last_run_at = $1 as at, next_run_at = $1::timestamptz + interval '1 minute' as next,
      last_duration_ms >= 0 as timed from public.jobs`,
    [noon],
  );
  assertEquals(job, { last_status: "ok", last_error: null, at: true, next: true, timed: true });
  assertEquals((await run(session)).ran, []);
});

rolledBack("a job that fails is recorded, undone, and stops no other one", async (session) => {
  await listOf(session, { a_bad: ["sql", "fail", "1 minute"], b_good: ["sql", "succeed", "1 minute"] });
  const { ran } = await run(session);
  assertEquals(ran.map(({ name, status }) => [name, status]), [["a_bad", "failed"], ["b_good", "ok"]]);
  assertMatch(ran[0]!.error!, /^P0001: broken on purpose$/);
  assertEquals(await session.query("select topic from public.outbox"), [{ topic: "ran" }]);
  const [job] = await session.query<Record<string, unknown>>(
    "select last_status, last_error, next_run_at > $1 as later from public.jobs where name = 'a_bad'",
    [noon],
  );
  assertEquals(job, { last_status: "failed", last_error: ran[0]!.error, later: true });
});

rolledBack("a job whose function is gone fails, and says so", async (session) => {
  await listOf(session, { lost: ["sql", "nowhere", "1 minute"] });
  assertMatch((await run(session)).ran[0]!.error!, /^42883: /);
});

rolledBack("a function job is handed to the caller, once a beat", async (session) => {
  await listOf(session, { work: ["function", "ingest-document/work", "5 seconds"] });
  assertEquals((await run(session)).functions, [{ name: "work", path: "ingest-document/work" }]);
  assertEquals((await run(session)).functions, []);
  const [job] = await session.query("select last_status from public.jobs");
  assertEquals(job, { last_status: "claimed" });
  assertEquals((await run(session, "2026-11-20T12:00:05Z")).functions.length, 1);
});

rolledBack("a late job keeps its beat, and one that missed many runs once", async (session) => {
  await listOf(session, { good: ["sql", "succeed", "1 minute"] });
  const next = async () =>
    (await session.query<{ at: string }>(
      "select to_char(next_run_at at time zone 'UTC', 'HH24:MI:SS') as at from public.jobs",
    ))[0]!
      .at;
  await run(session, "2026-11-20T12:00:59Z");
  assertEquals(await next(), "12:01:00");
  await run(session, "2026-11-20T15:00:30Z");
  assertEquals(await next(), "15:01:30");
});

rolledBack("a call ends when its budget is spent, and says that there is more", async (session) => {
  await listOf(session, { a: ["sql", "wait", "1 hour"], b: ["sql", "succeed", "1 hour"] });
  const first = await run(session, noon, 50);
  assertEquals([first.ran.map(({ name }) => name), first.more], [["a"], true]);
  const second = await run(session, noon, 50);
  assertEquals([second.ran.map(({ name }) => name), second.more], [["b"], false]);
});

rolledBack("a job that takes locks is the last of its call", async (session) => {
  await listOf(session, { b: ["sql", "succeed", "1 hour"] });
  await session.query("select private.add_job('a', 'sql', 'succeed', '1 hour', takes_locks => true)");
  await session.query(
    "update public.jobs set next_run_at = $1::timestamptz - interval '1 second' where name = 'a'",
    [noon],
  );
  const first = await run(session);
  assertEquals([first.ran.map(({ name }) => name), first.more], [["a"], true]);
});

rolledBack("a job that is switched off or not due yet does not run", async (session) => {
  await listOf(session, { off: ["sql", "succeed", "1 hour"], later: ["sql", "succeed", "1 hour"] });
  await session.query("update public.jobs set enabled = false where name = 'off'");
  await session.query(
    "update public.jobs set next_run_at = $1::timestamptz + interval '1 second' where name = 'later'",
    [noon],
  );
  assertEquals(await run(session), { ran: [], functions: [], more: false });
});

rolledBack("the list takes no senseless job and no senseless call", async (session) => {
  const add = (name: string, kind: string, target: string, every: string) =>
    session.as(
      "postgres",
      null,
      (own) => own.query("select private.add_job($1, $2, $3, $4::interval)", [name, kind, target, every]),
    );
  assertEquals(await refusal(add("Bad name", "sql", "f", "1 minute")), "23514");
  assertEquals(await refusal(add("a", "shell", "f", "1 minute")), "23514");
  assertEquals(await refusal(add("a", "sql", "f(); drop table x", "1 minute")), "23514");
  assertEquals(await refusal(add("a", "function", "http://evil.example", "1 minute")), "23514");
  assertEquals(await refusal(add("a", "sql", "f", "0 seconds")), "23514");
  const call = (args: string) =>
    session.as("service_role", null, (own) => own.query(`select public.run_due_jobs(${args})`));
  assertEquals(await refusal(call("null")), "PT422 validation_failed");
  assertEquals(await refusal(call("now(), 0")), "PT422 validation_failed");
});

rolledBack("every job of the project has a function to run", async (session) => {
  const lost = await session.query(`
    select name from public.jobs j where kind = 'sql' and not exists (
      select from pg_proc p where p.pronamespace = 'private'::regnamespace and p.proname = j.target
        and p.pronargs = p.pronargdefaults)`);
  assertEquals(lost, []);
  assert((await session.query("select name from public.jobs")).length > 0);
});
