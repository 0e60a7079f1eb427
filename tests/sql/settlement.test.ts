import { assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { as, refusal, service } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { admit, append, call, counters, everything, exchange, makeClient, reap, settle } from "./turns.ts";

const none = { messages: 0, tokens: 0, cost: 0, reserved_messages: 0, reserved_tokens: 0, reserved_cost: 0 };

const ledger = (session: Session) =>
  session.query(
    `select turn_id, provider, model, input_tokens, output_tokens, cost::float8, currency, priced, status, error_code,
       latency_ms, first_token_ms from public.usage_logs order by id`,
  );

const messages = (session: Session) =>
  session.query(
    "select role, content, status, tokens_used, model, metadata from public.messages order by id",
  );

rolledBack(
  "a completed turn stores its answer, its ledger row and its counters, and holds nothing back",
  async (session) => {
    const client = await makeClient(session);
    const turn = await admit(session, client, { session_id: "s" });
    await append(session, turn.turn_id, 1, "Within");
    const citation = { marker: "[1]", quote: "thirty days" };
    const settled = await settle(session, turn.turn_id, {
      provider: "openai",
      model: "gpt-4o",
      answer: "Within thirty days [1].",
      citations: JSON.stringify([citation]),
      input_tokens: 1000,
      output_tokens: 100,
      finish_reason: "stop",
      response_time_ms: 840,
      first_token_ms: 210,
      attempts: JSON.stringify([{ model: "openai/gpt-4o", ms: 840 }]),
      retrieved: JSON.stringify([{ chunk_id: 7 }]),
    });
    assertEquals({ ...settled, created_at: "" }, {
      settled: true,
      duplicate: false,
      message_id: turn.message_id,
      created_at: "",
      usage: { input_tokens: 1000, output_tokens: 100, total_tokens: 1100 },
    });
    const [, answer] = await session.query("select * from public.messages order by id");
    assertEquals([answer!.id, answer!.turn_id, answer!.agent_id], [
      turn.message_id,
      turn.turn_id,
      client.agentId,
    ]);
    assertEquals(
      [
        answer!.role,
        answer!.content,
        answer!.citations,
        answer!.status,
        answer!.tokens_used,
        answer!.response_time_ms,
      ],
      ["assistant", "Within thirty days [1].", [citation], "completed", 100, 840],
    );
    assertEquals([answer!.provider, answer!.model, answer!.metadata], ["openai", "gpt-4o", {
      finish_reason: "stop",
    }]);
    assertEquals(await ledger(session), [{
      turn_id: turn.turn_id,
      provider: "openai",
      model: "gpt-4o",
      input_tokens: 1000,
      output_tokens: 100,
      cost: 0.0035,
      currency: "USD",
      priced: true,
      status: "completed",
      error_code: null,
      latency_ms: 840,
      first_token_ms: 210,
    }]);
    const used = { ...none, messages: 1, tokens: 1100, cost: 0.0035 };
    assertEquals(await counters(session, client), { agent: used, key: used, owner: used });
    const [stored] = await session.query(
      "select state, settled_at is not null as settled, attempts, retrieved, (select count(*) from public.turn_deltas)::integer as deltas from public.turns",
    );
    assertEquals(stored, {
      state: "completed",
      settled: true,
      attempts: [{ model: "openai/gpt-4o", ms: 840 }],
      retrieved: [{ chunk_id: 7 }],
      deltas: 0,
    });
    assertEquals((await session.query("select message_count from public.conversations"))[0], {
      message_count: 2,
    });
  },
);

rolledBack("the ledger names owner, agent and key", async (session) => {
  const client = await makeClient(session);
  await exchange(session, client);
  assertEquals(await session.query("select owner_id, agent_id, api_key_id, kind from public.usage_logs"), [
    { owner_id: client.ownerId, agent_id: client.agentId, api_key_id: client.keyId, kind: "chat" },
  ]);
});

const outcomes: [
  name: string,
  args: Record<string, unknown>,
  stored: { role: string; content: string; status: string }[],
  messages: number,
][] = [
  ["failed before its first token", { outcome: "failed", answer: "", error_code: "provider_failed" }, [], 0],
  ["failed after its first token", { outcome: "failed", answer: "With", error_code: "provider_failed" }, [
    { role: "user", content: "May I return it?", status: "completed" },
    { role: "assistant", content: "With", status: "failed" },
  ], 1],
  ["aborted before its first token", { outcome: "aborted", answer: "" }, [
    { role: "user", content: "May I return it?", status: "completed" },
  ], 1],
  ["aborted in the middle", { outcome: "aborted", answer: "Within" }, [
    { role: "user", content: "May I return it?", status: "completed" },
    { role: "assistant", content: "Within", status: "aborted" },
  ], 1],
];

for (const [name, args, stored, billed] of outcomes) {
  rolledBack(`a turn that ${name} bills what was used and keeps what was said`, async (session) => {
    const client = await makeClient(session);
    const turn = await admit(session, client, { session_id: "s" });
    const { message_id } = await settle(session, turn.turn_id, args);
    const kept = (await messages(session)).map(({ role, content, status }) => ({ role, content, status }));
    assertEquals(kept, stored);
    assertEquals(message_id, stored.length === 2 ? turn.message_id : null);
    assertEquals((await session.query("select message_count from public.conversations"))[0], {
      message_count: stored.length,
    });
    const used = { ...none, messages: billed, tokens: 30 };
    assertEquals(await counters(session, client), { agent: used, key: used, owner: used });
    const [row] = await ledger(session);
    assertEquals([row!.status, row!.error_code, row!.input_tokens], [
      args.outcome,
      args.error_code ?? null,
      20,
    ]);
    const [t] = await session.query("select state, error_code from public.turns");
    assertEquals(t, { state: args.outcome, error_code: args.error_code ?? null });
  });
}

rolledBack(
  "a second settlement changes nothing, whatever it says, and answers what the first one stored",
  async (session) => {
    const client = await makeClient(session);
    const turn = await admit(session, client);
    const first = await settle(session, turn.turn_id);
    const before = await everything(session);
    for (const args of [{}, { outcome: "failed", answer: "" }, { answer: "Other.", input_tokens: 99_999 }]) {
      assertEquals(await settle(session, turn.turn_id, args), { ...first, duplicate: true });
      assertEquals(await everything(session), before);
    }
    assertEquals(await reap(session, 3600), 0);
  },
);

rolledBack("a turn that is not there is not found", async (session) => {
  await makeClient(session);
  assertEquals(await refusal(settle(session, crypto.randomUUID())), "PT404 not_found");
});

rolledBack("senseless arguments raise and settle nothing", async (session) => {
  const client = await makeClient(session);
  const turn = await admit(session, client);
  const before = await everything(session);
  const senseless: Record<string, unknown[]> = {
    outcome: [null, "admitted", "done"],
    provider: [null],
    model: [null],
    answer: [null],
    input_tokens: [null, -1],
    output_tokens: [null, -1],
    response_time_ms: [-1],
    first_token_ms: [-1],
    citations: [null, "{}"],
    attempts: [null, '"x"'],
    retrieved: [null, "{}"],
  };
  for (const [name, values] of Object.entries(senseless)) {
    for (const bad of values) {
      const said = await refusal(settle(session, turn.turn_id, { [name]: bad }));
      assertEquals(said, "PT422 validation_failed", `${name} = ${bad}`);
    }
  }
  for (const bad of [{ turn_id: null }, { seq: null }, { seq: 0 }, { text: null }, { input_tokens: -1 }]) {
    const args = { turn_id: turn.turn_id, seq: 1, text: "x", ...bad };
    assertEquals(await refusal(call(session, "public.append_deltas", args)), "PT422 validation_failed");
  }
  assertEquals(await everything(session), before);
});

rolledBack(
  "a bill takes the price that is valid at that time; an unknown model costs 0 and is marked",
  async (session) => {
    const client = await makeClient(session);
    await session.query(
      `insert into public.model_prices (provider, model, valid_from, input_per_million, output_per_million, currency) values
       ('acme', 'one', now() - interval '2 days', 1, 2, 'USD'), ('acme', 'one', now() - interval '1 day', 3.000001, 7, 'EUR'),
       ('acme', 'one', now() + interval '1 day', 100, 100, 'USD'), ('acme', '*', now() - interval '1 day', 50, 50, 'USD')`,
    );
    const bill = async (provider: string, model: string) => {
      await exchange(session, client, {}, { provider, model, input_tokens: 1_000_000, output_tokens: 10 });
      const { cost, currency, priced } = (await ledger(session)).at(-1)!;
      return { cost, currency, priced };
    };
    assertEquals(await bill("acme", "one"), { cost: 3.000071, currency: "EUR", priced: true });
    assertEquals(await bill("acme", "two"), { cost: 50.0005, currency: "USD", priced: true });
    assertEquals(await bill("nobody", "one"), { cost: 0, currency: "USD", priced: false });
    assertEquals(await bill("local", "extractive"), { cost: 0, currency: "USD", priced: true });
  },
);

rolledBack("tokens beyond any reason are counted and do not stop the settlement", async (session) => {
  const client = await makeClient(session);
  const turn = await admit(session, client);
  const most = 2_147_483_647;
  const settled = await settle(session, turn.turn_id, { input_tokens: most, output_tokens: most });
  assertEquals(settled.usage.total_tokens, 2 * most);
  assertEquals((await counters(session, client)).owner!.tokens, 2 * most);
});

rolledBack(
  "after a reset in the middle the answer is not stored, and what was used is billed",
  async (session) => {
    const client = await makeClient(session);
    const turn = await admit(session, client, { session_id: "s" });
    await append(session, turn.turn_id, 1, "A secret");
    await call(session, "public.reset_chat_session", { p_session_id: "s", p_agent_id: client.agentId });
    assertEquals(await append(session, turn.turn_id, 2, "."), { stop: true, reason: "stopped" });
    const settled = await settle(session, turn.turn_id, {
      outcome: "aborted",
      retrieved: JSON.stringify([{ content: "x" }]),
    });
    assertEquals([settled.duplicate, settled.message_id], [false, null]);
    assertEquals(await messages(session), []);
    assertEquals((await counters(session, client)).agent, { ...none, messages: 1, tokens: 30 });
    assertEquals((await ledger(session)).length, 1);
    assertEquals(
      await session.query("select retrieved, message_count from public.turns, public.conversations"),
      [
        { retrieved: [], message_count: 0 },
      ],
    );
    assertEquals(await session.query("select from public.turn_deltas"), []);
  },
);

rolledBack(
  "the role of the functions appends to the ledger and can do nothing else with it",
  async (session) => {
    const client = await makeClient(session);
    await exchange(session, client);
    for (
      const sql of [
        "update public.usage_logs set cost = 0",
        "delete from public.usage_logs",
        "truncate public.usage_logs",
      ]
    ) {
      assertEquals(await refusal(as(session, service, sql)), "42501", sql);
    }
  },
);
