import { assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { refusal } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { admit, ago, append, change, counters, exchange, makeClient, reap, settle } from "./turns.ts";

const none = { messages: 0, tokens: 0, cost: 0, reserved_messages: 0, reserved_tokens: 0, reserved_cost: 0 };

const ledger = (session: Session) =>
  session.query(
    `select turn_id, provider, model, input_tokens, output_tokens, cost::float8, currency, priced, status, error_code,
       latency_ms, first_token_ms from public.usage_logs order by id`,
  );

rolledBack("deltas keep the lease, and the same number again changes nothing", async (session) => {
  const client = await makeClient(session);
  const turn = await admit(session, client);
  await change(session, "turns", turn.turn_id, { leased_until: ago(10) });
  const used = { provider: "openai", model: "gpt-4o", input_tokens: 50, output_tokens: 2 };
  assertEquals(await append(session, turn.turn_id, 1, "One ", used), { stop: false, reason: null });
  await append(session, turn.turn_id, 1, "other", { output_tokens: 3 });
  await append(session, turn.turn_id, 2, "");
  await append(session, turn.turn_id, 3, "two");
  const [stored] = await session.query(
    `select state, provider, model, input_tokens, output_tokens, leased_until > now() + interval '59 s' as leased,
       (select string_agg(seq || d.text, ',' order by seq) from public.turn_deltas d) as said from public.turns`,
  );
  assertEquals(stored, {
    state: "streaming",
    provider: "openai",
    model: "gpt-4o",
    input_tokens: 50,
    output_tokens: 3,
    leased: true,
    said: "1One ,3two",
  });
});

rolledBack(
  "a turn is told to stop by the kill switch, by a stop, and when it is settled",
  async (session) => {
    const client = await makeClient(session);
    const turn = await admit(session, client);
    await session.query("update public.app_config set value = 'true' where key = 'killSwitch'");
    assertEquals(await append(session, turn.turn_id, 1, "x"), { stop: true, reason: "kill_switch" });
    await change(session, "turns", turn.turn_id, { stop_requested: true });
    assertEquals(await append(session, turn.turn_id, 2, "x"), { stop: true, reason: "stopped" });
    await settle(session, turn.turn_id);
    assertEquals(await append(session, turn.turn_id, 3, "x"), { stop: true, reason: "settled" });
    assertEquals(await append(session, crypto.randomUUID(), 1, "x"), { stop: true, reason: "settled" });
    assertEquals(await session.query("select from public.turn_deltas"), []);
  },
);

rolledBack(
  "the reaper settles what nobody works on any more, from what was said and used so far",
  async (session) => {
    const client = await makeClient(session);
    const [silent, spoken, alive] = [
      await admit(session, client),
      await admit(session, client, { session_id: "s" }),
      await admit(session, client),
    ];
    const used = { provider: "openai", model: "gpt-4o", input_tokens: 1000, output_tokens: 2 };
    await append(session, spoken.turn_id, 2, "thirty");
    await append(session, spoken.turn_id, 1, "Within ", used);
    for (const turn of [silent, spoken]) {
      await change(session, "turns", turn.turn_id, {
        leased_until: ago(1),
      });
    }
    assertEquals(await reap(session), 2);
    assertEquals(await reap(session), 0);
    const rows = await session.query(
      "select id, state, error_code, provider from public.turns where id <> $1 order by state, provider",
      [alive.turn_id],
    );
    assertEquals(rows, [
      { id: spoken.turn_id, state: "failed", error_code: "unavailable", provider: "openai" },
      { id: silent.turn_id, state: "failed", error_code: "unavailable", provider: "unknown" },
    ]);
    const [answer] = await session.query(
      "select content, status, tokens_used from public.messages where role = 'assistant'",
    );
    assertEquals(answer, { content: "Within thirty", status: "failed", tokens_used: 2 });
    const counted = (await counters(session, client)).owner!;
    assertEquals([counted.messages, counted.tokens, counted.cost, counted.reserved_messages], [
      1,
      1002,
      0.00252,
      1,
    ]);
    assertEquals((await session.query("select from public.messages where role = 'user'")).length, 2);
    assertEquals(await reap(session, 61), 1);
    assertEquals((await counters(session, client)).owner!.reserved_tokens, 0);
  },
);

rolledBack("a worker that comes back after the reaper bills nothing again", async (session) => {
  const client = await makeClient(session);
  const turn = await admit(session, client, { session_id: "s" });
  await append(session, turn.turn_id, 1, "Within", { input_tokens: 20, output_tokens: 1 });
  assertEquals(await reap(session, 61), 1);
  assertEquals(await append(session, turn.turn_id, 2, " thirty"), { stop: true, reason: "settled" });
  const late = await settle(session, turn.turn_id, { answer: "Within thirty days." });
  assertEquals([late.duplicate, late.usage.total_tokens, late.message_id], [true, 21, turn.message_id]);
  assertEquals((await ledger(session)).length, 1);
});

rolledBack("after months without a scheduler the reaper still works", async (session) => {
  const client = await makeClient(session);
  await admit(session, client);
  assertEquals(await reap(session, 90 * 86_400), 1);
  assertEquals((await ledger(session))[0]!.latency_ms, 2_147_483_647);
});

rolledBack("a turn that cannot be settled is reported and does not keep the others open", async (session) => {
  const client = await makeClient(session);
  const [broken, fine] = [await admit(session, client), await admit(session, client)];
  await change(session, "turns", broken.turn_id, {
    provider: "dear",
    model: "x",
    input_tokens: 2_000_000_000,
  });
  await session.query(
    `insert into public.model_prices (provider, model, valid_from, input_per_million, output_per_million)
     values ('dear', 'x', '2026-01-01', 99999999, 0)`,
  );
  assertEquals(await reap(session, 61), 1);
  const states = await session.query("select id, state from public.turns order by state");
  assertEquals(states, [{ id: broken.turn_id, state: "admitted" }, { id: fine.turn_id, state: "failed" }]);
  const [incident] = await session.query(
    "select kind, severity, subject, agent_id, details from public.security_incidents",
  );
  assertEquals([incident!.kind, incident!.severity, incident!.subject, incident!.agent_id], [
    "anomaly",
    "high",
    `turn:${broken.turn_id}`,
    client.agentId,
  ]);
  assertEquals((incident!.details as { sqlstate: string }).sqlstate, "22003");
});

rolledBack("counters that somebody set back never go below zero and keep no turn open", async (session) => {
  const client = await makeClient(session);
  const turn = await admit(session, client);
  await session.query("update public.usage_counters set reserved_messages = 0, reserved_tokens = 3");
  await settle(session, turn.turn_id);
  assertEquals((await counters(session, client)).owner, { ...none, messages: 1, tokens: 30 });
  const second = await admit(session, client);
  await session.query("delete from public.usage_counters");
  assertEquals((await settle(session, second.turn_id)).duplicate, false);
});

rolledBack(
  "an open turn that is erased with its conversation gives its reservation back",
  async (session) => {
    const client = await makeClient(session);
    const [open, done] = [await admit(session, client), await exchange(session, client)];
    await session.query("delete from public.conversations where id in ($1, $2)", [
      open.conversation_id,
      done.conversation_id,
    ]);
    assertEquals((await counters(session, client)).owner, { ...none, messages: 1, tokens: 30 });
    assertEquals(await refusal(settle(session, open.turn_id)), "PT404 not_found");
  },
);
