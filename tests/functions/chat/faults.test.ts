import { assert, assertEquals } from "@std/assert";
import { problem } from "../../../shared/errors.ts";
import { countTokens } from "../../../shared/tokens.ts";
import { assertProblem } from "../../support/security-suite.ts";
import { type ChatAgent, eventually, startChat } from "./fixture.ts";
import { EventReader, parseEvents } from "./read-events.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

// Only the silence that a fault is about is cut short: a busy machine is slow to send a first token, too. Another try is
// another test's subject.
const impatient = (fault: string) => ({
  config: {
    max_retries: 0,
    ...(fault === "never sends a token" ? { first_token_timeout_ms: 300 } : {}),
    ...(fault === "stalls" ? { token_timeout_ms: 300 } : {}),
  },
});
const nothingReserved = { reserved_messages: 0, reserved_tokens: 0 };

/** Faults of a model before its first token, with the code they end in. */
const early = {
  "answers 500": [{ status: 500 }, "provider_failed", 502],
  "answers 429": [{ status: 429 }, "provider_failed", 502],
  "sends garbage first": [{ steps: [{ raw: "data: {not json\n\n" }, "late"] }, "provider_failed", 502],
  "closes without a word": [{ steps: [], finish: null }, "provider_failed", 502],
  "breaks the connection first": [{ steps: [{ cut: true }] }, "provider_failed", 502],
  "finishes without a word": [{ steps: [] }, "provider_failed", 502],
  "never sends a token": [{ steps: [{ stall: true }] }, "provider_timeout", 504],
} as const;

for (const [fault, [script, code, status]] of Object.entries(early)) {
  Deno.test(`a model that ${fault} fails the turn, and nothing but the attempt is stored`, async () => {
    for (const stream of [false, true]) {
      const agent = await chat.agent(script, impatient(fault));
      const response = await agent.ask({ message: "How long?", stream });
      if (stream) {
        assertEquals(response.status, 200);
        const events = parseEvents(await response.text());
        assertEquals(events.map(({ event }) => event), ["meta", "usage", "error"]);
        assertEquals([events[2]!.data.code, events[2]!.data.status, events[2]!.data.message_id], [
          code,
          status,
          null,
        ]);
      } else {
        assert(response.headers.get("x-turn-id") !== null);
        await assertProblem(response, status, code);
      }
      const { turn, ledger, messages, counter } = await agent.record();
      assertEquals([turn.state, turn.error_code, messages], ["failed", code, []]);
      const attempts = turn.attempts as Record<string, unknown>[];
      assertEquals(
        attempts.map(({ provider, model, outcome, error_code }) => [provider, model, outcome, error_code]),
        [
          ["openai", agent.model, "failed", code],
        ],
      );
      assertEquals(ledger.map((row) => [row.status, row.error_code]), [["failed", code]]);
      // A finish without a word has been billed by the provider; everything else was free.
      const tokens = fault === "finishes without a word" ? 11 : 0;
      assertEquals([ledger[0]!.input_tokens, ledger[0]!.output_tokens], [tokens, 0]);
      assertEquals(counter, { messages: 0, tokens, ...nothingReserved });
      await eventually(() => agent.calls().every((call) => !call.open));
    }
  });
}

/** Faults after the first tokens "One two". */
const late = {
  "sends an error chunk": [
    [{ raw: 'data: {"error":{"message":"mid","type":"server_error"}}\n\n' }],
    "provider_failed",
    502,
  ],
  "sends garbage": [[{ raw: "data: {not json\n\n" }, " three"], "provider_failed", 502],
  "breaks the connection": [[{ cut: true }], "provider_failed", 502],
  "closes without a finish": [[], "provider_failed", 502],
  "stalls": [[{ stall: true }], "provider_timeout", 504],
} as const;

