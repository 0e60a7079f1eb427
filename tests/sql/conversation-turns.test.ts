import { assert, assertEquals } from "@std/assert";
import type { TestSession } from "../support/database.ts";
import { rolledBack } from "./rolled-back.ts";
import { admit, exchange, makeClient, settle } from "./turns.ts";

/** What a session holds, oldest first. */
async function stored(session: TestSession): Promise<string[]> {
  const rows = await session.query<{ role: string; content: string }>(
    "select role, content from public.messages order by id",
  );
  return rows.map(({ role, content }) => `${role}: ${content}`);
}

async function messageCount(session: TestSession): Promise<unknown> {
  return (await session.query("select message_count from public.conversations"))[0]!.message_count;
}

const list = (...messages: object[]) => JSON.stringify(messages);
const calls = (...ids: string[]) =>
  JSON.stringify({ tool_calls: ids.map((id) => ({ id, name: "weather", arguments: "{}" })) });
const result = (id: string, content = "21 °C") => ({
  role: "tool",
  content,
  tokens: 4,
  metadata: { tool_call_id: id },
});

rolledBack(
  "a question asked again takes the place of its exchange and of what followed; all stays billed",
  async (session) => {
    const client = await makeClient(session);
    const ask = (message: string, more: Record<string, unknown> = {}) =>
      admit(session, client, { session_id: "s", message, ...more });
    for (const [question, answer] of [["First?", "One."], ["Second?", "Two."]]) {
      await exchange(session, client, { session_id: "s", message: question }, { answer });
    }
    const again = await ask("Second?", { regenerate: true });
    assertEquals(again.history.map(({ content }) => content), ["First?", "One."]);
    await settle(session, again.turn_id, { answer: "Two, better." });
    assertEquals(await stored(session), [
      "user: First?",
      "assistant: One.",
      "user: Second?",
      "assistant: Two, better.",
    ]);
    assertEquals(await messageCount(session), 4);

    const earlier = await ask("First?", { regenerate: true });
    assertEquals(earlier.history, []);
    await settle(session, earlier.turn_id, { answer: "One, better." });
    assertEquals(await stored(session), ["user: First?", "assistant: One, better."]);
    assertEquals(await messageCount(session), 2);
    assertEquals((await session.query("select id from public.usage_logs")).length, 4);
  },
);

rolledBack(
  "a question that was not kept, and one of a new session, are asked again as new ones",
  async (session) => {
    const client = await makeClient(session);
    await exchange(session, client, { session_id: "s", message: "First?" }, { answer: "One." });
    const failed = await admit(session, client, { session_id: "s", message: "Second?" });
    await settle(session, failed.turn_id, { outcome: "failed", answer: "" });
    const again = await admit(session, client, { session_id: "s", message: "Second?", regenerate: true });
    await settle(session, again.turn_id, { answer: "Two." });
    assertEquals(await stored(session), [
      "user: First?",
      "assistant: One.",
      "user: Second?",
      "assistant: Two.",
    ]);
    for (const session_id of ["new", undefined]) {
      assertEquals((await admit(session, client, { session_id, regenerate: true })).admitted, true);
    }
  },
);

rolledBack("a full session takes a question again, since that adds no turn", async (session) => {
  const client = await makeClient(session);
  await session.query("update public.app_config set value = '1' where key = 'maxTurns'");
  await exchange(session, client, { session_id: "s", message: "First?" });
  assertEquals((await admit(session, client, { session_id: "s", message: "Second?" })).code, "session_full");
  const again = await admit(session, client, { session_id: "s", message: "First?", regenerate: true });
  assertEquals(again.admitted, true);
});

