import { assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { refusal, signUp, user, value } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { call, change, exchange, makeClient } from "./turns.ts";

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

const rate = (
  session: Session,
  agentId: string | null,
  messageId: string | null,
  rating: unknown,
  more = {},
) =>
  call<{ id: string; message_id: string; rating: number } | null>(session, "public.save_feedback", {
    agent_id: agentId,
    message_id: messageId,
    rating,
    ...more,
  });

const reset = (session: Session, sessionId: string | null, agentId?: string | null) =>
  call<{ conversations: number }>(session, "public.reset_chat_session", {
    p_session_id: sessionId,
    p_agent_id: agentId,
  });

rolledBack(
  "a reset clears messages, summary, count, memory, context and deltas, and keeps usage and bill",
  async (session) => {
    const client = await makeClient(session);
    const turn = await exchange(session, client, { session_id: "s", metadata: { url: "/a" } }, {
      retrieved: JSON.stringify([{ content: "x" }]),
    });
    await rate(session, client.agentId, turn.message_id, 1);
    const { conversation_id } = turn;
    await session.query(
      "insert into public.entity_memory (agent_id, conversation_id, type, value) values ($1, $2, 'name', 'Zoe')",
      [client.agentId, conversation_id],
    );
    await session.query(
      "insert into public.conversation_contexts (agent_id, conversation_id) values ($1, $2)",
      [
        client.agentId,
        conversation_id,
      ],
    );
    await change(session, "conversations", conversation_id, {
      summary: "x",
      status: "closed",
      closed_at: "2026-11-01",
    });
    const other = await exchange(session, client, { session_id: "t" });
    assertEquals(await reset(session, "s", client.agentId), { conversations: 1 });
    const [row] = await session.query(
      "select summary, message_count, metadata, status, closed_at from public.conversations where id = $1",
      [conversation_id],
    );
    assertEquals(row, { summary: null, message_count: 0, metadata: {}, status: "active", closed_at: null });
    const left = await session.query(
      `select (select count(*) from public.messages)::integer as messages, (select count(*) from public.feedback)::integer as feedback,
       (select count(*) from public.entity_memory)::integer as memory, (select count(*) from public.conversation_contexts)::integer as contexts,
       (select count(*) from public.usage_logs)::integer as ledger, (select sum(messages) from public.usage_counters)::integer as counted`,
    );
    assertEquals(left, [{ messages: 2, feedback: 0, memory: 0, contexts: 0, ledger: 2, counted: 6 }]);
    assertEquals((await read(session, client.agentId, "t"))!.messages[0]!.turn_id, other.turn_id);
    const [settled] = await session.query(
      "select state, retrieved, stop_requested from public.turns where id = $1",
      [
        turn.turn_id,
      ],
    );
    assertEquals(settled, { state: "completed", retrieved: [], stop_requested: false });
  },
);

rolledBack("a session that the caller cannot name exactly is not reset", async (session) => {
  const [client, other] = [await makeClient(session), await makeClient(session)];
  await exchange(session, client, { session_id: "s" });
  await exchange(session, other, { session_id: "s" });
  const { conversation_id } = await exchange(session, client, { session_id: "gone" });
  await change(session, "conversations", conversation_id, { status: "deleted" });
  const said = async (sessionId: string | null, agentId?: string | null) =>
    await refusal(reset(session, sessionId, agentId));
  assertEquals(await said("s"), "PT409 conflict");
  assertEquals(await said("s", null), "PT409 conflict");
  assertEquals(await said("t", client.agentId), "PT404 not_found");
  assertEquals(await said("gone", client.agentId), "PT404 not_found");
  assertEquals(await said("s", crypto.randomUUID()), "PT404 not_found");
  assertEquals([await said(null), await said("")], Array(2).fill("PT422 validation_failed"));
  assertEquals((await session.query("select from public.messages")).length, 6);
});

rolledBack(
  "an owner resets the sessions of their agents without naming the agent, a viewer and a stranger none",
  async (session) => {
    const [client, other] = [await makeClient(session), await makeClient(session)];
    const [editor, viewer] = [await signUp(session), await signUp(session)];
    for (const [member, role] of [[editor, "editor"], [viewer, "viewer"]]) {
      await session.query("insert into public.agent_members (agent_id, user_id, role) values ($1, $2, $3)", [
        client.agentId,
        member,
        role,
      ]);
    }
    for (const whose of [client, other]) await exchange(session, whose, { session_id: "s" });
    const as = (id: string) => value(session, user(id), "public.reset_chat_session('s')");
    assertEquals(await refusal(as(viewer)), "PT404 not_found");
    assertEquals(await refusal(as(await signUp(session))), "PT404 not_found");
    assertEquals(await as(editor), { conversations: 1 });
    assertEquals(await as(client.ownerId), { conversations: 1 });
    assertEquals((await read(session, other.agentId, "s"))!.messages.length, 2);
  },
);
