import { assert, assertEquals } from "@std/assert";
import { startChat } from "./fixture.ts";
import { parseEvents } from "./read-events.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

const withKey = (key: string): RequestInit => ({ headers: { "idempotency-key": key } });

Deno.test("chat answers twenty equal requests at once by one model call, one bill and twenty equal answers", async () => {
  const release = Promise.withResolvers<void>();
  const agent = await chat.agent({ steps: ["Thirty ", { until: release.promise }, "days."] });
  const body = { message: "How long?", session_id: "twenty-equal-requests" };
  const until = async (): Promise<Record<string, unknown>> => {
    const response = await agent.ask(body, withKey("equal"));
    if (response.status === 200) return await response.json();
    assertEquals(response.status, 409);
    assertEquals(response.headers.get("retry-after"), "1");
    assertEquals((await response.json()).code, "turn_in_progress");
    release.resolve();
    await new Promise((resolve) => setTimeout(resolve, 20));
    return await until();
  };
  const answers = await Promise.all(Array.from({ length: 20 }, until));
  assertEquals(agent.calls().length, 1);
  for (const answer of answers) assertEquals(answer, answers[0]);
  assertEquals(answers[0]!.answer, "Thirty days.");
  const { ledger, counter, messages } = await agent.record();
  assertEquals([ledger.length, counter.messages, messages.length], [1, 1, 2]);
});

Deno.test("chat tells an answer again in the form that is asked for, and only to the same request", async () => {
  const agent = await chat.agent({ steps: ["Thirty days [1]."] });
  await agent.learn("Handbook", ["Refunds take thirty days."]);
  const body = { message: "How long do refunds take?", stream: true };
  const first = parseEvents(await (await agent.ask(body, withKey('"quoted \\" key"'))).text());
  const again = await agent.ask(body, withKey('quoted " key'));
  const told = parseEvents(await again.text());
  const ids = ["turn_id", "message_id", "session_id", "conversation_id", "model", "provider"];
  assertEquals(ids.map((id) => told[0]!.data[id]), ids.map((id) => first[0]!.data[id]));
  assertEquals(told.filter(({ event }) => event === "delta").map(({ data }) => data.text), [
    "Thirty days [1].",
  ]);
  const of = (events: typeof told, name: string) => events.filter(({ event }) => event === name);
  for (const name of ["citation", "usage", "done"]) {
    assertEquals(of(told, name).map(({ data }) => data), of(first, name).map(({ data }) => data));
  }
  assertEquals(again.headers.get("x-turn-id"), first[0]!.data.turn_id);
  const other = await agent.ask({ ...body, message: "How long do they take?" }, withKey('quoted " key'));
  assertEquals([other.status, (await other.json()).code], [422, "idempotency_mismatch"]);
  assertEquals(agent.calls().length, 1);
});

Deno.test("chat answers a key anew whose turn failed before its first token, and repeats a later failure", async () => {
  const agent = await chat.agent({ status: 400 });
  const body = { message: "How long?" };
  assertEquals((await agent.ask(body, withKey("k"))).status, 502);
  chat.models.play(agent.model, { steps: ["Thirty ", { cut: true }] });
  assertEquals((await agent.ask(body, withKey("k"))).status, 502);
  const calls = agent.calls().length;
  const repeated = await agent.ask(body, withKey("k"));
  assertEquals([repeated.status, (await repeated.json()).code], [502, "provider_failed"]);
  assertEquals(agent.calls().length, calls);
});

for (const key of ["", " ", "x".repeat(256), "clé"]) {
  Deno.test(`chat refuses the Idempotency-Key ${JSON.stringify(key.slice(0, 5))} of ${key.length} characters`, async () => {
    const agent = await chat.agent();
    const headers = new Headers({ authorization: `Bearer ${agent.key}`, "content-type": "application/json" });
    headers.set("idempotency-key", key);
    const response = await fetch(chat.stack.functionUrl("chat"), {
      method: "POST",
      headers,
      body: JSON.stringify({ message: "How long?" }),
    });
    assertEquals(response.status, 422);
    const { detail } = await response.json();
    assert(detail.includes("Idempotency-Key"), detail);
    assertEquals(agent.calls().length, 0);
  });
}
