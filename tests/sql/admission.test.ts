import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { refusal } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import {
  admit,
  call,
  change,
  type Client,
  counters,
  everything,
  exchange,
  makeClient,
  settle,
  sha256,
} from "./turns.ts";

const config = (session: Session, key: string, setting: unknown) =>
  session.query("update public.app_config set value = $2 where key = $1", [key, JSON.stringify(setting)]);

const count = async (session: Session, table: string) => {
  const [row] = await session.query<{ n: number }>(`select count(*)::integer as n from public.${table}`);
  return row!.n;
};

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

rolledBack(
  "a turn reserves its message, its longest cost in tokens and money, in plan, agent and key",
  async (session) => {
    const client = await makeClient(session, {
      agent: {
        model: "openai/gpt-4o",
        max_tokens: 1000,
        rag_enabled: false,
        instructions: "x".repeat(400),
        monthly_cost: 5,
      },
    });
    await admit(session, client, { message_tokens: 100 });
    const reserved = {
      messages: 0,
      tokens: 0,
      cost: 0,
      reserved_messages: 1,
      reserved_tokens: 1200,
      reserved_cost: 0.0105,
    };
    assertEquals(await counters(session, client), { agent: reserved, key: reserved, owner: reserved });
    await change(session, "agents", client.agentId, { rag_enabled: true, match_count: 10 });
    await admit(session, client, { message_tokens: 100 });
    assertEquals((await counters(session, client)).owner!.reserved_tokens, 1200 + 1200 + 3200);
  },
);

rolledBack("a key that was rotated spends the limits and budgets of the one it replaced", async (session) => {
  const client = await makeClient(session, { key: { requests_per_minute: 2, monthly_messages: 10 } });
  const rotated = await call<{ id: string; key: string }>(session, "public.rotate_api_key", {
    key_id: client.keyId,
  });
  const next = { ...client, keyId: rotated.id, keyHash: await sha256(rotated.key) };
  assertEquals((await admit(session, client)).admitted, true);
  const second = await admit(session, next);
  assertEquals([second.admitted, second.limits[0]!.remaining], [true, 0]);
  assertEquals((await admit(session, client)).rule, "key");
  assertEquals((await counters(session, next)).key!.reserved_messages, 2);
});

rolledBack("the limits that were spent come back for the headers", async (session) => {
  const client = await makeClient(session, { key: { requests_per_minute: 9 } });
  const { limits } = await admit(session, client, { session_id: "s", address_hash: "home" });
  assertEquals(
    limits.map(({ name, limit, remaining, window_seconds }) => [name, limit, remaining, window_seconds]),
    [["key", 9, 8, 60], ["session", 30, 29, 60], ["address", 300, 299, 60]],
  );
  await config(session, "sessionRequestsPerMinute", 0);
  await config(session, "addressRequestsPerMinute", 0);
  const off = await admit(session, client, { address_hash: "home" });
  assertEquals(off.limits.map(({ name }) => name), ["key"]);
});

