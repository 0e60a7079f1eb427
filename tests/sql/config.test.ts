import { assertEquals } from "@std/assert";
import { admin, as, refusal, service, signUp, user, value } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";

rolledBack("the settings start with their documented values", async (session) => {
  const rows = await session.query<{ key: string; value: unknown }>(
    "select key, value from public.app_config",
  );
  assertEquals(Object.fromEntries(rows.map(({ key, value }) => [key, value])), {
    conversationGuardEnabled: true,
    roleLockEnabled: true,
    topicLockEnabled: true,
    socialApprovalRequired: true,
    killSwitch: false,
    shopFirstStrict: false,
    maxTurns: 50,
    conversationIdleMinutes: 60,
    topicLockTurns: 3,
    sessionRequestsPerMinute: 30,
    addressRequestsPerMinute: 300,
    defaultAgentId: null,
    allowedRedirectOrigins: [],
  });
});

rolledBack("a setting takes a value of its type alone", async (session) => {
  const change = (key: string, text: string) =>
    refusal(as(session, service, "update public.app_config set value = $2 where key = $1", [key, text]));
  const id = JSON.stringify(crypto.randomUUID());
  for (
    const [key, text] of [
      ["killSwitch", "true"],
      ["maxTurns", "0"],
      ["maxTurns", "999999999"],
      ["defaultAgentId", id],
      ["defaultAgentId", "null"],
      ["allowedRedirectOrigins", '["https://shop.example"]'],
    ]
  ) assertEquals(await change(key!, text!), "nothing was refused", `${key} ${text}`);
  for (
    const [key, text] of [
      ["killSwitch", "null"],
      ["killSwitch", '"true"'],
      ["killSwitch", "1"],
      ["maxTurns", "-1"],
      ["maxTurns", "1.5"],
      ["maxTurns", "1000000000"],
      ["maxTurns", "null"],
      ["defaultAgentId", '"me"'],
      ["allowedRedirectOrigins", "[1]"],
      ["allowedRedirectOrigins", '"https://shop.example"'],
      ["allowedRedirectOrigins", "null"],
    ]
  ) assertEquals(await change(key!, text!), "23514", `${key} ${text}`);
});

rolledBack("admins change values and see who changed what; nobody else sees a setting", async (session) => {
  const [ann, eve] = [await signUp(session), await signUp(session)];
  await as(session, admin(ann), "update public.app_config set value = 'true' where key = 'killSwitch'");
  await as(session, admin(ann), "update public.app_config set value = 'true' where key = 'killSwitch'");
  await as(session, user(eve), "update public.app_config set value = 'false' where key = 'killSwitch'");
  assertEquals(await session.query("select value, version from public.app_config where key = 'killSwitch'"), [
    { value: true, version: 2 },
  ]);
  const history =
    "select old_value, new_value, version, changed_by from public.app_config_history where key = 'killSwitch' order by id";
  assertEquals(await as(session, admin(ann), history), [
    { old_value: null, new_value: false, version: 1, changed_by: null },
    { old_value: false, new_value: true, version: 2, changed_by: ann },
  ]);
  assertEquals(await as(session, user(eve), history), []);
  assertEquals(
    await refusal(as(session, admin(ann), "update public.app_config set value_type = 'text'")),
    "42501",
  );
  assertEquals(await refusal(as(session, admin(ann), "delete from public.app_config")), "42501");
  await as(session, service, "delete from public.app_config where key = 'killSwitch'");
  assertEquals((await session.query(history)).at(-1), {
    old_value: true,
    new_value: null,
    version: 2,
    changed_by: null,
  });
});

rolledBack("private.setting reads one value, null for an unknown key", async (session) => {
  assertEquals(await value(session, service, "private.setting('maxTurns')"), 50);
  assertEquals(await value(session, service, "private.setting('unknown')"), null);
  assertEquals(
    await refusal(value(session, user(await signUp(session)), "private.setting('maxTurns')")),
    "42501",
  );
});

rolledBack(
  "an event is in the outbox when its transaction commits, and in no other case",
  async (session) => {
    await session.exec("savepoint before");
    await value(session, service, "private.emit('agent.created', '{\"id\": 1}')");
    await session.exec("rollback to savepoint before");
    assertEquals(await session.query("select id from public.outbox"), []);
    await value(session, service, "private.emit('agent.created', '{\"id\": 2}')");
    await value(session, service, "private.emit('agent.idle', null)");
    assertEquals(
      await session.query("select topic, payload, attempts, processed_at from public.outbox order by id"),
      [
        { topic: "agent.created", payload: { id: 2 }, attempts: 0, processed_at: null },
        { topic: "agent.idle", payload: {}, attempts: 0, processed_at: null },
      ],
    );
    assertEquals(await refusal(value(session, service, "private.emit('Not A Topic', '{}')")), "23514");
    assertEquals(await refusal(value(session, service, "private.emit('a', '[]')")), "23514");
  },
);
