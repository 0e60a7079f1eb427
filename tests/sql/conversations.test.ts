import { assertEquals, assertMatch } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { as, refusal, service, signUp, user, value } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { admit, call, change, exchange, makeClient } from "./turns.ts";

interface Page {
  messages: { id: string; turn_id: string; role: string; content: string; rating: number | null }[];
  has_more: boolean;
}

const read = (
  session: Session,
  agentId: string | null,
  sessionId: string,
  more: Record<string, unknown> = {},
) =>
  call<Page | null>(session, "public.session_messages", {
    agent_id: agentId,
    session_id: sessionId,
    ...more,
  });

rolledBack("the messages of a session come oldest first, a page at a time from the end", async (session) => {
  const client = await makeClient(session);
  for (const n of [1, 2, 3]) {
    await exchange(session, client, { session_id: "s", message: `q${n}` }, { answer: `a${n}` });
  }
  const shown = (page: Page | null) => [page!.messages.map(({ content }) => content), page!.has_more];
  assertEquals(shown(await read(session, client.agentId, "s")), [
    ["q1", "a1", "q2", "a2", "q3", "a3"],
    false,
  ]);
  const last = await read(session, client.agentId, "s", { max_items: 2 });
  assertEquals(shown(last), [["q3", "a3"], true]);
  const before = await read(session, client.agentId, "s", { max_items: 3, before: last!.messages[0]!.id });
  assertEquals(shown(before), [["a1", "q2", "a2"], true]);
  const first = await read(session, client.agentId, "s", { max_items: 3, before: before!.messages[0]!.id });
  assertEquals(shown(first), [["q1"], false]);
  assertEquals(shown(await read(session, client.agentId, "s", { before: first!.messages[0]!.id })), [
    [],
    false,
  ]);
  assertEquals(Object.keys(last!.messages[0]!).sort(), [
    "citations",
    "content",
    "created_at",
    "id",
    "rating",
    "role",
    "turn_id",
  ]);
});

rolledBack(
  "no session, a foreign agent's, a deleted one and that of a hidden agent all read as null",
  async (session) => {
    const [client, other] = [await makeClient(session), await makeClient(session)];
    const { conversation_id } = await exchange(session, client, { session_id: "s" });
    assertEquals(await read(session, client.agentId, "t"), null);
    assertEquals(await read(session, other.agentId, "s"), null);
    assertEquals(await read(session, null, "s"), null);
    await change(session, "conversations", conversation_id, { status: "deleted" });
    assertEquals(await read(session, client.agentId, "s"), null);
    await change(session, "conversations", conversation_id, { status: "closed" });
    assertEquals((await read(session, client.agentId, "s"))!.messages.length, 2);
    await change(session, "agents", client.agentId, { deleted_at: "2026-11-01" });
    assertEquals(await read(session, client.agentId, "s"), null);
  },
);

rolledBack("a page has 1 to 200 messages", async (session) => {
  const client = await makeClient(session);
  for (const bad of [null, 0, -1, 201]) {
    assertEquals(
      await refusal(read(session, client.agentId, "s", { max_items: bad })),
      "PT422 validation_failed",
    );
  }
});

rolledBack("the same session id with two agents is two conversations", async (session) => {
  const [client, other] = [await makeClient(session), await makeClient(session)];
  await exchange(session, client, { session_id: "s", message: "mine" });
  await exchange(session, other, { session_id: "s", message: "theirs" });
  assertEquals((await read(session, client.agentId, "s"))!.messages[0]!.content, "mine");
  assertEquals((await read(session, other.agentId, "s"))!.messages[0]!.content, "theirs");
});

