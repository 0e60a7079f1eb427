import { assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { refusal } from "./people.ts";
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

rolledBack(
  "an answer is rated once per session, and a later rating replaces the earlier one",
  async (session) => {
    const client = await makeClient(session);
    const { message_id } = await exchange(session, client, { session_id: "s" });
    const first = await rate(session, client.agentId, message_id, 1, { comment: "Good", category: "tone" });
    assertEquals(first, { id: first!.id, message_id, rating: 1 });
    const second = await rate(session, client.agentId, message_id, -1);
    assertEquals(second, { id: first!.id, message_id, rating: -1 });
    assertEquals(await session.query("select rating, comment, category, session_id from public.feedback"), [
      { rating: -1, comment: null, category: null, session_id: "s" },
    ]);
    assertEquals((await read(session, client.agentId, "s"))!.messages.map((m) => m.rating), [null, -1]);
  },
);

rolledBack("only an answer of this agent can be rated", async (session) => {
  const [client, other] = [await makeClient(session), await makeClient(session)];
  const turn = await exchange(session, client, { session_id: "s" });
  assertEquals(await rate(session, other.agentId, turn.message_id, 1), null);
  assertEquals(await rate(session, null, turn.message_id, 1), null);
  assertEquals(await rate(session, client.agentId, turn.user_message_id, 1), null);
  assertEquals(await rate(session, client.agentId, crypto.randomUUID(), 1), null);
  assertEquals(await rate(session, client.agentId, null, 1), null);
  await change(session, "conversations", turn.conversation_id, { status: "deleted" });
  assertEquals(await rate(session, client.agentId, turn.message_id, 1), null);
  assertEquals(await session.query("select from public.feedback"), []);
});

rolledBack("a senseless rating raises", async (session) => {
  const client = await makeClient(session);
  const { message_id } = await exchange(session, client);
  for (const bad of [null, 0, 2, -2]) {
    assertEquals(await refusal(rate(session, client.agentId, message_id, bad)), "PT422 validation_failed");
  }
  for (const more of [{ comment: "x".repeat(4001) }, { category: "" }, { category: "x".repeat(101) }]) {
    assertEquals(
      await refusal(rate(session, client.agentId, message_id, 1, more)),
      "PT422 validation_failed",
    );
  }
});
