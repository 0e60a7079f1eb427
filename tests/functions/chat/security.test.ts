import { assertEquals } from "@std/assert";
import { assertOpenAIError, assertProblem, securitySuite } from "../../support/security-suite.ts";
import { startStack } from "../../support/stack.ts";

const stack = await startStack();
Deno.test.afterAll(() => stack.close());

securitySuite(stack, {
  name: "POST chat",
  method: "POST",
  path: "chat",
  body: { message: "What is the refund time?" },
  agentIn: "body",
  takes: ["key", "user"],
  scope: "chat",
  maxBytes: 256 * 1024,
});

securitySuite(stack, {
  name: "POST chat/feedback",
  method: "POST",
  path: "chat/feedback",
  body: { message_id: crypto.randomUUID(), rating: 1 },
  agentIn: "body",
  takes: ["key", "user"],
  scope: "chat",
});

for (const path of ["chat/completions", "chat/v1/chat/completions", "chat/chat/completions"]) {
  securitySuite(stack, {
    name: `POST ${path}`,
    method: "POST",
    path,
    body: { messages: [{ role: "user", content: "What is the refund time?" }] },
    takes: ["key"],
    scope: "chat",
    maxBytes: 256 * 1024,
    errors: "openai",
  });
}

securitySuite(stack, {
  name: "POST chat/ui",
  method: "POST",
  path: "chat/ui",
  body: { id: "abcdefghijklmnop", messages: [{ role: "user", parts: [{ type: "text", text: "Refunds?" }] }] },
  takes: ["key"],
  scope: "chat",
  maxBytes: 256 * 1024,
});

for (const path of ["chat/models", "chat/v1/models"]) {
  securitySuite(stack, {
    name: `GET ${path}`,
    method: "GET",
    path,
    takes: ["key"],
    scope: "chat",
    errors: "openai",
  });
}

const session = `s_${"0123456789".repeat(3)}`;
securitySuite(stack, {
  name: "GET chat/sessions/{id}/messages",
  method: "GET",
  path: `chat/sessions/${session}/messages`,
  agentIn: "query",
  takes: ["key", "user"],
});

securitySuite(stack, {
  name: "DELETE chat/sessions/{id}",
  method: "DELETE",
  path: `chat/sessions/${session}`,
  agentIn: "query",
  takes: ["key", "user"],
});

const hello = { messages: [{ role: "user", content: "Hello" }] };
const routes = [
  ["POST", "chat", { message: "Hello" }, assertProblem],
  ["POST", "chat/feedback", { message_id: crypto.randomUUID(), rating: 1 }, assertProblem],
  ["GET", `chat/sessions/${session}/messages`, undefined, assertProblem],
  ["DELETE", `chat/sessions/${session}`, undefined, assertProblem],
  ["POST", "chat/ui", hello, assertProblem],
  ["POST", "chat/completions", hello, assertOpenAIError],
  ["GET", "chat/models", undefined, assertOpenAIError],
] as const;

for (const [method, path, body, assertRefused] of routes) {
  const forKeys = /ui|completions|models/.test(path);
  Deno.test(`${method} ${path} refuses the project's key${forKeys ? " and a user's token" : ""}`, async () => {
    const { token } = await stack.signUp();
    const credentials: Record<string, string>[] = [
      { apikey: stack.secretKey },
      ...(forKeys ? [{ authorization: `Bearer ${token}`, apikey: stack.publishableKey }] : []),
    ];
    for (const headers of credentials) {
      const response = await fetch(stack.functionUrl(path), {
        method,
        headers: { ...headers, "content-type": "application/json" },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      await assertRefused(response, 403, "forbidden");
    }
  });
}

Deno.test("agent_id is refused with an agent key, which names its agent", async () => {
  const { token } = await stack.signUp();
  const { id } = await stack.createAgent(token);
  const { key } = await stack.createKey(token, id, { scopes: ["chat", "read"] });
  for (const [method, path, body] of routes.filter(([, path]) => !/ui|completions|models/.test(path))) {
    const response = await fetch(stack.functionUrl(body ? path : `${path}?agent_id=${id}`), {
      method,
      headers: { "x-api-key": key, "content-type": "application/json" },
      ...(body ? { body: JSON.stringify({ ...body, agent_id: id }) } : {}),
    });
    const { errors } = await assertProblem(response, 422, "validation_failed");
    assertEquals(errors, [{
      path: "agent_id",
      message: "must not be sent with an agent key, which names its agent",
    }]);
  }
});

Deno.test("chat answers only on its own routes", async () => {
  for (const path of ["chat/unknown", "chat/sessions", "chat/sessions/a/b/c", "chat/feedback/1"]) {
    await assertProblem(await fetch(stack.functionUrl(path)), 404, "not_found");
  }
});
