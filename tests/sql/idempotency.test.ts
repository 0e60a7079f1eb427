import { assertEquals } from "@std/assert";
import { rolledBack } from "./rolled-back.ts";
import { type Admission, admit, call, counters, everything, exchange, makeClient, settle } from "./turns.ts";

const request = { idempotency_key: "k-1", route: "chat", request_hash: "0".repeat(64), session_id: "s" };

rolledBack("the same key and body again answers what the first turn answered", async (session) => {
  const client = await makeClient(session);
  const first = await exchange(session, client, request, {
    answer: "Thirty days.",
    finish_reason: "stop",
    response_time_ms: 12,
  });
  const before = await everything(session);
  const again = await admit(session, client, request);
  assertEquals([again.admitted, again.code], [false, "replayed"]);
  const { created_at, ...replay } = again.replay as Record<string, unknown>;
  assertEquals(typeof created_at, "string");
  assertEquals(replay, {
    turn_id: first.turn_id,
    message_id: first.message_id,
    session_id: "s",
    conversation_id: first.conversation_id,
    agent_id: client.agentId,
    outcome: "completed",
    answer: "Thirty days.",
    citations: [],
    usage: { input_tokens: 20, output_tokens: 10, total_tokens: 30 },
    model: "extractive",
    provider: "local",
    metadata: { finish_reason: "stop" },
    finish_reason: "stop",
    error_code: null,
    response_time_ms: 12,
  });
  assertEquals(await everything(session), before);
});

rolledBack("another body is a mismatch, and a running turn asks to wait", async (session) => {
  const client = await makeClient(session);
  const turn = await admit(session, client, request);
  const before = await everything(session);
  const running = await admit(session, client, request);
  assertEquals([running.code, running.status, running.retry_after], ["turn_in_progress", 409, 1]);
  const other = await admit(session, client, { ...request, request_hash: "1".repeat(64) });
  assertEquals([other.code, other.status], ["idempotency_mismatch", 422]);
  assertEquals(await everything(session), before);
  await settle(session, turn.turn_id);
  assertEquals((await admit(session, client, request)).code, "replayed");
});

rolledBack("keys are apart by credential and route", async (session) => {
  const client = await makeClient(session);
  const other = await makeClient(session);
  await exchange(session, client, request);
  assertEquals((await admit(session, client, { ...request, route: "completions" })).admitted, true);
  assertEquals((await admit(session, other, request)).admitted, true);
});

rolledBack(
  "a turn that failed before its first word frees its key, one that said something keeps it",
  async (session) => {
    const client = await makeClient(session);
    const failed = await admit(session, client, request);
    await settle(session, failed.turn_id, { outcome: "failed", answer: "" });
    const second = await admit(session, client, request);
    assertEquals(second.admitted, true);
    await settle(session, second.turn_id, {
      outcome: "failed",
      answer: "Thir",
      error_code: "provider_failed",
    });
    const { replay } = await admit(session, client, request) as Admission & {
      replay: Record<string, unknown>;
    };
    assertEquals([replay.outcome, replay.answer, replay.error_code], ["failed", "Thir", "provider_failed"]);
  },
);

rolledBack("a refusal by a later rule claims nothing", async (session) => {
  const client = await makeClient(session, { key: { requests_per_minute: 1 } });
  await exchange(session, client);
  assertEquals((await admit(session, client, request)).code, "rate_limited");
  assertEquals(await session.query("select key from public.idempotency_keys"), []);
});

rolledBack("an answer comes back when the plan is used up since", async (session) => {
  const client = await makeClient(session, { plan: "free" });
  await session.query("update public.plans set messages = 1 where name = 'free'");
  await exchange(session, client, request);
  assertEquals((await admit(session, client, { session_id: "other" })).code, "quota_exceeded");
  assertEquals((await admit(session, client, request)).code, "replayed");
  assertEquals((await counters(session, client)).owner!.messages, 1);
});

rolledBack("after a day, and after a reset of its session, a key is free", async (session) => {
  const client = await makeClient(session);
  await exchange(session, client, request);
  await session.query("update public.idempotency_keys set created_at = now() - interval '24 hours'");
  const next = await admit(session, client, { ...request, request_hash: "2".repeat(64) });
  assertEquals(next.admitted, true);
  await settle(session, next.turn_id);
  await call(session, "public.reset_chat_session", { p_session_id: "s", p_agent_id: client.agentId });
  assertEquals((await admit(session, client, request)).admitted, true);
  await session.query("update public.idempotency_keys set created_at = now() - interval '24 hours'");
  const [forgotten] = await session.query<{ n: number }>("select private.forget_turn_traces() as n");
  assertEquals(forgotten!.n, 1);
});
