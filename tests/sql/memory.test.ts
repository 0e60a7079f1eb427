import { assert, assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { refusal } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { admit, call, change, exchange, makeClient, settle } from "./turns.ts";

const json = JSON.stringify;

/** A turn's memory, as the function sends it. */
function memory(fields: Record<string, unknown> = {}): { memory: string } {
  return { memory: json({ entities: [], topic: null, summary: null, standalone: null, ...fields }) };
}

const entity = (type: string, value: string, confidence = 0.9, sentiment = "neutral") => ({
  type,
  value,
  sentiment,
  confidence,
});

const remembered = (session: Session, conversation: string) =>
  session.query<Record<string, unknown>>(
    `select type, value, sentiment, confidence::float8, message_id from public.entity_memory
     where conversation_id = $1 order by type, value`,
    [conversation],
  );

const conversation = async (session: Session, id: string) =>
  (await session.query<Record<string, unknown>>(
    "select summary, summary_from, summary_through, topic_words, topic_turns from public.conversations where id = $1",
    [id],
  ))[0]!;

interface Overflow {
  id: string;
  role: string;
  content: string;
  standalone: string | null;
}

/** Rolls the overflow of an admitted turn into a summary, as the function does. */
function roll(turn: Record<string, unknown>): Record<string, unknown> {
  const overflow = turn.overflow as Overflow[];
  if (overflow.length === 0) return memory();
  const text = [turn.summary, ...overflow.map(({ content }) => content)].filter(Boolean).join(" ");
  const [from, through] = [overflow[0]!.id, overflow.at(-1)!.id];
  return memory({ summary: { text, from, through, continues: turn.summary !== null } });
}

rolledBack(
  "what a visitor says is kept once per value, with its newest message and its surest mention",
  async (session) => {
    const client = await makeClient(session);
    const told = (confidence: number, sentiment: string) =>
      exchange(
        session,
        client,
        { session_id: "s" },
        memory({
          entities: [entity("name", "Zoe", confidence), entity("preference", "blue", 0.7, sentiment)],
        }),
      );
    await told(0.6, "positive");
    await told(0.95, "negative");
    const last = await told(0.7, "positive");
    const rows = await remembered(session, last.conversation_id);
    assertEquals(rows.map(({ type, value, sentiment, message_id }) => [type, value, sentiment, message_id]), [
      ["name", "Zoe", "neutral", last.user_message_id],
      ["preference", "blue", "positive", last.user_message_id],
    ]);
    assertEquals(Number(rows[0]!.confidence).toFixed(2), "0.95");
  },
);

rolledBack("the next turn is told what is likely meant, oldest first, and the topic", async (session) => {
  const client = await makeClient(session);
  const first = await exchange(
    session,
    client,
    { session_id: "s" },
    memory({
      entities: [entity("email", "zoe@example.com"), entity("email", "other@example.com", 0.3)],
      topic: { words: ["livraison", "délai"], turns: 2 },
      standalone: "Quel est le délai de livraison ?",
    }),
  );
  assertEquals([first.memory, first.topic, first.overflow], [[], null, []]);
  const next = await admit(session, client, { session_id: "s" });
  assertEquals(next.memory, [{ type: "email", value: "zoe@example.com" }]);
  assertEquals(next.topic, { words: ["livraison", "délai"], turns: 2 });
  assertEquals(next.history[0], {
    role: "user",
    content: "May I return it?",
    metadata: { standalone: "Quel est le délai de livraison ?" },
  } as never);
});

rolledBack(
  "the visitor's words stay as they are; the rewritten question stands beside them",
  async (session) => {
    const client = await makeClient(session);
    const turn = await exchange(
      session,
      client,
      { session_id: "s", message_metadata: json({ kept: 1 }) },
      memory({ standalone: "Whole?" }),
    );
    const [row] = await session.query("select content, metadata from public.messages where id = $1", [
      turn.user_message_id,
    ]);
    assertEquals(row, { content: "May I return it?", metadata: { kept: 1, standalone: "Whole?" } });
  },
);

rolledBack(
  "what no longer fits the history is handed out until a summary covers it, without a gap",
  async (session) => {
    const client = await makeClient(session, { agent: { config: json({ history_tokens: 40 }) } });
    const seen: string[] = [];
    for (let n = 0; n < 12; n++) {
      const turn = await admit(session, client, {
        session_id: "s",
        message: `Question ${n}?`,
        message_tokens: 8,
      });
      const overflow = turn.overflow as Overflow[];
      const history = turn.history.map(({ content }) => content);
      seen.push(...overflow.map(({ content }) => content));
      // Everything said so far is in the summary, about to join it, or in the history: once, in order.
      const all = Array.from({ length: n }, (_, k) => [`Question ${k}?`, `Answer ${k}.`]).flat();
      assertEquals([...seen, ...history], all);
      assertEquals((turn.summary ?? "") as string, seen.slice(0, seen.length - overflow.length).join(" "));
      await settle(session, turn.turn_id, { answer: `Answer ${n}.`, output_tokens: 8, ...roll(turn) });
    }
    assert(seen.length > 12, `${seen.length} messages summarized`);
  },
);

rolledBack(
  "a summary says which messages it covers, from the first to the last that joined it",
  async (session) => {
    const client = await makeClient(session, { agent: { config: json({ history_tokens: 0 }) } });
    const turns = [];
    for (let n = 0; n < 4; n++) {
      const turn = await admit(session, client, { session_id: "s" });
      await settle(session, turn.turn_id, roll(turn));
      turns.push(turn);
    }
    const { summary_from, summary_through } = await conversation(session, turns[0]!.conversation_id);
    assertEquals([summary_from, summary_through], [turns[0]!.user_message_id, turns[2]!.message_id]);
  },
);

rolledBack(
  "a summary of what the history has again, since its budget grew, is not told twice",
  async (session) => {
    const client = await makeClient(session, { agent: { config: json({ history_tokens: 0 }) } });
    for (let n = 0; n < 3; n++) {
      const turn = await admit(session, client, { session_id: "s" });
      await settle(session, turn.turn_id, roll(turn));
    }
    const before = await admit(session, client, { session_id: "s" });
    assert(typeof before.summary === "string" && before.history.length === 0);
    await settle(session, before.turn_id, roll(before));
    await change(session, "agents", client.agentId, { config: json({ history_tokens: 5000 }) });
    const after = await admit(session, client, { session_id: "s" });
    assertEquals([after.summary, after.overflow, after.history.length], [null, [], 8]);
  },
);

rolledBack("a turn that was settled by the reaper leaves no gap in the summary", async (session) => {
  const client = await makeClient(session, { agent: { config: json({ history_tokens: 0 }) } });
  for (const settled of [roll, memory, () => ({}), roll]) {
    const turn = await admit(session, client, { session_id: "s" });
    await settle(session, turn.turn_id, settled(turn));
  }
  const { summary, overflow } = await admit(session, client, { session_id: "s" });
  const words = `${summary} ${(overflow as Overflow[]).map(({ content }) => content).join(" ")}`;
  assertEquals(words.match(/May I return it\?/g)?.length, 4);
});

rolledBack(
  "a summary goes with the messages that it was made from, and so does all that was told in them",
  async (session) => {
    const client = await makeClient(session, { agent: { config: json({ history_tokens: 0 }) } });
    let turn = await exchange(
      session,
      client,
      { session_id: "s" },
      memory({ entities: [entity("name", "Zoe")] }),
    );
    const first = turn.user_message_id;
    for (let n = 0; n < 2; n++) {
      turn = await admit(session, client, { session_id: "s" });
      await settle(session, turn.turn_id, roll(turn));
    }
    await call(session, "public.save_context", { turn_id: turn.turn_id, summary: "They talked." });
    assert((await conversation(session, turn.conversation_id)).summary !== null);
    await session.query("delete from public.messages where id = $1", [first]);
    const { summary, summary_from, summary_through } = await conversation(session, turn.conversation_id);
    assertEquals([summary, summary_from, summary_through], [null, null, null]);
    assertEquals(await remembered(session, turn.conversation_id), []);
    assertEquals(await session.query("select from public.conversation_contexts"), []);
    const next = await admit(session, client, { session_id: "s" });
    assertEquals([next.summary, (next.overflow as Overflow[]).length], [null, 5]);
  },
);

rolledBack(
  "a reset, and a turn that failed before its first word, leave nothing to remember",
  async (session) => {
    const client = await makeClient(session, { agent: { config: json({ history_tokens: 0 }) } });
    const full = memory({
      entities: [entity("name", "Zoe")],
      topic: { words: ["a"], turns: 1 },
      standalone: "Whole?",
    });
    const reset = () =>
      call(session, "public.reset_chat_session", { p_session_id: "s", p_agent_id: client.agentId });
    await exchange(session, client, { session_id: "s" }, full);
    const open = await admit(session, client, { session_id: "s" });
    await reset();
    await settle(session, open.turn_id, { ...full, ...roll(open) });
    assertEquals(
      await call(session, "public.save_context", { turn_id: open.turn_id, summary: "x" }),
      false as never,
    );
    const failed = await admit(session, client, { session_id: "s" });
    assertEquals([failed.memory, failed.topic, failed.summary, failed.overflow], [[], null, null, []]);
    await settle(session, failed.turn_id, { outcome: "failed", answer: "", ...full });
    assertEquals(await remembered(session, open.conversation_id), []);
    assertEquals((await conversation(session, open.conversation_id)).topic_turns, 0);
  },
);

rolledBack("a second settlement adds nothing to what is remembered", async (session) => {
  const client = await makeClient(session);
  const turn = await exchange(
    session,
    client,
    { session_id: "s" },
    memory({ entities: [entity("name", "Zoe")] }),
  );
  await settle(
    session,
    turn.turn_id,
    memory({ entities: [entity("name", "Max")], topic: { words: ["b"], turns: 9 } }),
  );
  assertEquals((await remembered(session, turn.conversation_id)).map(({ value }) => value), ["Zoe"]);
  assertEquals((await conversation(session, turn.conversation_id)).topic_turns, 0);
});

rolledBack(
  "a context gathers facts, topics and intents over the turns, each once, and what was said newest",
  async (session) => {
    const client = await makeClient(session);
    const turns = [];
    for (const [n, intent] of ["booking", "refund", "booking"].entries()) {
      const turn = await exchange(
        session,
        client,
        { session_id: "s" },
        memory({
          entities: [
            entity("intent", intent),
            entity("sentiment", n === 2 ? "positive" : "negative", 0.7, "negative"),
          ],
        }),
      );
      await call(session, "public.save_context", {
        turn_id: turn.turn_id,
        summary: `Summary ${n}`,
        key_facts: json([`Fact ${n % 2}.`]),
        topic: `topic ${n % 2}`,
        embedding: "[1,2]",
        embedding_model: "test/one",
      });
      turns.push(turn);
    }
    const [row] = await session.query<Record<string, unknown>>("select * from public.conversation_contexts");
    assertEquals([row!.summary, row!.key_facts, row!.topics], ["Summary 2", ["Fact 1.", "Fact 0."], [
      "topic 1",
      "topic 0",
    ]]);
    assertEquals([row!.sentiment, row!.embedding_model, row!.from_message_id], [
      "positive",
      "test/one",
      turns[0]!.user_message_id,
    ]);
    assertEquals((row!.intent_history as { intent: string }[]).map(({ intent }) => intent), [
      "booking",
      "refund",
      "booking",
    ]);
    assertEquals((row!.entities as unknown[]).length, 4);
  },
);

rolledBack(
  "of two turns the later one's context counts, in whatever order they are saved",
  async (session) => {
    const client = await makeClient(session);
    const [first, second] = [
      await exchange(session, client, { session_id: "s" }),
      await exchange(session, client, { session_id: "s" }),
    ];
    const save = (turn_id: string, summary: string) =>
      call<boolean>(session, "public.save_context", { turn_id, summary });
    assertEquals([await save(second.turn_id, "second"), await save(first.turn_id, "first")], [true, false]);
    assertEquals(await session.query("select summary from public.conversation_contexts"), [{
      summary: "second",
    }]);
  },
);

rolledBack("senseless contexts are refused and store nothing", async (session) => {
  const client = await makeClient(session);
  const { turn_id } = await exchange(session, client);
  for (
    const args of [
      { turn_id: null, summary: "x" },
      { turn_id, summary: null },
      { turn_id, summary: "x", key_facts: "{}" },
      { turn_id, summary: "x", embedding: "[1]" },
      { turn_id, summary: "x", embedding_model: "m" },
    ]
  ) {
    assertEquals(await refusal(call(session, "public.save_context", args)), "PT422 validation_failed");
  }
  assertEquals(
    await call(session, "public.save_context", { turn_id: crypto.randomUUID(), summary: "x" }),
    false as never,
  );
  assertEquals(await session.query("select from public.conversation_contexts"), []);
});
