import { assertEquals } from "@std/assert";
import { rolledBack } from "./rolled-back.ts";
import { admit, append, call, type Client, exchange, makeClient, reap, settle } from "./turns.ts";
import type { TestSession } from "../support/database.ts";

const event = (id: number, event: string, data = {}) => ({ id, event, data });
const json = JSON.stringify;

function events(session: TestSession, client: Client, turn_id: string, after_id = 0) {
  return call<Record<string, unknown> | null>(session, "public.turn_events", {
    agent_id: client.agentId,
    turn_id,
    after_id,
  });
}

rolledBack("a resumable turn can be read on behind any event, during and after it", async (session) => {
  const client = await makeClient(session);
  const { turn_id, message_id } = await admit(session, client, { resumable: true });
  const first = [event(1, "meta"), event(2, "delta", { text: "Thirty" })];
  await append(session, turn_id, 1, "Thirty", { events: json(first) });
  await append(session, turn_id, 1, "Thirty", { events: json(first) });
  assertEquals(await events(session, client, turn_id), {
    resumable: true,
    settled: false,
    error_code: null,
    message_id: null,
    events: first,
  });
  const last = [event(3, "delta", { text: " days." }), event(4, "done")];
  await settle(session, turn_id, { answer: "Thirty days.", events: json(last) });
  assertEquals(await events(session, client, turn_id, 1), {
    resumable: true,
    settled: true,
    error_code: null,
    message_id,
    events: [first[1], ...last],
  });
  assertEquals((await events(session, client, turn_id, 4))!.events, []);
  await session.query("update public.turn_deltas set created_at = now() - interval '1 hour'");
  await session.query("select private.forget_turn_traces()");
  assertEquals((await events(session, client, turn_id))!.events, []);
});

rolledBack("another turn leaves no events behind", async (session) => {
  const client = await makeClient(session);
  const { turn_id } = await admit(session, client);
  await append(session, turn_id, 1, "Thirty", { events: json([event(1, "meta")]) });
  await settle(session, turn_id, { events: json([event(2, "done")]) });
  assertEquals(await session.query("select turn_id from public.turn_deltas"), []);
  assertEquals((await events(session, client, turn_id))!.resumable, false);
});

rolledBack("what a killed worker sent stays readable when its turn is reaped", async (session) => {
  const client = await makeClient(session);
  const { turn_id } = await admit(session, client, { resumable: true });
  await append(session, turn_id, 1, "Thirty", { events: json([event(1, "delta", { text: "Thirty" })]) });
  assertEquals(await reap(session, 120), 1);
  const seen = await events(session, client, turn_id);
  assertEquals([seen!.settled, seen!.error_code], [true, "unavailable"]);
  assertEquals((seen!.events as unknown[]).length, 1);
});

rolledBack("turns of other agents and what was reset can neither be read nor stopped", async (session) => {
  const client = await makeClient(session);
  const other = await makeClient(session);
  const { turn_id } = await admit(session, client, { session_id: "s", resumable: true });
  await append(session, turn_id, 1, "Thirty", { events: json([event(1, "delta")]) });
  assertEquals(await events(session, other, turn_id), null);
  assertEquals(await call(session, "public.stop_turn", { agent_id: other.agentId, turn_id }), null);
  await call(session, "public.reset_chat_session", { p_session_id: "s", p_agent_id: client.agentId });
  assertEquals((await events(session, client, turn_id))!.events, []);
  await settle(session, turn_id, { events: json([event(2, "delta", { text: "days" })]) });
  assertEquals((await events(session, client, turn_id))!.events, []);
});

rolledBack("a stopped turn learns it with its next deltas and keeps its record", async (session) => {
  const client = await makeClient(session);
  const { turn_id } = await admit(session, client);
  const stop = () =>
    call<Record<string, unknown>>(session, "public.stop_turn", { agent_id: client.agentId, turn_id });
  assertEquals(await stop(), { turn_id, state: "admitted", stopping: true });
  assertEquals(await append(session, turn_id, 1, "Thir"), { stop: true, reason: "stopped" });
  await settle(session, turn_id, { outcome: "aborted", answer: "Thir", retrieved: json([{ chunk_id: 7 }]) });
  assertEquals(await stop(), { turn_id, state: "aborted", stopping: false });
  const [turn] = await session.query("select retrieved from public.turns");
  assertEquals(turn!.retrieved, [{ chunk_id: 7 }]);
  await exchange(session, client);
});
