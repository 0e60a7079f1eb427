import { assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { type Admission, type Client, makeClient, type Settlement } from "../sql/turns.ts";
import { openDatabase } from "../support/database.ts";
import { assertBalanced } from "./balance.ts";
import { atOnce, type Crowd, gather, tally } from "./crowd.ts";

const admit = (crowd: Crowd, client: Client, sessionId: string) =>
  crowd.call<Admission>("public.admit_turn", {
    key_hash: client.keyHash,
    message: "May I return it?",
    message_tokens: 5,
    session_id: sessionId,
  });

const settle = (crowd: Crowd, turnId: string, args: Record<string, unknown> = {}) =>
  crowd.call<Settlement>("public.settle_turn", {
    turn_id: turnId,
    outcome: "completed",
    provider: "local",
    model: "extractive",
    answer: "Yes.",
    input_tokens: 20,
    output_tokens: 10,
    ...args,
  });

const busyClient = (session: Session) => makeClient(session, { key: { requests_per_minute: 1_000_000 } });

Deno.test("of many settlements of one turn at once one counts, and the others say so", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  for (let round = 0; round < 5; round++) {
    const client = await database.transaction(busyClient);
    const { turn_id, message_id } = await admit(crowd, client, "s");
    const answers = await atOnce(
      40,
      (n) => settle(crowd, turn_id, { answer: `Answer ${n}.`, input_tokens: n }),
    );
    assertEquals(tally(answers.map(({ duplicate }) => String(duplicate))), { false: 1, true: 39 });
    const first = answers.find(({ duplicate }) => !duplicate)!;
    for (const answer of answers) assertEquals({ ...answer, duplicate: false }, first);
    assertEquals(first.message_id, message_id);
    await assertBalanced(database);
  }
});

Deno.test("settlement, reaper, deltas, reset and the next question at once: no deadlock, nothing billed twice", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  await database.query("update public.app_config set value = '0' where key = 'sessionRequestsPerMinute'");
  const clients = await database.transaction(async (session) => {
    const first = await busyClient(session);
    const sibling = await makeClient(session, {
      key: { requests_per_minute: 1_000_000 },
      owner: first.ownerId,
    });
    return [first, sibling, await busyClient(session)];
  });
  for (let round = 0; round < 6; round++) {
    const turns = await atOnce(24, (n) => admit(crowd, clients[n % 3]!, `s${n}`));
    assertEquals(tally(turns.map(({ admitted }) => String(admitted))), { true: 24 });
    await database.query(
      "update public.turns set leased_until = now() - interval '1 s' where settled_at is null",
    );
    await Promise.all(turns.flatMap(({ turn_id }, n) => [
      settle(crowd, turn_id, n % 3 ? {} : { outcome: "failed", answer: "" }),
      crowd.call("public.append_deltas", {
        turn_id,
        seq: 1,
        text: "Half",
        input_tokens: 20,
        output_tokens: 1,
      }),
      settle(crowd, turn_id, { outcome: "aborted", answer: "Ha" }),
      admit(crowd, clients[n % 3]!, `s${n}`),
      ...(n % 4 ? [] : [
        crowd.call("public.reset_chat_session", {
          p_session_id: `s${n}`,
          p_agent_id: clients[n % 3]!.agentId,
        }),
      ]),
      ...(n % 6
        ? []
        : [database.query("select private.reap_turns()"), database.query("select private.reap_turns()")]),
    ]));
    await assertBalanced(database);
    await database.query("select private.reap_turns(now() + interval '1 hour')");
    await assertBalanced(database);
    assertEquals(await database.query("select from public.turns where settled_at is null"), []);
  }
});

Deno.test("two reapers at once share the work and settle each turn once", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  const clients = await database.transaction(async (session) => {
    const first = await busyClient(session);
    const sibling = await makeClient(session, {
      key: { requests_per_minute: 1_000_000 },
      owner: first.ownerId,
    });
    return [first, sibling, await busyClient(session)];
  });
  await atOnce(90, (n) => admit(crowd, clients[n % 3]!, `s${n}`));
  const reap = () =>
    database.query<{ n: number }>("select private.reap_turns(now() + interval '2 minutes') as n");
  const counts = await atOnce(6, reap);
  const settled = counts.reduce((sum, [row]) => sum + row!.n, 0) + (await reap())[0]!.n;
  assertEquals(settled, 90);
  await assertBalanced(database);
});

Deno.test("a rating that meets a reset is stored or gone, never a fault", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  const client = await database.transaction(busyClient);
  for (let round = 0; round < 10; round++) {
    const { turn_id, message_id } = await admit(crowd, client, "s");
    await settle(crowd, turn_id);
    const rate = () =>
      crowd.call("public.save_feedback", { agent_id: client.agentId, message_id, rating: 1 });
    const reset = () =>
      crowd.call("public.reset_chat_session", { p_session_id: "s", p_agent_id: client.agentId });
    await Promise.all([rate(), reset(), rate(), rate(), rate()]);
    assertEquals(await database.query("select from public.feedback"), []);
  }
});

Deno.test("a conversation that is closed while it goes on ends open", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  const client = await database.transaction(busyClient);
  for (let round = 0; round < 10; round++) {
    const close = () => database.query("select private.close_idle_conversations(now() + interval '2 hours')");
    const [{ turn_id }] = await Promise.all([admit(crowd, client, "s"), close(), close()]);
    await settle(crowd, turn_id);
    await admit(crowd, client, "s").then(({ turn_id }) => settle(crowd, turn_id));
    assertEquals((await database.query("select status from public.conversations"))[0], { status: "active" });
  }
  await assertBalanced(database);
});
