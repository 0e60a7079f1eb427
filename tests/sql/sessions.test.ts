import { assert, assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { refusal } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { admit, call, change, counters, exchange, makeClient, settle } from "./turns.ts";

const config = (session: Session, key: string, setting: unknown) =>
  session.query("update public.app_config set value = $2 where key = $1", [key, JSON.stringify(setting)]);

const count = async (session: Session, table: string) => {
  const [row] = await session.query<{ n: number }>(`select count(*)::integer as n from public.${table}`);
  return row!.n;
};

rolledBack(
  "a session goes on: history without the new question, first visitor kept, metadata merged",
  async (session) => {
    const client = await makeClient(session);
    const one = { session_id: "s", visitor_id: "v1", metadata: { url: "/a", ref: "x" }, language: "fr" };
    await exchange(session, client, { ...one, message: "Bonjour" }, { answer: "Bonjour !" });
    const turn = await admit(session, client, {
      session_id: "s",
      visitor_id: "v2",
      metadata: { url: "/b" },
      message: "Et ?",
    });
    assertEquals(turn.history, [{ role: "user", content: "Bonjour" }, {
      role: "assistant",
      content: "Bonjour !",
    }]);
    const [kept] = await session.query(
      "select visitor_id, metadata, language, message_count from public.conversations",
    );
    assertEquals(kept, {
      visitor_id: "v1",
      metadata: { url: "/b", ref: "x" },
      language: "fr",
      message_count: 3,
    });
  },
);

rolledBack(
  "metadata stays small: what would grow without end begins again with the newest",
  async (session) => {
    const client = await makeClient(session);
    for (let n = 0; n < 6; n++) {
      await exchange(session, client, { session_id: "s", metadata: { [`page${n}`]: "x".repeat(4000) } });
      const [row] = await session.query<{ bytes: number; newest: boolean }>(
        `select octet_length(metadata::text) as bytes, metadata ? $1 as newest from public.conversations`,
        [`page${n}`],
      );
      assert(row!.bytes <= 16_384 && row!.newest);
    }
    const filled = { list: Array.from({ length: 8000 }, () => 1) };
    assert(JSON.stringify(filled).length < 16_384);
    assertEquals((await admit(session, client, { metadata: filled })).admitted, true);
    const huge = JSON.stringify({ n: "N" }).replace('"N"', "1e30000");
    assertEquals(await refusal(admit(session, client, { metadata: huge })), "PT422 validation_failed");
  },
);

rolledBack("a closed or archived conversation opens again with its history", async (session) => {
  const client = await makeClient(session);
  for (const status of ["closed", "archived"]) {
    const { conversation_id } = await exchange(session, client, { session_id: status });
    await change(session, "conversations", conversation_id, { status, closed_at: "2026-11-01" });
    const turn = await admit(session, client, { session_id: status });
    assertEquals([turn.conversation_id, turn.history.length], [conversation_id, 2]);
    const [open] = await session.query("select status, closed_at from public.conversations where id = $1", [
      conversation_id,
    ]);
    assertEquals(open, { status: "active", closed_at: null });
  }
});

rolledBack(
  "a deleted conversation starts empty when its session goes on: what was deleted does not come back",
  async (session) => {
    const client = await makeClient(session);
    const { conversation_id } = await exchange(session, client, {
      session_id: "s",
      visitor_id: "v",
      metadata: { secret: 1 },
      language: "fr",
    });
    await change(session, "conversations", conversation_id, { status: "deleted", summary: "A secret." });
    const turn = await admit(session, client, { session_id: "s", visitor_id: "w" });
    assertEquals([turn.admitted, turn.history, turn.summary], [true, [], null]);
    const [row] = await session.query(
      "select status, visitor_id, metadata, language, message_count from public.conversations",
    );
    assertEquals(row, { status: "active", visitor_id: "w", metadata: {}, language: null, message_count: 1 });
    assertEquals(await count(session, "messages"), 1);
  },
);

rolledBack(
  "a session takes maxTurns turns, also when some had no answer, and takes more after a reset",
  async (session) => {
    await config(session, "maxTurns", 3);
    const client = await makeClient(session);
    await exchange(session, client, { session_id: "s" });
    for (const outcome of ["aborted", "failed"]) {
      await exchange(session, client, { session_id: "s" }, {
        outcome,
        answer: outcome === "failed" ? "Half" : "",
      });
    }
    assertEquals((await admit(session, client, { session_id: "s" })).code, "session_full");
    await call(session, "public.reset_chat_session", { p_session_id: "s", p_agent_id: client.agentId });
    assertEquals((await admit(session, client, { session_id: "s" })).admitted, true);
  },
);

rolledBack("a turn that failed before its first word leaves its place in the session", async (session) => {
  await config(session, "maxTurns", 1);
  const client = await makeClient(session);
  await exchange(session, client, { session_id: "s" }, { outcome: "failed", answer: "" });
  assertEquals((await admit(session, client, { session_id: "s" })).admitted, true);
});

rolledBack(
  "a session whose worker died is settled from what it said when the next question comes",
  async (session) => {
    const client = await makeClient(session);
    const dead = await admit(session, client, { session_id: "s", message: "First?" });
    await call(session, "public.append_deltas", { turn_id: dead.turn_id, seq: 1, text: "Half an ans" });
    assertEquals((await admit(session, client, { session_id: "s" })).code, "turn_in_progress");
    await change(session, "turns", dead.turn_id, { leased_until: new Date(Date.now() - 1000).toISOString() });
    const next = await admit(session, client, { session_id: "s", message: "Second?" });
    assertEquals(next.admitted, true);
    assertEquals(next.history, [
      { role: "user", content: "First?" },
      { role: "assistant", content: "Half an ans" },
    ]);
    const states = await session.query("select state, error_code from public.turns order by created_at, id");
    assertEquals(states, [{ state: "failed", error_code: "unavailable" }, {
      state: "admitted",
      error_code: null,
    }]);
    const { messages, reserved_messages } = (await counters(session, client)).owner!;
    assertEquals([messages, reserved_messages], [1, 1]);
  },
);

rolledBack("a dead turn that said nothing leaves no question behind", async (session) => {
  const client = await makeClient(session);
  const dead = await admit(session, client, { session_id: "s", message: "First?" });
  await change(session, "turns", dead.turn_id, { leased_until: new Date(Date.now() - 1000).toISOString() });
  const next = await admit(session, client, { session_id: "s", message: "Second?" });
  assertEquals([next.admitted, next.history], [true, []]);
  assertEquals(await count(session, "messages"), 1);
  assertEquals((await session.query("select message_count from public.conversations"))[0], {
    message_count: 1,
  });
});

rolledBack(
  "a session that was reset while it was answered takes no second turn until the first ends",
  async (session) => {
    const client = await makeClient(session);
    const open = await admit(session, client, { session_id: "s" });
    await call(session, "public.reset_chat_session", { p_session_id: "s", p_agent_id: client.agentId });
    assertEquals((await admit(session, client, { session_id: "s" })).code, "turn_in_progress");
    await settle(session, open.turn_id, { outcome: "aborted" });
    const next = await admit(session, client, { session_id: "s" });
    assertEquals([next.admitted, next.history], [true, []]);
  },
);