for (const [fault, [steps, code, status]] of Object.entries(late)) {
  Deno.test(`a model that ${fault} in the middle ends the answer honestly: stored as failed and billed`, async () => {
    for (const stream of [false, true]) {
      const agent = await chat.agent({ steps: ["One ", "two", ...steps], finish: null }, impatient(fault));
      const response = await agent.ask({ message: "How long?", stream });
      if (stream) {
        const events = parseEvents(await response.text());
        assertEquals(events.map(({ event }) => event), ["meta", "delta", "delta", "usage", "error"]);
        const { code: told, status: toldStatus, message_id, request_id } = events.at(-1)!.data;
        assertEquals([told, toldStatus, message_id], [code, status, events[0]!.data.message_id]);
        assertEquals(request_id, response.headers.get("x-request-id"));
      } else {
        await assertProblem(response, status, code);
      }
      const { turn, ledger, messages, counter } = await agent.record();
      assertEquals([turn.state, turn.error_code], ["failed", code]);
      assertEquals(messages.map(({ role, content, status }) => [role, content, status]), [
        ["user", "How long?", "completed"],
        ["assistant", "One two", "failed"],
      ]);
      assertEquals(ledger.length, 1);
      assertEquals([ledger[0]!.status, ledger[0]!.output_tokens], ["failed", countTokens("One two")]);
      assert(Number(ledger[0]!.input_tokens) > 0);
      const tokens = Number(ledger[0]!.input_tokens) + Number(ledger[0]!.output_tokens);
      assertEquals(counter, { messages: 1, tokens, ...nothingReserved });
      await eventually(() => agent.calls().every((call) => !call.open));
    }
  });
}

/** What an aborted turn must have left. */
async function assertAborted(agent: ChatAgent, said: string) {
  await eventually(async () => (await agent.record()).turn.settled_at !== null);
  const { turn, ledger, messages, counter } = await agent.record();
  assertEquals([turn.state, turn.error_code], ["aborted", null]);
  assertEquals(
    messages.filter(({ role }) => role === "assistant").map(({ content, status }) => [content, status]),
    [
      [said, "aborted"],
    ],
  );
  assertEquals(ledger.length, 1);
  assertEquals([ledger[0]!.status, ledger[0]!.output_tokens], ["aborted", countTokens(said)]);
  assert(Number(ledger[0]!.input_tokens) > 0);
  const tokens = Number(ledger[0]!.input_tokens) + Number(ledger[0]!.output_tokens);
  assertEquals(counter, { messages: 1, tokens, ...nothingReserved });
}

