import { assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { rolledBack } from "./rolled-back.ts";
import { admit, call, change, counters, exchange, makeClient, settle, sha256 } from "./turns.ts";

const config = (session: Session, key: string, setting: unknown) =>
  session.query("update public.app_config set value = $2 where key = $1", [key, JSON.stringify(setting)]);

rolledBack(
  "a turn reserves its message, its longest cost in tokens and money, in the plan and where a limit is set",
  async (session) => {
    const client = await makeClient(session, {
      agent: {
        model: "openai/gpt-4o",
        max_tokens: 1000,
        rag_enabled: false,
        instructions: "x".repeat(400),
        monthly_cost: 5,
      },
    });
    await admit(session, client, { message_tokens: 100 });
    const reserved = {
      messages: 0,
      tokens: 0,
      cost: 0,
      reserved_messages: 1,
      reserved_tokens: 1200,
      reserved_cost: 0.0105,
    };
    assertEquals(await counters(session, client), { agent: reserved, owner: reserved });
    await change(session, "agents", client.agentId, { rag_enabled: true, match_count: 10 });
    await admit(session, client, { message_tokens: 100 });
    assertEquals((await counters(session, client)).owner!.reserved_tokens, 1200 + 1200 + 3200);
  },
);

rolledBack("a key that was rotated spends the limits and budgets of the one it replaced", async (session) => {
  const client = await makeClient(session, { key: { requests_per_minute: 2, monthly_messages: 10 } });
  const rotated = await call<{ id: string; key: string }>(session, "public.rotate_api_key", {
    key_id: client.keyId,
  });
  const next = { ...client, keyId: rotated.id, keyHash: await sha256(rotated.key) };
  assertEquals((await admit(session, client)).admitted, true);
  const second = await admit(session, next);
  assertEquals([second.admitted, second.limits[0]!.remaining], [true, 0]);
  assertEquals((await admit(session, client)).rule, "key");
  assertEquals((await counters(session, next)).key!.reserved_messages, 2);
});

rolledBack("the limits that were spent come back for the headers", async (session) => {
  const client = await makeClient(session, { key: { requests_per_minute: 9 } });
  const { limits } = await admit(session, client, { session_id: "s", address_hash: "home" });
  assertEquals(
    limits.map(({ name, limit, remaining, window_seconds }) => [name, limit, remaining, window_seconds]),
    [["key", 9, 8, 60], ["session", 30, 29, 60], ["address", 300, 299, 60]],
  );
  await config(session, "sessionRequestsPerMinute", 0);
  await config(session, "addressRequestsPerMinute", 0);
  const off = await admit(session, client, { address_hash: "home" });
  assertEquals(off.limits.map(({ name }) => name), ["key"]);
});

rolledBack("a plan that changes in the middle of a month counts what was used before it", async (session) => {
  const client = await makeClient(session, { plan: "free" });
  await session.query("update public.plans set messages = 2 where name = 'free'");
  for (let n = 0; n < 2; n++) await exchange(session, client);
  assertEquals((await admit(session, client)).rule, "plan.messages");
  await change(session, "users", client.ownerId, { plan: "pro" });
  assertEquals((await admit(session, client)).admitted, true);
  await change(session, "users", client.ownerId, { plan: "free" });
  assertEquals((await admit(session, client)).rule, "plan.messages");
});

rolledBack(
  "a month begins with empty counters, in UTC, and a turn is billed to the month it began in",
  async (session) => {
    const months = await session.query<{ before: string; after: string }>(
      `select private.month_of('2026-11-30T23:59:59Z')::text as before, private.month_of('2026-12-01T00:00:00Z')::text as after`,
    );
    assertEquals(months, [{ before: "2026-11-01", after: "2026-12-01" }]);
    const client = await makeClient(session, { key: { monthly_messages: 1 } });
    const turn = await admit(session, client);
    await session.query("update public.usage_counters set period = period - interval '1 month'");
    await session.query("update public.turns set period = period - interval '1 month'");
    assertEquals((await admit(session, client)).admitted, true);
    await settle(session, turn.turn_id);
    const rows = await session.query(
      `select messages::integer, reserved_messages::integer from public.usage_counters where scope = 'key' order by period`,
    );
    assertEquals(rows, [{ messages: 1, reserved_messages: 0 }, { messages: 0, reserved_messages: 1 }]);
  },
);

rolledBack("another agent of the same owner has budgets of its own, and shares the plan", async (session) => {
  const first = await makeClient(session, { plan: "free", agent: { monthly_messages: 1 } });
  const second = await makeClient(session, { plan: "free", owner: first.ownerId });
  await session.query("update public.plans set messages = 2 where name = 'free'");
  await exchange(session, first);
  assertEquals((await admit(session, first)).rule, "agent.messages");
  await exchange(session, second);
  assertEquals((await admit(session, second)).rule, "plan.messages");
});

rolledBack("deleting an agent gives no quota back", async (session) => {
  const first = await makeClient(session, { plan: "free" });
  await session.query("update public.plans set messages = 1 where name = 'free'");
  await exchange(session, first);
  await session.query("update public.agents set deleted_at = now() - interval '1 hour' where id = $1", [
    first.agentId,
  ]);
  await session.query("select private.erase_agents()");
  assertEquals(await session.query("select from public.agents where id = $1", [first.agentId]), []);
  const second = await makeClient(session, { plan: "free", owner: first.ownerId });
  assertEquals((await admit(session, second)).rule, "plan.messages");
});

rolledBack(
  "at the last token of a plan even an empty question is refused, with the plan's name",
  async (session) => {
    const client = await makeClient(session);
    await exchange(session, client, {}, { input_tokens: 20, output_tokens: 10 });
    await session.query("update public.plans set tokens = 30");
    const denied = await admit(session, client, { message_tokens: 0 });
    assertEquals([denied.code, denied.rule, denied.used], ["quota_exceeded", "plan.tokens", 30]);
  },
);
