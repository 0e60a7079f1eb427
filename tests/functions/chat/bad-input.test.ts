import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { createHandler } from "../../../functions/chat/handler.ts";
import { ChatRequest } from "../../../functions/chat/schema.ts";
import { createLog } from "../../../shared/log.ts";
import type { Rpc } from "../../../shared/rpc.ts";
import { brokenKey } from "../../support/keys.ts";
import { assertProblem, contents } from "../../support/security-suite.ts";
import { startChat } from "./fixture.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());
const agent = await chat.agent();

/** Sends a body as it is and expects a refusal that stores nothing and asks no model. */
async function refused(
  body: BodyInit,
  status: number,
  code: string,
  path = "chat",
): Promise<Record<string, unknown>> {
  const before = await contents(chat.stack);
  const response = await fetch(chat.stack.functionUrl(path), {
    method: "POST",
    headers: { "x-api-key": agent.key, "content-type": "application/json" },
    body,
  });
  const told = await assertProblem(response, status, code);
  assertEquals([await contents(chat.stack), agent.calls().length], [before, 0]);
  return told;
}

const invalid = async (body: Record<string, unknown>, paths: string[], path?: string) => {
  const { errors } = await refused(JSON.stringify(body), 422, "validation_failed", path);
  assertEquals((errors as { path: string }[]).map(({ path }) => path), paths);
};

Deno.test("chat refuses a message of 100,000 characters, and one of none", async () => {
  await invalid({ message: "x".repeat(100_000) }, ["message"]);
  await invalid({ message: "x".repeat(32_001) }, ["message"]);
  await invalid({ message: "" }, ["message"]);
  await invalid({}, ["message"]);
});

Deno.test("chat counts characters, not bytes or surrogates", () => {
  assert(ChatRequest.safeParse({ message: "🙂".repeat(32_000) }).success);
  assert(!ChatRequest.safeParse({ message: "🙂".repeat(32_001) }).success);
});

Deno.test("chat refuses what PostgreSQL cannot store: NUL and halves of surrogate pairs, wherever they stand", async () => {
  for (const bad of ["a\0b", "\ud83d", "\ude42 x", "x\ud83dy"]) {
    await invalid({ message: bad }, ["message"]);
    await invalid({ message: "Hello", session_id: bad }, ["session_id"]);
    await invalid({ message: "Hello", visitor_id: bad }, ["visitor_id"]);
    await invalid({ message: "Hello", metadata: { a: { b: [bad] } } }, ["metadata"]);
    await invalid({ message: "Hello", metadata: { [bad]: 1 } }, ["metadata"]);
  }
});

Deno.test("chat takes null for what is not set", () => {
  const unset = { session_id: null, visitor_id: null, stream: null, metadata: null };
  assertEquals(JSON.stringify(ChatRequest.parse({ message: "Hello", ...unset })), '{"message":"Hello"}');
});

Deno.test("chat refuses values of the wrong type", async () => {
  await invalid({ message: 7 }, ["message"]);
  await invalid({ message: ["Hello"] }, ["message"]);
  await invalid({ message: null }, ["message"]);
  await invalid({ message: "Hello", session_id: 7, visitor_id: {}, stream: "yes", metadata: [] }, [
    "session_id",
    "visitor_id",
    "stream",
    "metadata",
  ]);
  await invalid({ message: "Hello", session_id: "" }, ["session_id"]);
  await invalid({ message: "Hello", session_id: "x".repeat(201) }, ["session_id"]);
  // No path can name such a session.
  await invalid({ message: "Hello", session_id: "." }, ["session_id"]);
  await invalid({ message: "Hello", session_id: ".." }, ["session_id"]);
});

Deno.test("chat refuses metadata that is too large or too deep", async () => {
  await invalid({ message: "Hello", metadata: { a: "x".repeat(16 * 1024) } }, ["metadata"]);
  let deep: Record<string, unknown> = {};
  for (let depth = 0; depth < 100; depth++) deep = { deep };
  await invalid({ message: "Hello", metadata: deep }, ["metadata"]);
});

Deno.test("chat refuses another agent's id beside a key", async () => {
  await invalid({ message: "Hello", agent_id: crypto.randomUUID() }, ["agent_id"]);
});

Deno.test("chat refuses what is no JSON in UTF-8", async () => {
  for (const body of ["{", '{"message": "Hello"', "message=Hello", new Uint8Array([0x7b, 0xff, 0x7d])]) {
    await refused(body, 400, "malformed_json");
  }
});

Deno.test("chat refuses a body of 10 MB, and one just above its limit", async () => {
  for (const size of [10 * 1024 * 1024, 256 * 1024 + 1]) {
    await refused(JSON.stringify({ message: "x".repeat(size) }), 413, "body_too_large");
  }
});

