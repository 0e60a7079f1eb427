import { assertEquals } from "@std/assert";
import { connect, type Session } from "../../local/database.ts";
import { begin, store } from "../sql/documents.ts";
import { refusal } from "../sql/people.ts";
import {
  admit,
  call,
  type Client,
  counters,
  everything,
  exchange,
  makeClient,
  settle,
} from "../sql/turns.ts";
import { openDatabase, type TestDatabase } from "../support/database.ts";
import { assertBalanced } from "./balance.ts";

/** Runs `work` in a transaction whose connection the server ends before it could commit. */
async function killed(database: TestDatabase, work: (session: Session) => Promise<unknown>): Promise<void> {
  const victim = await connect({ url: database.url! });
  const said = await refusal(victim.transaction(async (session) => {
    const [{ pid } = {}] = await session.query<{ pid: number }>("select pg_backend_pid() as pid");
    await work(session);
    await database.query("select pg_terminate_backend($1, 5000)", [pid]);
    await session.query("select 1");
  }));
  await victim.close();
  assertEquals(said === "57P01" || said === "CONNECTION_CLOSED", true, said);
}

const committed = <T>(database: TestDatabase, work: (session: Session) => Promise<T>) =>
  database.transaction(work);

async function reaped(database: TestDatabase): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    "select private.reap_turns(now() + interval '2 minutes') as n",
  );
  return row!.n;
}

async function fixture(database: TestDatabase): Promise<Client> {
  return await committed(database, (session) => makeClient(session));
}

Deno.test("a server that dies while it admits has admitted nothing", async () => {
  await using database = await openDatabase();
  const client = await fixture(database);
  const before = await everything(database);
  await killed(database, (session) => admit(session, client, { session_id: "s", address_hash: "home" }));
  assertEquals(await everything(database), before);
  assertEquals(
    (await committed(database, (session) => admit(session, client, { session_id: "s" }))).admitted,
    true,
  );
});

Deno.test("a server that dies while it settles has billed nothing, and the next settlement bills once", async () => {
  await using database = await openDatabase();
  const client = await fixture(database);
  const turn = await committed(database, (session) => admit(session, client, { session_id: "s" }));
  await killed(database, (session) => settle(session, turn.turn_id));
  await assertBalanced(database);
  assertEquals((await counters(database, client)).owner!.reserved_messages, 1);
  assertEquals((await committed(database, (session) => settle(session, turn.turn_id))).duplicate, false);
  assertEquals((await committed(database, (session) => settle(session, turn.turn_id))).duplicate, true);
  await assertBalanced(database);
  assertEquals((await counters(database, client)).owner!.messages, 1);
});

Deno.test("a worker that dies after each of the calls of a turn leaves one that the reaper settles once", async () => {
  await using database = await openDatabase();
  const client = await fixture(database);
  const said = { seq: 1, text: "Within", provider: "local", model: "x", input_tokens: 9, output_tokens: 1 };
  const admitted = await committed(database, (session) => admit(session, client, { session_id: "admitted" }));
  const streamed = await committed(database, (session) => admit(session, client, { session_id: "streamed" }));
  await committed(
    database,
    (session) => call(session, "public.append_deltas", { turn_id: streamed.turn_id, ...said }),
  );
  await killed(
    database,
    (session) => call(session, "public.append_deltas", { turn_id: admitted.turn_id, ...said }),
  );
  await committed(database, (session) => exchange(session, client, { session_id: "settled" }));
  assertEquals(await reaped(database), 2);
  assertEquals(await reaped(database), 0);
  await assertBalanced(database);
  const rows = await database.query("select session_id, message_count from public.conversations order by 1");
  assertEquals(rows, [
    { session_id: "admitted", message_count: 0 },
    { session_id: "settled", message_count: 2 },
    { session_id: "streamed", message_count: 2 },
  ]);
});

Deno.test("a reaper that dies has settled nothing, and the next one settles all", async () => {
  await using database = await openDatabase();
  const client = await fixture(database);
  for (const session_id of ["a", "b", "c"]) {
    await committed(database, (session) => admit(session, client, { session_id }));
  }
  await killed(
    database,
    (session) => session.query("select private.reap_turns(now() + interval '2 minutes')"),
  );
  await assertBalanced(database);
  assertEquals(await reaped(database), 3);
  await assertBalanced(database);
});

Deno.test("an ingestion that dies in a batch loses no passage and stores none twice", async () => {
  await using database = await openDatabase();
  const client = await fixture(database);
  const begun = await committed(
    database,
    (session) => begin(session, client, "Handbook", { lease_seconds: 1 }),
  );
  await committed(
    database,
    (session) => store(session, begun, ["One."], { state: { page: 1 }, lease_seconds: 1 }),
  );
  await killed(database, (session) => store(session, begun, ["Two."], { from_index: 1, state: { page: 2 } }));
  const [work] = await committed(
    database,
    (session) =>
      call<{ id: string; lease: string; chunks: number; state: unknown }[]>(session, "public.claim_work", {
        as_of: new Date(Date.now() + 60_000).toISOString(),
      }),
  );
  assertEquals([work!.id, work!.chunks, work!.state], [begun.document_id, 1, { page: 1 }]);
  const resumed = { document_id: work!.id, lease: work!.lease };
  await killed(
    database,
    (session) => store(session, resumed, ["Two.", "Three."], { from_index: 1, done: true }),
  );
  const stored = await committed(
    database,
    (session) => store(session, resumed, ["Two.", "Three."], { from_index: 1, done: true }),
  );
  assertEquals([stored.status, stored.chunks], ["ready", 3]);
  assertEquals(
    (await committed(database, (session) => store(session, begun, ["Two."], { from_index: 1 }))).outcome,
    "lost",
  );
  const rows = await database.query("select chunk_index, content from public.document_chunks order by 1");
  assertEquals(rows.map(({ content }) => content), ["One.", "Two.", "Three."]);
});
