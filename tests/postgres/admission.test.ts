import { assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { type Admission, change, type Client, counters, makeClient } from "../sql/turns.ts";
import { openDatabase } from "../support/database.ts";
import { atOnce, type Crowd, gather, tally } from "./crowd.ts";

const admit = (crowd: Crowd, client: Client, sessionId?: string) =>
  crowd.call<Admission>("public.admit_turn", {
    key_hash: client.keyHash,
    message: "May I return it?",
    message_tokens: 5,
    session_id: sessionId,
  });

const stored = async (session: Session, client: Client) => {
  const [row] = await session.query<Record<string, number>>(
    `select (select count(*) from public.conversations where agent_id = $1)::integer as conversations,
       (select count(*) from public.turns where agent_id = $1)::integer as turns,
       (select count(*) from public.messages where agent_id = $1)::integer as messages,
       (select coalesce(sum(total), 0) from public.rate_limits where key = 'key:' || $2)::integer as spent`,
    [client.agentId, client.keyId],
  );
  return Object.values(row!);
};

const limits: [name: string, code: string, prepare: (session: Session) => Promise<Client>][] = [
  ["the limit of its key", "key", (session) => makeClient(session, { key: { requests_per_minute: 50 } })],
  ["the messages of its plan", "plan.messages", async (session) => {
    await session.query("update public.plans set messages = 50 where name = 'free'");
    return await makeClient(session, { plan: "free", key: { requests_per_minute: 1_000_000 } });
  }],
  [
    "the budget of its agent",
    "agent.messages",
    (session) =>
      makeClient(session, { agent: { monthly_messages: 50 }, key: { requests_per_minute: 1_000_000 } }),
  ],
  ["the tokens of its key", "key.tokens", (session) =>
    makeClient(session, {
      agent: { rag_enabled: false, max_tokens: 995 },
      key: { requests_per_minute: 1_000_000, monthly_tokens: 50_999 },
    })],
];

for (const [name, rule, prepare] of limits) {
  Deno.test(`of 200 turns at once against ${name}, room for 50, exactly 50 are admitted, five times`, async () => {
    await using database = await openDatabase();
    await using crowd = await gather(database.url);
    for (let round = 0; round < 5; round++) {
      const client = await database.transaction(prepare);
      const answers = await atOnce(200, () => admit(crowd, client));
      assertEquals(tally(answers.map((answer) => answer.admitted ? "admitted" : answer.rule)), {
        admitted: 50,
        [rule]: 150,
      });
      assertEquals(await stored(database, client), [50, 50, 50, 50]);
      for (const counted of Object.values(await counters(database, client))) {
        assertEquals([counted.messages, counted.reserved_messages], [0, 50]);
      }
    }
  });
}

Deno.test("two agents of one owner share its plan exactly, whoever is faster", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  await database.query("update public.plans set messages = 50 where name = 'free'");
  const key = { requests_per_minute: 1_000_000 };
  const clients = await database.transaction(async (session) => {
    const first = await makeClient(session, { plan: "free", key });
    return [first, await makeClient(session, { plan: "free", key, owner: first.ownerId })];
  });
  const answers = await atOnce(160, (n) => admit(crowd, clients[n % 2]!));
  assertEquals(tally(answers.map(({ admitted }) => String(admitted))), { true: 50, false: 110 });
});

Deno.test("of many turns of one session at once exactly one is opened", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  await database.query("update public.app_config set value = '0' where key = 'sessionRequestsPerMinute'");
  for (const isNew of [true, false, true, false]) {
    const client = await database.transaction((session) =>
      makeClient(session, { key: { requests_per_minute: 1000 } })
    );
    if (!isNew) {
      const { turn_id } = await admit(crowd, client, "s");
      await crowd.call("public.settle_turn", {
        turn_id,
        outcome: "completed",
        provider: "local",
        model: "x",
        answer: "Yes.",
      });
    }
    const answers = await atOnce(60, () => admit(crowd, client, "s"));
    assertEquals(tally(answers.map(({ code }) => code)), { undefined: 1, turn_in_progress: 59 });
    assertEquals(
      (await database.query("select from public.turns where agent_id = $1 and settled_at is null", [
        client.agentId,
      ])).length,
      1,
    );
    assertEquals((await counters(database, client)).owner!.reserved_messages, 1);
    const [{ messages, counted } = {}] = await database.query<{ messages: number; counted: number }>(
      `select (select count(*) from public.messages where agent_id = $1)::integer as messages, message_count as counted
       from public.conversations where agent_id = $1`,
      [client.agentId],
    );
    assertEquals([messages, counted], isNew ? [1, 1] : [3, 3]);
  }
});

Deno.test("the first turn after a worker died is taken by one of many, and the dead one is billed once", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  await database.query("update public.app_config set value = '0' where key = 'sessionRequestsPerMinute'");
  for (let round = 0; round < 5; round++) {
    const client = await database.transaction((session) =>
      makeClient(session, { key: { requests_per_minute: 1000 } })
    );
    const dead = await admit(crowd, client, "s");
    await crowd.call("public.append_deltas", {
      turn_id: dead.turn_id,
      seq: 1,
      text: "Half",
      input_tokens: 7,
      output_tokens: 1,
    });
    await database.transaction((session) =>
      change(session, "turns", dead.turn_id, { leased_until: "2026-01-01" })
    );
    const reap = () => database.query("select private.reap_turns()");
    const [answers] = await Promise.all([atOnce(30, () => admit(crowd, client, "s")), atOnce(4, reap)]);
    assertEquals(tally(answers.map(({ admitted }) => String(admitted))), { true: 1, false: 29 });
    const { messages, tokens, reserved_messages } = (await counters(database, client)).owner!;
    assertEquals([messages, tokens, reserved_messages], [1, 8, 1]);
    assertEquals(
      (await database.query("select from public.usage_logs where agent_id = $1", [client.agentId])).length,
      1,
    );
  }
});

Deno.test("a limit spent by keys and by turns at once is one limit", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  const client = await database.transaction((session) =>
    makeClient(session, { key: { requests_per_minute: 50 } })
  );
  const answers = await atOnce(150, async (n) => {
    if (n % 2) return (await admit(crowd, client)).admitted;
    const { rate } = await crowd.call<{ rate: { allowed: boolean } }>("public.validate_api_key", {
      p_key_hash: client.keyHash,
      p_cost: 1,
    });
    return rate.allowed;
  });
  assertEquals(tally(answers.map(String)), { true: 50, false: 100 });
});

Deno.test("a month's first turns make its counters together and lose none", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  for (let round = 0; round < 5; round++) {
    const client = await database.transaction((session) =>
      makeClient(session, { key: { requests_per_minute: 1000 } })
    );
    await atOnce(40, () => admit(crowd, client));
    for (const counted of Object.values(await counters(database, client))) {
      assertEquals(counted.reserved_messages, 40);
    }
  }
});
