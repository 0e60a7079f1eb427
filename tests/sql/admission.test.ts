import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { rolledBack } from "./rolled-back.ts";
import { admit, call, change, exchange, makeClient } from "./turns.ts";

rolledBack("an admitted turn stores the question and brings all that the model needs", async (session) => {
  const client = await makeClient(session, {
    agent: {
      name: "Ida",
      instructions: "Be kind.",
      model: "local/extractive",
      config: { tone: "warm" },
      language: "en",
    },
  });
  const turn = await admit(session, client, {
    session_id: "session-1",
    visitor_id: "visitor-1",
    metadata: { url: "https://shop.example" },
    language: "en",
  });
  assertEquals(turn.admitted, true);
  assertEquals(turn.session_id, "session-1");
  assertEquals(turn.api_key_id, client.keyId);
  assertEquals([turn.history, turn.memory, turn.summary, turn.prompt], [[], [], null, null]);
  assertEquals(turn.agent, {
    id: client.agentId,
    owner_id: client.ownerId,
    name: "Ida",
    role: "assistant",
    instructions: "Be kind.",
    model: "local/extractive",
    temperature: 0.7,
    max_tokens: 1024,
    top_p: 1,
    language: "en",
    rag_enabled: true,
    match_count: 5,
    match_threshold: null,
    embedding_model: null,
    config: { tone: "warm" },
    fallback_models: [],
    has_knowledge: false,
  });
  assertEquals(
    (turn.facts as { key: string }[]).map(({ key }) => key).sort(),
    ["app_name", "brand_name", "contact_email", "currency", "language_default", "product_domain"],
  );
  const [conversation] = await session.query("select * from public.conversations");
  assertEquals(conversation!.id, turn.conversation_id);
  assertEquals(
    [conversation!.session_id, conversation!.visitor_id, conversation!.api_key_id, conversation!.language],
    ["session-1", "visitor-1", client.keyId, "en"],
  );
  assertEquals([conversation!.message_count, conversation!.metadata, conversation!.channel], [
    1,
    { url: "https://shop.example" },
    "api",
  ]);
  const messages = await session.query("select id, turn_id, role, content, tokens_used from public.messages");
  assertEquals(messages, [{
    id: turn.user_message_id,
    turn_id: turn.turn_id,
    role: "user",
    content: "May I return it?",
    tokens_used: 5,
  }]);
  const [stored] = await session.query(
    "select state, message_id, user_message_id, limit_group, leased_until > now() + interval '59 s' as leased from public.turns",
  );
  assertEquals(stored, {
    state: "admitted",
    message_id: turn.message_id,
    user_message_id: turn.user_message_id,
    limit_group: client.keyId,
    leased: true,
  });
  assert(turn.message_id > turn.user_message_id, "the answer's id comes after the question's");
});

rolledBack("without a session one is started, too long to guess", async (session) => {
  const client = await makeClient(session);
  const [first, second] = [await admit(session, client), await admit(session, client)];
  assertMatch(first.session_id, /^s_[0-9a-f]{64}$/);
  assertNotEquals(first.session_id, second.session_id);
  assertNotEquals(first.conversation_id, second.conversation_id);
});

rolledBack(
  "history fills its token budget from the newest back and never starts with an answer",
  async (session) => {
    const client = await makeClient(session, { agent: { config: { history_tokens: 100 } } });
    for (const n of [1, 2, 3, 4]) {
      const answer = { answer: `answer ${n}`, output_tokens: 25 };
      await exchange(
        session,
        client,
        { session_id: "s", message: `question ${n}`, message_tokens: 20 },
        answer,
      );
    }
    const contents = async (history_tokens: unknown) => {
      await change(session, "agents", client.agentId, { config: { history_tokens } });
      await session.exec("savepoint asked");
      const { history } = await admit(session, client, { session_id: "s" });
      await session.exec("rollback to savepoint asked");
      return history.map(({ content }) => content);
    };
    assertEquals(await contents(100), ["question 3", "answer 3", "question 4", "answer 4"]);
    assertEquals(await contents(89), ["question 4", "answer 4"]);
    assertEquals(await contents(70), ["question 4", "answer 4"]);
    assertEquals(await contents(44), []);
    assertEquals((await contents(3.7e300)).length, 8);
    assertEquals((await contents(-5)).length, 0);
    assertEquals((await contents("many")).length, 8);
  },
);

rolledBack("memory and summary of the session come along, those of no other one", async (session) => {
  const [client, other] = [await makeClient(session), await makeClient(session)];
  const turn = await exchange(session, client, { session_id: "s" });
  const foreign = await exchange(session, other, { session_id: "s" }, { answer: "Foreign." });
  for (
    const [agent, conversation, name] of [
      [client.agentId, turn.conversation_id, "Zoe"],
      [other.agentId, foreign.conversation_id, "Max"],
    ]
  ) {
    await session.query(
      "insert into public.entity_memory (agent_id, conversation_id, type, value) values ($1, $2, 'name', $3)",
      [agent, conversation, name],
    );
  }
  await change(session, "conversations", turn.conversation_id, { summary: "About returns." });
  const next = await admit(session, client, { session_id: "s" });
  assertEquals([next.memory, next.summary], [[{ type: "name", value: "Zoe" }], "About returns."]);
  assertEquals(next.history.length, 2);
  assertEquals((await session.query("select current_setting('app.agent_id', true) as leaked"))[0], {
    leaked: "",
  });
});

rolledBack(
  "the prompt is the pinned version, else `main` in the best language, else chatbot_main, else none",
  async (session) => {
    const client = await makeClient(session, { agent: { language: "fr" } });
    const prompt = async (language?: string) => {
      await session.exec("savepoint asked");
      const admission = await admit(session, client, { language });
      await session.exec("rollback to savepoint asked");
      return admission.prompt;
    };
    const publish = (content: string, language: string | null) =>
      call<{ id: string }>(session, "public.publish_prompt", {
        name: "main",
        content,
        agent_id: client.agentId,
        language,
      });
    assertMatch(String(await prompt("en")), /^You are Shop .*, an expert AI assistant/);
    assertMatch(String(await prompt("de")), /^Tu es Shop /);
    assertMatch(String(await prompt()), /^Tu es Shop /);
    await change(session, "agents", client.agentId, { instructions: "Sois bref." });
    assertEquals(await prompt("fr"), null);
    const anywhere = await publish("I serve {{brand_name}} everywhere.", null);
    assertMatch(String(await prompt("en")), /^I serve Shop .* everywhere\.$/);
    await publish("En français.", "fr");
    assertEquals([await prompt("en"), await prompt("fr"), await prompt()], Array(3).fill("En français."));
    await publish("In English.", "en");
    assertEquals([await prompt("en"), await prompt()], ["In English.", "En français."]);
    await change(session, "agents", client.agentId, { prompt_version_id: anywhere.id });
    assertMatch(String(await prompt("en")), /^I serve/);
  },
);

rolledBack("a message of 32000 characters is admitted, four bytes each", async (session) => {
  const client = await makeClient(session);
  assertEquals((await admit(session, client, { message: "😀".repeat(32_000) })).admitted, true);
});