function withAbort(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

/** How long after `left` the upstream call of an agent ended, in milliseconds. */
async function upstreamEnded(agent: ChatAgent, left: number): Promise<number> {
  await eventually(() => agent.calls()[0]?.abortedAt != null);
  return agent.calls()[0]!.abortedAt! - left;
}

Deno.test("a client that leaves a stream ends the upstream call within a second; what was said is stored and billed", async () => {
  const agent = await chat.agent({ steps: ["One ", "two", { stall: true }] });
  const reader = new EventReader((await agent.ask({ message: "How long?", stream: true })).body!);
  for (const event of ["meta", "delta", "delta"]) assertEquals((await reader.next())?.event, event);
  const left = performance.now();
  await reader.leave();
  assert(await upstreamEnded(agent, left) < 1000);
  await assertAborted(agent, "One two");
});

Deno.test("a reader that cancels the stream ends the upstream call without any signal", async () => {
  const agent = await chat.agent({ steps: ["One two", { stall: true }] });
  const reader = new EventReader((await agent.askWith({}, { message: "How long?", stream: true })).body!);
  for (const event of ["meta", "delta"]) assertEquals((await reader.next())?.event, event);
  const left = performance.now();
  await reader.leave();
  assert(await upstreamEnded(agent, left) < 1000);
  await assertAborted(agent, "One two");
});

Deno.test("a signal that aborts ends the upstream call though nobody cancels the stream", async () => {
  const agent = await chat.agent({ steps: ["One two", { stall: true }] });
  const { signal, abort } = withAbort();
  const response = await agent.askWith({}, { message: "How long?", stream: true }, { signal });
  const reader = new EventReader(response.body!);
  for (const event of ["meta", "delta"]) assertEquals((await reader.next())?.event, event);
  const left = performance.now();
  abort();
  assert(await upstreamEnded(agent, left) < 1000);
  await assertAborted(agent, "One two");
});

Deno.test("a client whose connection is cut ends the upstream call too", async () => {
  const agent = await chat.agent({ steps: ["One two", { stall: true }] });
  const connection = new AbortController();
  const reader = new EventReader(
    (await agent.ask({ message: "How long?", stream: true }, { signal: connection.signal })).body!,
  );
  for (const event of ["meta", "delta"]) assertEquals((await reader.next())?.event, event);
  const left = performance.now();
  connection.abort();
  assert(await upstreamEnded(agent, left) < 1000);
  await assertAborted(agent, "One two");
});

Deno.test("a client that leaves a JSON answer ends the upstream call too", async () => {
  const agent = await chat.agent({ steps: ["One two", { stall: true }] });
  const connection = new AbortController();
  const asked = agent.ask({ message: "How long?" }, { signal: connection.signal }).catch((error) =>
    error.name
  );
  await eventually(() => agent.calls().length === 1);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const left = performance.now();
  connection.abort();
  assertEquals(await asked, "AbortError");
  assert(await upstreamEnded(agent, left) < 1000);
  await assertAborted(agent, "One two");
});

Deno.test("a client that leaves before the first token leaves no answer behind", async () => {
  const agent = await chat.agent({ steps: [{ stall: true }] });
  const reader = new EventReader((await agent.ask({ message: "How long?", stream: true })).body!);
  await reader.next();
  await eventually(() => agent.calls().length === 1);
  const left = performance.now();
  await reader.leave();
  assert(await upstreamEnded(agent, left) < 1000);
  await eventually(async () => (await agent.record()).turn.settled_at !== null);
  const { turn, messages, ledger, counter } = await agent.record();
  assertEquals([turn.state, messages.map(({ role }) => role), ledger.length], ["aborted", ["user"], 1]);
  assertEquals([counter.reserved_messages, counter.reserved_tokens], [0, 0]);
});

Deno.test("of 20 clients that leave at once, 20 upstream calls end and 20 turns are settled", async () => {
  const agent = await chat.agent({ steps: ["One two", { stall: true }] });
  const readers = await Promise.all(Array.from({ length: 20 }, async () => {
    const reader = new EventReader((await agent.ask({ message: "How long?", stream: true })).body!);
    for (const event of ["meta", "delta"]) assertEquals((await reader.next())?.event, event);
    return reader;
  }));
  const left = performance.now();
  await Promise.all(readers.map((reader) => reader.leave()));
  await eventually(() => agent.calls().filter((call) => call.abortedAt !== null).length === 20);
  assert(Math.max(...agent.calls().map((call) => call.abortedAt! - left)) < 1000);
  const states = () =>
    chat.rows("select state, count(*)::int from public.turns where agent_id = $1 group by 1", [agent.id]);
  await eventually(async () => JSON.stringify(await states()) === '[{"state":"aborted","count":20}]');
  assertEquals(
    await chat.rows(
      "select count(*)::int, sum(output_tokens)::int as tokens from public.usage_logs where agent_id = $1",
      [agent.id],
    ),
    [
      { count: 20, tokens: 20 * countTokens("One two") },
    ],
  );
});

// The database goes away between the calls of a turn. `away` is what the function sees then.
const away = () => Promise.reject(problem("unavailable", "Cannot run it: the database is away"));
const reap = () =>
  chat.rows<{ reaped: number }>("select private.reap_turns(now() + interval '2 minutes') as reaped");

/** One turn, no reservation left, exactly one row in the ledger. */
async function assertSettledOnce(agent: ChatAgent, state: string) {
  const { turn, ledger, counter } = await agent.record();
  assertEquals([turn.state, ledger.length], [state, 1]);
  assertEquals([counter.reserved_messages, counter.reserved_tokens], [0, 0]);
  assertEquals(counter.tokens, Number(ledger[0]!.input_tokens) + Number(ledger[0]!.output_tokens));
}

Deno.test("the database is away at admission: nothing is asked of the model", async () => {
  const agent = await chat.agent();
  await assertProblem(await agent.askWith({ admitTurn: away }, { message: "Hello" }), 503, "unavailable");
  assertEquals(agent.calls().length, 0);
});

Deno.test("the answer of an admission is lost: the turn is closed by the reaper", async () => {
  const agent = await chat.agent();
  const response = await agent.askWith({
    admitTurn: async (args) => {
      await chat.deps.rpc.admitTurn(args);
      return await away();
    },
  }, { message: "Hello" });
  await assertProblem(response, 503, "unavailable");
  assertEquals((await agent.record()).turn.state, "admitted");
  await reap();
  await assertSettledOnce(agent, "failed");
  assertEquals((await agent.record()).messages, []);
});

Deno.test("the database is away between admission and retrieval: the turn fails and is settled", async () => {
  for (const stream of [false, true]) {
    const agent = await chat.agent();
    await agent.learn("Handbook", ["Refunds take thirty days."]);
    const response = await agent.askWith({ matchDocuments: away }, {
      message: "How long do refunds take?",
      stream,
    });
    if (stream) assertEquals(parseEvents(await response.text()).at(-1)?.data.code, "unavailable");
    else await assertProblem(response, 503, "unavailable");
    assertEquals(agent.calls().length, 0);
    await assertSettledOnce(agent, "failed");
    assertEquals((await agent.record()).messages, []);
  }
});

Deno.test("the database is away at settlement and comes back: the answer is given, and settled late, once", async () => {
  for (const stream of [false, true]) {
    const agent = await chat.agent({ steps: ["One two"], usage: { prompt_tokens: 5, completion_tokens: 2 } });
    let attempts = 0;
    const response = await agent.askWith({
      settleTurn: (args) => ++attempts <= 2 ? away() : chat.deps.rpc.settleTurn(args),
    }, { message: "Hello", stream });
    const text = await response.text();
    if (stream) assertEquals(parseEvents(text).at(-1)?.event, "done");
    else assertEquals([JSON.parse(text).answer, JSON.parse(text).usage.total_tokens], ["One two", 7]);
    await eventually(async () => (await agent.record()).turn.settled_at !== null);
    await assertSettledOnce(agent, "completed");
    assertEquals((await agent.record()).messages.map(({ content }) => content), ["Hello", "One two"]);
  }
});

Deno.test("the answer of a settlement is lost: settling again bills nothing twice", async () => {
  const agent = await chat.agent({ steps: ["One two"], usage: { prompt_tokens: 5, completion_tokens: 2 } });
  const duplicates: boolean[] = [];
  await (await agent.askWith({
    settleTurn: async (args) => {
      const settled = await chat.deps.rpc.settleTurn(args);
      duplicates.push(settled.duplicate);
      return duplicates.length === 1 ? await away() : settled;
    },
  }, { message: "Hello" })).body?.cancel();
  await eventually(() => duplicates.length === 2);
  assertEquals(duplicates, [false, true]);
  await assertSettledOnce(agent, "completed");
  assertEquals((await agent.record()).counter, { messages: 1, tokens: 7, ...nothingReserved });
});

Deno.test("the database stays away at settlement: the reaper settles from the deltas, and a late settlement bills nothing twice", async () => {
  const gate = Promise.withResolvers<void>();
  const agent = await chat.agent({
    steps: ["One two", { until: gate.promise }, " three"],
    usage: { prompt_tokens: 5, completion_tokens: 3 },
  });
  let settle = () => Promise.resolve<unknown>(null);
  const response = await agent.askWith({
    settleTurn: (args) => {
      settle = () => chat.deps.rpc.settleTurn(args);
      // Not an outage, so that the test need not wait until the retries end.
      return Promise.reject(new Error("the database stays away"));
    },
  }, { message: "Hello", stream: true });
  const kept = () =>
    chat.rows(
      "select 1 from public.turn_deltas d join public.turns t on t.id = d.turn_id where t.agent_id = $1",
      [agent.id],
    );
  await eventually(async () => (await kept()).length === 1);
  gate.resolve();
  assertEquals(parseEvents(await response.text()).at(-1)?.event, "done");
  assertEquals((await agent.record()).turn.state, "streaming");
  assertEquals(
    (await chat.rows<{ reaped: number }>("select private.reap_turns(now()) as reaped"))[0]!.reaped,
    0,
  );
  assert((await reap())[0]!.reaped >= 1);
  await assertSettledOnce(agent, "failed");
  const { messages, ledger, counter } = await agent.record();
  assertEquals(messages.map(({ content, status }) => [content, status]), [["Hello", "completed"], [
    "One two",
    "failed",
  ]]);
  assertEquals([ledger[0]!.provider, ledger[0]!.output_tokens], ["openai", countTokens("One two")]);
  assertEquals(((await settle()) as { duplicate: boolean }).duplicate, true);
  assertEquals(await agent.record(), { ...await agent.record(), messages, ledger, counter });
});

Deno.test("the database is away while an answer streams: the answer goes on", async () => {
  const gate = Promise.withResolvers<void>();
  const agent = await chat.agent({ steps: ["One two", { until: gate.promise }, " three"] });
  const response = await agent.askWith({
    appendDeltas: () => {
      gate.resolve();
      return away();
    },
  }, { message: "Hello" });
  assertEquals((await response.json()).answer, "One two three");
  await assertSettledOnce(agent, "completed");
});

Deno.test("after everything above no turn is open and nothing is reserved", async () => {
  await reap();
  assertEquals(await chat.rows("select id from public.turns where settled_at is null"), []);
  assertEquals(
    await chat.rows(
      "select t.id from public.turns t left join public.usage_logs u on u.turn_id = t.id group by t.id having count(u.id) <> 1",
    ),
    [],
  );
  assertEquals(
    await chat.rows(
      "select * from public.usage_counters where reserved_messages <> 0 or reserved_tokens <> 0 or reserved_cost <> 0",
    ),
    [],
  );
});
