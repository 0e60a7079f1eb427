import { assert, assertEquals, assertMatch } from "@std/assert";
import { startChat } from "./fixture.ts";
import { EventReader, parseEvents } from "./read-events.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

Deno.test("chat streams numbered events in their order, and stores what it streamed", async () => {
  const agent = await chat.agent({
    steps: ["Refunds take ", "thirty days [", "1]. ", "Gifts [9] are wrapped [2", "]."],
    usage: { prompt_tokens: 40, completion_tokens: 12 },
  });
  await agent.learn("Handbook", ["Refunds take thirty days.", "Gifts are wrapped: refunds of gifts too."]);
  const response = await agent.ask({ message: "How long do refunds of gifts take?", stream: true });
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assertEquals(response.headers.get("cache-control"), "no-cache, no-transform");
  assertEquals(response.headers.get("x-accel-buffering"), "no");
  assertMatch(response.headers.get("ratelimit") ?? "", /"key"/);
  const events = parseEvents(await response.text());
  assertEquals(events.map(({ id }) => id), events.map((_, index) => index + 1));

  const [meta, ...rest] = events;
  assertEquals(meta!.event, "meta");
  assertEquals(Object.keys(meta!.data), [
    "turn_id",
    "message_id",
    "session_id",
    "conversation_id",
    "model",
    "provider",
  ]);
  assertEquals([meta!.data.model, meta!.data.provider], [agent.model, "openai"]);
  assertEquals(response.headers.get("x-turn-id"), meta!.data.turn_id);
  assertEquals(response.headers.get("x-message-id"), meta!.data.message_id);
  assertEquals(rest.slice(-2).map(({ event }) => event), ["usage", "done"]);
  assertEquals(rest.at(-2)!.data, { input_tokens: 40, output_tokens: 12, total_tokens: 52 });
  assertEquals(Object.keys(rest.at(-1)!.data), ["finish_reason", "response_time_ms"]);
  assertEquals(rest.at(-1)!.data.finish_reason, "stop");
  assert(rest.slice(0, -2).every(({ event }) => event === "delta" || event === "citation"));

  const text = rest.filter(({ event }) => event === "delta").map(({ data }) => data.text).join("");
  assertEquals(text, "Refunds take thirty days [1]. Gifts are wrapped [2].");
  const citations = rest.filter(({ event }) => event === "citation").map(({ data }) => data);
  assertEquals(citations.map(({ marker }) => marker), [1, 2]);
  const { turn, messages, ledger } = await agent.record();
  assertEquals([turn.id, turn.state, turn.message_id], [
    meta!.data.turn_id,
    "completed",
    meta!.data.message_id,
  ]);
  assertEquals([messages[1]!.content, messages[1]!.citations], [text, citations]);
  assertEquals([ledger.length, ledger[0]!.input_tokens, ledger[0]!.output_tokens], [1, 40, 12]);
});

Deno.test("chat streams when the client accepts events, unless the body says otherwise", async () => {
  const agent = await chat.agent({ steps: ["Yes."] });
  const types = [];
  for (
    const [accept, stream] of [
      ["text/event-stream", undefined],
      ["application/json, text/event-stream;q=0.5", undefined],
      ["text/event-stream", false],
      ["application/json", undefined],
      ["*/*", true],
    ] as const
  ) {
    const response = await agent.ask({ message: "Hello", stream }, { headers: { accept } });
    types.push(response.headers.get("content-type")!.split(";")[0]);
    await response.body?.cancel();
  }
  const [events, json] = ["text/event-stream", "application/json"];
  assertEquals(types, [events, events, json, json, events]);
});

Deno.test("chat sends its first bytes before the model answers, and each token as it comes", async () => {
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const agent = await chat.agent({
    steps: [{ until: first.promise }, "One", { until: second.promise }, " two"],
  });
  const reader = new EventReader((await agent.ask({ message: "Hello", stream: true })).body!);
  assertEquals((await reader.next())?.event, "meta");
  first.resolve();
  assertEquals((await reader.next())?.data, { text: "One" });
  second.resolve();
  assertEquals((await reader.next())?.data, { text: " two" });
  assertEquals((await reader.next())?.event, "usage");
  assertEquals((await reader.next())?.event, "done");
  assertEquals(await reader.next(), null);
});

Deno.test("a long answer is kept while it streams, and holds its lease", async () => {
  const gate = Promise.withResolvers<void>();
  const agent = await chat.agent({ steps: ["One two", { until: gate.promise }, " three"] });
  const reader = new EventReader((await agent.ask({ message: "Hello", stream: true })).body!);
  const turnId = (await reader.next())!.data.turn_id;
  await reader.next();
  const turn = async () => {
    const [row] = await chat.rows<
      { state: string; kept: string; leased: number; provider: string; output: number }
    >(
      `select t.state, t.provider, t.output_tokens as output, extract(epoch from t.leased_until - t.created_at)::float8 as leased,
         (select string_agg(d.text, '' order by d.seq) from public.turn_deltas d where d.turn_id = t.id) as kept
       from public.turns t where t.id = $1`,
      [turnId],
    );
    return row!;
  };
  assertEquals((await turn()).state, "admitted");
  await new Promise((resolve) => setTimeout(resolve, 2300));
  const running = await turn();
  assertEquals([running.state, running.kept, running.provider, running.output], [
    "streaming",
    "One two",
    "openai",
    2,
  ]);
  assert(running.leased > 61.5, `the lease ends ${running.leased} s after the admission`);
  gate.resolve();
  assertEquals((await reader.next())?.data, { text: " three" });
  await reader.next();
  assertEquals((await reader.next())?.event, "done");
  const ended = await turn();
  assertEquals([ended.state, ended.kept], ["completed", null]);
});

Deno.test("a running answer ends when the kill switch is thrown, and when its session is reset", async () => {
  const start = async () => {
    const agent = await chat.agent({ steps: ["One", { stall: true }] });
    const session_id = `s_${crypto.randomUUID()}`;
    const reader = new EventReader((await agent.ask({ message: "Hello", stream: true, session_id })).body!);
    for (const event of ["meta", "delta"]) assertEquals((await reader.next())?.event, event);
    return { agent, reader, session_id };
  };
  const [killed, reset] = [await start(), await start()];
  await (await reset.agent.call("DELETE", `sessions/${reset.session_id}`)).body?.cancel();
  assertEquals((await reset.reader.next())?.event, "usage");
  assertEquals((await reset.reader.next())?.data.finish_reason, "stopped");
  assertEquals(await reset.reader.next(), null);
  const forgotten = await reset.agent.record();
  assertEquals([forgotten.turn.state, forgotten.messages], ["aborted", []]);

  await chat.rows("update public.app_config set value = 'true' where key = 'killSwitch'");
  assertEquals((await killed.reader.next())?.event, "usage");
  const error = await killed.reader.next();
  assertEquals([error?.event, error?.data.code, error?.data.status], ["error", "kill_switch", 503]);
  assertEquals(await killed.reader.next(), null);
  const { turn, messages, counter } = await killed.agent.record();
  assertEquals([turn.state, turn.error_code, messages[1]?.status], ["failed", "kill_switch", "failed"]);
  assertEquals([counter.reserved_messages, counter.reserved_tokens], [0, 0]);
  await chat.rows("update public.app_config set value = 'false' where key = 'killSwitch'");
  for (const { agent } of [killed, reset]) assert(agent.calls()[0]!.abortedAt !== null);
});