rolledBack("a conversation without a message for an hour closes, which is no activity", async (session) => {
  const client = await makeClient(session);
  const [idle, busy] = [await exchange(session, client), await exchange(session, client)];
  const close = async (minutes: number) => {
    const [row] = await session.query<{ n: number }>(
      "select private.close_idle_conversations(now() + make_interval(mins => $1)) as n",
      [minutes],
    );
    return row!.n;
  };
  await session.exec("alter table public.conversations disable trigger conversations_updated_at");
  await session.query(
    "update public.conversations set updated_at = now() - interval '30 minutes' where id = $1",
    [
      idle.conversation_id,
    ],
  );
  await session.exec("alter table public.conversations enable trigger conversations_updated_at");
  assertEquals(await close(29), 0);
  assertEquals(await close(31), 1);
  assertEquals(await close(31), 0);
  const rows = await session.query(
    `select id, status, closed_at is not null as closed, updated_at < now() as earlier from public.conversations order by status desc`,
  );
  assertEquals(rows, [
    { id: idle.conversation_id, status: "closed", closed: true, earlier: true },
    { id: busy.conversation_id, status: "active", closed: false, earlier: false },
  ]);
  await session.query("update public.app_config set value = '5' where key = 'conversationIdleMinutes'");
  assertEquals(await close(6), 1);
});

rolledBack("members read no more of a deleted conversation, in no table", async (session) => {
  const client = await makeClient(session);
  const turn = await exchange(session, client, { session_id: "s" });
  await exchange(session, client, { session_id: "t" });
  await session.query(
    "insert into public.entity_memory (agent_id, conversation_id, type, value) values ($1, $2, 'name', 'Zoe')",
    [client.agentId, turn.conversation_id],
  );
  const seen = async (actor: ReturnType<typeof user>) => {
    const found: number[] = [];
    for (const table of ["conversations", "messages", "turns", "entity_memory"]) {
      found.push((await as(session, actor, `select from public.${table}`)).length);
    }
    return found;
  };
  const owner = user(client.ownerId);
  const asker = user(await signUp(session));
  assertEquals([await seen(owner), await seen(asker)], [[2, 4, 2, 1], [0, 0, 0, 0]]);
  await change(session, "conversations", turn.conversation_id, { user_id: asker.claims!.sub });
  assertEquals(await seen(asker), [1, 2, 0, 0]);
  await change(session, "conversations", turn.conversation_id, { status: "deleted" });
  assertEquals([await seen(owner), await seen(asker)], [[1, 2, 1, 0], [0, 0, 0, 0]]);
  await change(session, "conversations", turn.conversation_id, { status: "active" });
  await change(session, "agents", client.agentId, { deleted_at: "2026-11-01" });
  assertEquals([await seen(owner), await seen(asker)], [[0, 0, 0, 0], [0, 0, 0, 0]]);
});

rolledBack("a message made at the end of a month is found like any other", async (session) => {
  const client = await makeClient(session);
  const turn = await exchange(session, client, { session_id: "s" });
  const [late] = await session.query<{ id: string }>(
    `insert into public.messages (id, conversation_id, agent_id, role, content)
     values (private.uuid_v7(date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' + interval '1 month'), $1, $2, 'assistant', 'Later.')
     returning id`,
    [turn.conversation_id, client.agentId],
  );
  const [partition] = await session.query<{ name: string }>(
    "select tableoid::regclass::text as name from public.messages where id = $1",
    [late!.id],
  );
  assertMatch(partition!.name, /^partitions\.messages_\d{4}_\d\d$/);
  assertEquals((await read(session, client.agentId, "s"))!.messages.at(-1)!.content, "Later.");
  const { history } = await admit(session, client, { session_id: "s" });
  assertEquals(history.map(({ content }) => content), ["May I return it?", "Within thirty days.", "Later."]);
});

rolledBack("a session function is the service role's alone", async (session) => {
  const client = await makeClient(session);
  const owner = user(client.ownerId);
  const { message_id } = await exchange(session, client, { session_id: "s" });
  for (
    const sql of [
      `public.session_messages('${client.agentId}', 's')`,
      `public.save_feedback('${client.agentId}', '${message_id}', 1)`,
      "public.admit_turn('x', 1, 'x')",
      `public.settle_turn('${message_id}', 'completed', 'x', 'x')`,
      "private.reap_turns()",
    ]
  ) {
    assertEquals(await refusal(value(session, owner, sql)), "42501", sql);
  }
  await value(session, service, `public.session_messages('${client.agentId}', 's')`);
});