Deno.test("feedback refuses what is no feedback", async () => {
  const message_id = crypto.randomUUID();
  await invalid({ message_id: "7", rating: 1 }, ["message_id"], "chat/feedback");
  for (const rating of [0, 2, "1", null, true]) {
    await invalid({ message_id, rating }, ["rating"], "chat/feedback");
  }
  await invalid(
    { message_id, rating: 1, comment: "x".repeat(4001), category: "" },
    ["comment", "category"],
    "chat/feedback",
  );
  await invalid({ message_id, rating: 1, comment: "a\0b" }, ["comment"], "chat/feedback");
});

Deno.test("a session's messages are not read by a wrong limit or a wrong id", async () => {
  const get = (path: string) =>
    fetch(chat.stack.functionUrl(`chat/sessions/${path}`), { headers: { "x-api-key": agent.key } });
  for (const query of ["limit=0", "limit=201", "limit=ten", "limit=1.5", "before=7"]) {
    await assertProblem(await get(`s1/messages?${query}`), 422, "validation_failed");
  }
  await assertProblem(await get(`${"x".repeat(201)}/messages`), 422, "validation_failed");
  await assertProblem(await get("a%00b/messages"), 422, "validation_failed");
  await assertProblem(await get("%ff/messages"), 404, "not_found");
});

Deno.test("a key with a broken checksum is refused without a query", async () => {
  const untouched = new Proxy({} as Rpc, {
    get: (_, name) => {
      throw new Error(`the database was asked: ${String(name)}`);
    },
  });
  const handler = createHandler({ ...chat.deps, rpc: untouched });
  const routes = [["POST", ""], ["POST", "/feedback"], ["GET", "/sessions/s1/messages"], [
    "DELETE",
    "/sessions/s1",
  ]];
  for (const [method, path] of routes) {
    const request = new Request(`http://functions/chat${path}`, {
      method,
      headers: { "x-api-key": brokenKey(agent.key), "content-type": "application/json" },
      ...(method === "POST" ? { body: JSON.stringify({ message: "Hello" }) } : {}),
    });
    await assertProblem(await handler(request), 401, "key_malformed");
  }
});

const anything = fc.anything({ withNullPrototype: false, maxDepth: 3 });
const role = fc.constantFrom("system", "developer", "user", "assistant", "tool", "robot");
const parts = fc.array(fc.record({ type: fc.constantFrom("text", "file", "image_url"), text: anything }), {
  maxLength: 3,
});
const said = fc.oneof(anything, fc.string(), parts);
const calls = fc.array(fc.record({ id: fc.constantFrom("a", "b"), function: anything }), { maxLength: 2 });
const message = fc.record(
  {
    role,
    content: said,
    parts: said,
    tool_calls: fc.oneof(calls, anything),
    tool_call_id: fc.constantFrom("a", 7),
  },
  { requiredKeys: ["role"] },
);
const messages = fc.oneof(anything, fc.array(fc.oneof(message, anything), { maxLength: 4 }));

/** What each protocol reads, with anything in the place of it. */
const shapes = {
  "": ["message", "session_id", "visitor_id", "visitor_token", "agent_id", "stream", "metadata"],
  "/completions": [
    "n",
    "stream",
    "stream_options",
    "user",
    "metadata",
    "temperature",
    "stop",
    "response_format",
    "tools",
    "tool_choice",
    "logit_bias",
    "max_tokens",
  ],
  "/ui": ["id", "trigger", "messageId", "visitor_id", "metadata"],
};

for (const [path, members] of Object.entries(shapes)) {
  Deno.test(`no body makes chat${path} fail by a fault of its own`, async () => {
    const shape = fc.record(
      { messages, ...Object.fromEntries(members.map((name) => [name, anything])) },
      { requiredKeys: path === "" ? [] : ["messages"] },
    );
    const denied: Partial<Rpc> = {
      admitTurn: () =>
        Promise.resolve({ admitted: false, code: "kill_switch", status: 503, detail: "", limits: [] }),
    };
    const expected = ["validation_failed", "unsupported_parameter", "malformed_json", "kill_switch"];
    await fc.assert(
      fc.asyncProperty(fc.oneof(shape, anything), async (body) => {
        const text = JSON.stringify(body, (_, each) => typeof each === "bigint" ? String(each) : each);
        const handler = createHandler({
          ...chat.deps,
          rpc: { ...chat.deps.rpc, ...denied },
          log: createLog(() => {}),
        });
        const response = await handler(
          new Request(`http://functions/chat${path}`, {
            method: "POST",
            headers: { "x-api-key": agent.key, "content-type": "application/json" },
            body: text ?? "",
          }),
        );
        const told = await response.json();
        const code = told.code ?? told.error.code;
        assert(expected.includes(code), code);
      }),
      { numRuns: 300 },
    );
  });
}