rolledBack(
  "what a client says came before is stored before the question, and goes with it",
  async (session) => {
    const client = await makeClient(session);
    const earlier = list({ role: "user", content: "Weather in Lyon?", tokens: 4 }, {
      role: "user",
      content: "In May?",
      tokens: 3,
    });
    const turn = await admit(session, client, { session_id: "s", message: "And there?", earlier });
    assertEquals(await stored(session), ["user: Weather in Lyon?", "user: In May?", "user: And there?"]);
    await settle(session, turn.turn_id, { outcome: "failed", answer: "" });
    assertEquals([await stored(session), await messageCount(session)], [[], 0]);
    for (const broken of ['[{"role": "boss", "content": "x", "tokens": 1}]', '[{"role": "user"}]', '["x"]']) {
      await session.exec("savepoint s");
      await admit(session, client, { earlier: broken }).then(
        () => assert(false, "admitted"),
        (error) => assertEquals(error.code, "PT422"),
      );
      await session.exec("rollback to savepoint s");
    }
  },
);

rolledBack("a turn may answer the results of tools instead of a question", async (session) => {
  const client = await makeClient(session);
  const asked = await admit(session, client, { session_id: "s", message: "Weather in Lyon and Paris?" });
  await settle(session, asked.turn_id, {
    answer: "",
    finish_reason: "tool-calls",
    message_metadata: calls("a", "b"),
  });
  const turn = await admit(session, client, {
    session_id: "s",
    message: "19 °C",
    message_metadata: JSON.stringify({ tool_call_id: "b" }),
    earlier: list(result("a")),
  });
  assertEquals(turn.admitted, true);
  assertEquals(turn.history.map(({ role, metadata }) => [role, Object.keys(metadata ?? {})]), [
    ["user", []],
    ["assistant", ["tool_calls"]],
  ]);
  await settle(session, turn.turn_id, { answer: "Warm." });
  assertEquals(await stored(session), [
    "user: Weather in Lyon and Paris?",
    "assistant: ",
    "tool: 21 °C",
    "tool: 19 °C",
    "assistant: Warm.",
  ]);
  const next = await admit(session, client, { session_id: "s", message: "And Rome?" });
  assertEquals(next.history.map(({ role }) => role), ["user", "assistant", "tool", "tool", "assistant"]);
});

rolledBack("a tool's result may be empty, or long, where a question may not", async (session) => {
  const client = await makeClient(session);
  const metadata = { message_metadata: JSON.stringify({ tool_call_id: "a" }) };
  for (const message of ["", "x".repeat(100_000)]) {
    const asked = await admit(session, client, { session_id: "s", message: "Weather?" });
    await settle(session, asked.turn_id, { answer: "", message_metadata: calls("a") });
    const turn = await admit(session, client, { session_id: "s", message, ...metadata });
    await settle(session, turn.turn_id);
    await session.exec("savepoint s");
    await admit(session, client, { session_id: "s", message }).then(
      () => assert(false, "admitted"),
      (error) => assertEquals(error.code, "PT422"),
    );
    await session.exec("rollback to savepoint s");
  }
});

rolledBack(
  "a result whose call is not in the session's last answer is refused, and nothing is stored",
  async (session) => {
    const client = await makeClient(session);
    const refused = async (more: Record<string, unknown>) => {
      const denied = await admit(session, client, { session_id: "s", ...more });
      assertEquals([denied.code, denied.status], ["validation_failed", 422]);
    };
    const own = (id: string) => ({ message_metadata: JSON.stringify({ tool_call_id: id }) });
    await refused(own("a"));
    await refused({ earlier: list(result("a")) });
    const asked = await admit(session, client, { session_id: "s", message: "Weather?" });
    await settle(session, asked.turn_id, { answer: "", message_metadata: calls("a") });
    const before = await stored(session);
    await refused(own("b"));
    await refused({ ...own("a"), earlier: list(result("b")) });
    assertEquals(await stored(session), before);
    await exchange(session, client, { session_id: "s", message: "Never mind" });
    await refused(own("a"));
  },
);

rolledBack("what a client brings along is reserved, though it is not stored", async (session) => {
  const client = await makeClient(session);
  const reserved = async () =>
    (await session.query<{ reserved_tokens: string }>(
      "select reserved_tokens from public.turns order by id desc",
    ))
      .map(({ reserved_tokens }) => Number(reserved_tokens))[0]!;
  await admit(session, client);
  const plain = await reserved();
  await admit(session, client, { extra_tokens: 1000 });
  assertEquals(await reserved(), plain + 1000);
});