/** Each rule that refuses: how it comes about, and what it answers. */
const refusals: [
  name: string,
  expected: { code: string; status: number; rule?: string },
  given: (session: Session, client: Client) => Promise<Record<string, unknown> | void>,
][] = [
  ["an unknown key", { code: "key_unknown", status: 401 }, async () => ({ key_hash: await sha256("guess") })],
  [
    "a revoked key",
    { code: "key_revoked", status: 401 },
    (s, c) => change(s, "api_keys", c.keyId, { revoked_at: "2026-01-01" }),
  ],
  [
    "an expired key",
    { code: "key_expired", status: 401 },
    (s, c) => change(s, "api_keys", c.keyId, { expires_at: "2026-01-01" }),
  ],
  [
    "a key of a hidden agent",
    { code: "key_unknown", status: 401 },
    (s, c) => change(s, "agents", c.agentId, { deleted_at: "2026-01-01" }),
  ],
  [
    "a key of an owner who is gone",
    { code: "key_unknown", status: 401 },
    async (s, c) => void await s.query("delete from auth.users where id = $1", [c.ownerId]),
  ],
  [
    "a key of an agent that is switched off",
    { code: "agent_inactive", status: 403 },
    (s, c) => change(s, "agents", c.agentId, { is_active: false }),
  ],
  [
    "a browser key without an origin",
    { code: "origin_not_allowed", status: 403 },
    (s, c) => change(s, "api_keys", c.keyId, { allowed_origins: ["https://shop.example"] }),
  ],
  ["a browser key from elsewhere", { code: "origin_not_allowed", status: 403 }, async (s, c) => {
    await change(s, "api_keys", c.keyId, { allowed_origins: ["https://shop.example"] });
    return { origin: "https://shop.example.evil.example" };
  }],
  [
    "a key without the scope chat",
    { code: "scope_missing", status: 403 },
    (s, c) => change(s, "api_keys", c.keyId, { scopes: ["read", "ingest"] }),
  ],
  [
    "the kill switch",
    { code: "kill_switch", status: 503 },
    async (s) => void await config(s, "killSwitch", true),
  ],
  ["a key at its limit", { code: "rate_limited", status: 429, rule: "key" }, async (s, c) => {
    await change(s, "api_keys", c.keyId, { requests_per_minute: 1 });
    await exchange(s, c);
  }],
  ["a session at its limit", { code: "rate_limited", status: 429, rule: "session" }, async (s, c) => {
    await config(s, "sessionRequestsPerMinute", 1);
    await exchange(s, c, { session_id: "s" });
  }],
  ["an address at its limit", { code: "rate_limited", status: 429, rule: "address" }, async (s, c) => {
    await config(s, "addressRequestsPerMinute", 1);
    await exchange(s, c, { address_hash: "home" });
  }],
  ...(["plan", "agent", "key"] as const).flatMap((name) =>
    (["messages", "tokens", "cost"] as const).filter((what) => name !== "plan" || what !== "cost").map((
      what,
    ): typeof refusals[number] => [
      `the ${what} of the ${name} used up`,
      { code: "quota_exceeded", status: 429, rule: `${name}.${what}` },
      async (s, c) => {
        await change(s, "agents", c.agentId, { model: "openai/gpt-4o", rag_enabled: false });
        await exchange(s, c, {}, {
          provider: "openai",
          model: "gpt-4o",
          input_tokens: 400_000,
          output_tokens: 100_000,
        });
        const limit = { messages: 1, tokens: 500_000, cost: 2 }[what];
        if (name === "plan") await s.query(`update public.plans set ${what} = $1`, [limit]);
        else if (name === "agent") await change(s, "agents", c.agentId, { [`monthly_${what}`]: limit });
        else await change(s, "api_keys", c.keyId, { [`monthly_${what}`]: limit });
      },
    ])
  ),
  [
    "a turn that would need more than is left",
    { code: "quota_exceeded", status: 429, rule: "agent.tokens" },
    (s, c) => change(s, "agents", c.agentId, { monthly_tokens: 1000, max_tokens: 1024 }),
  ],
  ["a session with a turn under way", { code: "turn_in_progress", status: 409 }, async (s, c) => {
    await admit(s, c, { session_id: "s" });
  }],
  ["a full session", { code: "session_full", status: 409 }, async (s, c) => {
    await config(s, "maxTurns", 2);
    await exchange(s, c, { session_id: "s" });
    await exchange(s, c, { session_id: "s" });
  }],
];

for (const [name, { code, status, rule }, given] of refusals) {
  rolledBack(
    `${name} is refused with ${rule ?? code}, and nothing at all is changed by it`,
    async (session) => {
      const client = await makeClient(session);
      const args = await given(session, client) ?? {};
      const before = await everything(session);
      const asked = { session_id: "s", address_hash: "home", ...args };
      const denied = await admit(session, client, asked);
      assertEquals([denied.admitted, denied.code, denied.status, denied.rule], [false, code, status, rule]);
      assertEquals(await everything(session), before);
      assertEquals(typeof denied.detail, "string");
      if (code === "rate_limited") assert(denied.retry_after! >= 59 && denied.retry_after! <= 60);
      if (rule === "plan.messages") {
        assertEquals([denied.limit, denied.used, denied.reserved], [1, 1, 0]);
        assertMatch(String(denied.resets_at), /^20\d\d-\d\d-01T00:00:00/);
      }
    },
  );
}

rolledBack(
  "of several budgets the one without room is named, not one that this turn itself would have filled",
  async (session) => {
    const client = await makeClient(session, {
      agent: { monthly_messages: 2 },
      key: { monthly_messages: 1 },
    });
    await exchange(session, client);
    assertEquals((await admit(session, client)).rule, "key.messages");
    await change(session, "api_keys", client.keyId, { monthly_messages: null, monthly_tokens: 1000 });
    assertEquals((await admit(session, client)).rule, "key.tokens");
  },
);

