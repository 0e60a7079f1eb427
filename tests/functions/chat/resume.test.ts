import { assert, assertEquals } from "@std/assert";
import { eventually, startChat } from "./fixture.ts";
import { EventReader, parseEvents } from "./read-events.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

const resumable = { message: "How long?", stream: true, metadata: { resumable: true } };

Deno.test("a client that lost the connection reads on behind any event, while the answer is made and after it", async () => {
  const release = Promise.withResolvers<void>();
  const agent = await chat.agent({ steps: ["One ", "two ", { until: release.promise }, "three [1]."] });
  await agent.learn("Handbook", ["One two three."]);
  const response = await agent.ask({ ...resumable, message: "What is one two three?" });
  const reader = new EventReader(response.body!);
  const meta = await reader.next();
  const delta = await reader.next();
  await reader.leave();
  const { turn_id } = meta!.data;

  // Another instance: it knows of the turn what the database holds.
  const open = await agent.call("GET", `turns/${turn_id}/stream?after=${delta!.id}`);
  assertEquals(open.headers.get("content-type"), "text/event-stream; charset=utf-8");
  release.resolve();
  const rest = parseEvents(await open.text()).filter(({ event }) => event !== "comment");
  assertEquals(rest.map(({ id }) => id), rest.map((_, place) => delta!.id! + 1 + place));
  assertEquals(rest.at(-1)!.event, "done");
  const text = [delta!, ...rest].filter(({ event }) => event === "delta").map(({ data }) => data.text).join(
    "",
  );
  assertEquals(text, "One two three [1].");
  assertEquals(rest.filter(({ event }) => event === "citation").length, 1);
  assertEquals((await agent.record()).turn.state, "completed");

  const late = await fetch(chat.stack.functionUrl(`chat/turns/${turn_id}/stream`), {
    headers: { "x-api-key": agent.key, "last-event-id": String(delta!.id) },
  });
  assertEquals(parseEvents(await late.text()), rest);
  const all = parseEvents(await (await agent.call("GET", `turns/${turn_id}/stream`)).text());
  assertEquals([all[0], all.length], [meta!, rest.length + delta!.id!]);
  const behind = await agent.call("GET", `turns/${turn_id}/stream?after=${rest.at(-1)!.id}`);
  assertEquals(await behind.text(), "");
});

Deno.test("without resumable the model is stopped when the client leaves, and nothing can be read on", async () => {
  const agent = await chat.agent({ steps: ["One ", { stall: true }] });
  const response = await agent.ask({ message: "How long?", stream: true });
  const reader = new EventReader(response.body!);
  const meta = await reader.next();
  await reader.next();
  await reader.leave();
  await eventually(async () => (await agent.record()).turn.state === "aborted");
  const refused = await agent.call("GET", `turns/${meta!.data.turn_id}/stream`);
  assertEquals([refused.status, (await refused.json()).code], [409, "conflict"]);
});

Deno.test("a reader learns that the worker died", async () => {
  const agent = await chat.agent({ steps: ["One ", { stall: true }] });
  const reader = new EventReader((await agent.ask(resumable)).body!);
  const { turn_id } = (await reader.next())!.data;
  await eventually(async () =>
    (await chat.rows("select 1 from public.turn_deltas where turn_id = $1", [turn_id])).length > 0
  );
  // The lease ran out while nobody extended it: what a killed process leaves.
  await chat.rows("select private.reap_turns(now() + interval '2 minutes')");
  const events = parseEvents(await (await agent.call("GET", `turns/${turn_id}/stream?after=1`)).text());
  assertEquals(events.map(({ event }) => event), ["delta", "error"]);
  assertEquals([events[1]!.id, events[1]!.data.code], [3, "unavailable"]);
  assertEquals(typeof events[1]!.data.message_id, "string");
  await reader.leave();
});

Deno.test("a stop ends the answer at once, keeps what was said and bills it", async () => {
  const agent = await chat.agent({ steps: ["One ", "two ", { stall: true }] });
  const reader = new EventReader((await agent.ask({ message: "How long?", stream: true })).body!);
  const { turn_id } = (await reader.next())!.data;
  while (!(await reader.next())!.data.text.includes("two"));
  const stopped = await agent.call("POST", `turns/${turn_id}/stop`);
  assertEquals(stopped.status, 202);
  assertEquals((await stopped.json()).stopping, true);
  let last = await reader.next();
  while (last!.event !== "done") last = await reader.next();
  assertEquals(last!.data.finish_reason, "stopped");
  const { turn, ledger, messages } = await agent.record();
  assertEquals([turn.state, ledger.length, messages.at(-1)!.content], ["aborted", 1, "One two "]);
  const again = await agent.call("POST", `turns/${turn_id}/stop`);
  assertEquals([again.status, (await again.json()).stopping], [202, false]);
});

Deno.test("a stop by another instance is learnt with the next deltas", async () => {
  const agent = await chat.agent({ steps: ["One ", { stall: true }] });
  const answering = agent.askWith({}, resumable);
  const reader = new EventReader((await answering).body!);
  const { turn_id } = (await reader.next())!.data;
  assertEquals((await agent.call("POST", `turns/${turn_id}/stop`)).status, 202);
  await eventually(async () => (await agent.record()).turn.state === "aborted");
  await reader.leave();
});

Deno.test("the turns of others are not found, nor is what is no turn", async () => {
  const agent = await chat.agent();
  const other = await chat.agent();
  const turn = await (await agent.ask({ message: "How long?" })).json();
  for (const [method, path] of [["GET", "stream"], ["POST", "stop"]] as const) {
    const foreign = await other.call(method, `turns/${turn.turn_id}/${path}`);
    assertEquals([foreign.status, (await foreign.json()).code], [404, "not_found"]);
    assertEquals((await agent.call(method, `turns/${crypto.randomUUID()}/${path}`)).status, 404);
    assertEquals((await agent.call(method, `turns/1/${path}`)).status, 422);
    const stranger = await chat.stack.signUp();
    const refused = await fetch(chat.stack.functionUrl(`chat/turns/${turn.turn_id}/${path}`), {
      method,
      headers: { authorization: `Bearer ${stranger.token}` },
    });
    assertEquals(refused.status, 404);
    const seen = await fetch(chat.stack.functionUrl(`chat/turns/${turn.turn_id}/${path}`), {
      method,
      headers: { authorization: `Bearer ${chat.owner.token}` },
    });
    assert([202, 409].includes(seen.status));
    await Promise.all([refused, seen].map((response) => response.body?.cancel()));
  }
  assertEquals((await agent.call("GET", `turns/${turn.turn_id}/stream?after=x`)).status, 422);
});
