import { assert, assertEquals, assertMatch } from "@std/assert";
import { createHandler } from "../../../functions/chat/handler.ts";
import { createLog } from "../../../shared/log.ts";
import { settled } from "../../../shared/platform.ts";
import { type ChatAgent, startChat } from "./fixture.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const parent = "00f067aa0ba902b7";

/** Asks and returns the response with its text, and the lines that were logged. */
async function ask(agent: ChatAgent, body: Record<string, unknown>, headers: Record<string, string> = {}) {
  const lines: string[] = [];
  const handler = createHandler({ ...chat.deps, log: createLog((line) => lines.push(line)) });
  const response = await handler(
    new Request("http://functions/chat", {
      method: "POST",
      headers: { authorization: `Bearer ${agent.key}`, "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    }),
  );
  const text = await response.text();
  await settled();
  const entries = lines.map((line) => JSON.parse(line));
  return { response, text, lines, ended: entries.filter(({ event }) => event === "turn_ended") };
}

const steps = (header: string | null) => (header ?? "").split(", ").map((entry) => entry.split(";dur=")[0]);

Deno.test("a turn is one line with the attributes that OpenTelemetry names", async () => {
  const agent = await chat.agent({ steps: ["Fine."], usage: { prompt_tokens: 9, completion_tokens: 3 } });
  const { ended, text, response } = await ask(agent, { message: "Hello" });
  assertEquals(ended.length, 1);
  const [line] = ended;
  const { turn_id, conversation_id } = JSON.parse(text);
  const { port } = new URL(chat.models.url);
  const expected = {
    level: "info",
    request_id: response.headers.get("x-request-id"),
    turn_id,
    agent_id: agent.id,
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.agent.id": agent.id,
    "gen_ai.conversation.id": conversation_id,
    "gen_ai.request.model": agent.model,
    "gen_ai.request.stream": true,
    "gen_ai.request.max_tokens": 1024,
    "gen_ai.response.id": "call",
    "gen_ai.response.model": agent.model,
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 9,
    "gen_ai.usage.output_tokens": 3,
    "server.address": "127.0.0.1",
    "server.port": Number(port),
    "parley.outcome": "completed",
    "parley.attempts": 1,
    "parley.settled": true,
  };
  assertEquals(Object.fromEntries(Object.keys(expected).map((name) => [name, line[name]])), expected);
  assertMatch(line.trace_id, /^[\da-f]{32}$/);
  assertMatch(line.span_id, /^[\da-f]{16}$/);
  assertEquals(["parent_span_id", "error.type"].filter((name) => name in line), []);
  assert(line["gen_ai.response.time_to_first_chunk"] < 10);
});

Deno.test("a failed turn's line says of what kind the error was", async () => {
  const agent = await chat.agent({ status: 401 }, { model: "openai/none" });
  chat.models.play("none", { status: 401 });
  const { ended, response } = await ask(agent, { message: "Hello" });
  assertEquals(response.status, 502);
  assertEquals([ended[0]["error.type"], ended[0]["parley.outcome"]], ["provider_failed", "failed"]);
  assertEquals(ended[0]["gen_ai.response.finish_reasons"], ["error"]);
});

Deno.test("no line holds what was said, a key or an address", async () => {
  const agent = await chat.agent({ steps: ["The answer is ", "swordfish"] });
  await agent.learn("Handbook", ["The password is swordfish."]);
  for (const stream of [false, true]) {
    const { lines, ended } = await ask(agent, { message: "Which password?", stream }, {
      "x-forwarded-for": "203.0.113.9",
    });
    assertEquals([ended.length, ended[0]["parley.retrieved_chunks"]], [1, 1]);
    for (const hidden of ["swordfish", "password", agent.key, "sk-test", "203.0.113.9"]) {
      assertEquals(lines.filter((line) => line.includes(hidden)), []);
    }
  }
});

Deno.test("a trace is continued, and passed on to the model's provider", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  const { ended } = await ask(agent, { message: "Hello" }, {
    traceparent: `00-${traceId}-${parent}-01`,
    tracestate: "vendor=opaque",
  });
  const [{ trace_id, parent_span_id, span_id }] = ended;
  assertEquals([trace_id, parent_span_id], [traceId, parent]);
  const { headers } = agent.calls()[0]!;
  assertEquals([headers.get("traceparent"), headers.get("tracestate")], [
    `00-${traceId}-${span_id}-01`,
    "vendor=opaque",
  ]);
});

Deno.test("a trace that is not valid is replaced, and the new one is passed on", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  const { ended } = await ask(agent, { message: "Hello" }, {
    traceparent: "00-nonsense",
    tracestate: "vendor=opaque",
  });
  const { headers } = agent.calls()[0]!;
  assertEquals(headers.get("traceparent"), `00-${ended[0].trace_id}-${ended[0].span_id}-01`);
  assertEquals(headers.get("tracestate"), null);
});

Deno.test("an answer's header tells how long each step took, and a page may read it", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  await agent.learn("Handbook", ["Refunds take thirty days."]);
  const { response, ended } = await ask(agent, { message: "How long do refunds take?" });
  const header = response.headers.get("server-timing");
  assertEquals(steps(header), ["admit", "embed", "match", "first_token", "model", "settle", "total"]);
  for (const entry of header!.split(", ")) {
    const [step, ms] = entry.split(";dur=");
    assertEquals(ended[0][`parley.${step}_ms`], Number(ms));
  }
  assert(response.headers.get("access-control-expose-headers")!.split(", ").includes("server-timing"));
  assertEquals(response.headers.get("timing-allow-origin"), "*");
});

Deno.test("a stream's header tells what is known when it begins, its line the rest", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  const { response, ended } = await ask(agent, { message: "Hello", stream: true });
  assertEquals(steps(response.headers.get("server-timing")), ["admit"]);
  assert(ended[0]["parley.settle_ms"] >= 0 && ended[0]["parley.total_ms"] >= ended[0]["parley.model_ms"]);
});

Deno.test("a failed answer's header tells the steps, too", async () => {
  const agent = await chat.agent({ status: 400 });
  const { response } = await ask(agent, { message: "Hello" });
  assertEquals(steps(response.headers.get("server-timing")), ["admit", "model", "settle", "total"]);
});