rolledBack("senseless arguments raise and store nothing", async (session) => {
  const client = await makeClient(session);
  const before = await everything(session);
  const senseless: Record<string, unknown[]> = {
    key_hash: [null],
    message: [null, "", "x".repeat(32_001)],
    message_tokens: [null, -1],
    session_id: ["", "x".repeat(201)],
    visitor_id: ["", "x".repeat(201)],
    metadata: [null, "[]", '"text"', { text: "x".repeat(25_000) }],
    language: ["", "french"],
  };
  for (const [name, values] of Object.entries(senseless)) {
    for (const bad of values) {
      const said = await refusal(admit(session, client, { [name]: bad }));
      assertEquals(said, "PT422 validation_failed", `${name} = ${String(bad).slice(0, 40)}`);
    }
  }
  assertEquals(await everything(session), before);
});

rolledBack("a message of 32000 characters is admitted, four bytes each", async (session) => {
  const client = await makeClient(session);
  assertEquals((await admit(session, client, { message: "😀".repeat(32_000) })).admitted, true);
});

rolledBack("a browser key passes from its own origins", async (session) => {
  const client = await makeClient(session, {
    key: { allowed_origins: ["https://a.example", "https://b.example"] },
  });
  assertEquals((await admit(session, client, { origin: "https://b.example" })).admitted, true);
});

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

rolledBack("a plan that changes in the middle of a month counts what was used before it", async (session) => {
  const client = await makeClient(session, { plan: "free" });
  await session.query("update public.plans set messages = 2 where name = 'free'");
  for (let n = 0; n < 2; n++) await exchange(session, client);
  assertEquals((await admit(session, client)).rule, "plan.messages");
  await change(session, "users", client.ownerId, { plan: "pro" });
  assertEquals((await admit(session, client)).admitted, true);
  await change(session, "users", client.ownerId, { plan: "free" });
  assertEquals((await admit(session, client)).rule, "plan.messages");
});

rolledBack(
  "a month begins with empty counters, in UTC, and a turn is billed to the month it began in",
  async (session) => {
    const months = await session.query<{ before: string; after: string }>(
      `select private.month_of('2026-11-30T23:59:59Z')::text as before, private.month_of('2026-12-01T00:00:00Z')::text as after`,
    );
    assertEquals(months, [{ before: "2026-11-01", after: "2026-12-01" }]);
    const client = await makeClient(session, { key: { monthly_messages: 1 } });
    const turn = await admit(session, client);
    await session.query("update public.usage_counters set period = period - interval '1 month'");
    await session.query("update public.turns set period = period - interval '1 month'");
    assertEquals((await admit(session, client)).admitted, true);
    await settle(session, turn.turn_id);
    const rows = await session.query(
      `select messages::integer, reserved_messages::integer from public.usage_counters where scope = 'key' order by period`,
    );
    assertEquals(rows, [{ messages: 1, reserved_messages: 0 }, { messages: 0, reserved_messages: 1 }]);
  },
);

rolledBack("another agent of the same owner has budgets of its own, and shares the plan", async (session) => {
  const first = await makeClient(session, { plan: "free", agent: { monthly_messages: 1 } });
  const second = await makeClient(session, { plan: "free", owner: first.ownerId });
  await session.query("update public.plans set messages = 2 where name = 'free'");
  await exchange(session, first);
  assertEquals((await admit(session, first)).rule, "agent.messages");
  await exchange(session, second);
  assertEquals((await admit(session, second)).rule, "plan.messages");
});

rolledBack("deleting an agent gives no quota back", async (session) => {
  const first = await makeClient(session, { plan: "free" });
  await session.query("update public.plans set messages = 1 where name = 'free'");
  await exchange(session, first);
  await session.query("update public.agents set deleted_at = now() - interval '1 hour' where id = $1", [
    first.agentId,
  ]);
  await session.query("select private.erase_agents()");
  assertEquals(await session.query("select from public.agents where id = $1", [first.agentId]), []);
  const second = await makeClient(session, { plan: "free", owner: first.ownerId });
  assertEquals((await admit(session, second)).rule, "plan.messages");
});
