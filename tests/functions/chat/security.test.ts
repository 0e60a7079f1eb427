import { assertProblem, securitySuite } from "../../support/security-suite.ts";
import { startStack } from "../../support/stack.ts";

const stack = await startStack();
Deno.test.afterAll(() => stack.close());

securitySuite(stack, {
  name: "POST chat",
  method: "POST",
  path: "chat",
  body: { message: "What is the refund time?" },
  takes: ["key"],
  scope: "chat",
  maxBytes: 256 * 1024,
});

securitySuite(stack, {
  name: "POST chat/feedback",
  method: "POST",
  path: "chat/feedback",
  body: { message_id: crypto.randomUUID(), rating: 1 },
  takes: ["key"],
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
  takes: ["key"],
});

securitySuite(stack, {
  name: "DELETE chat/sessions/{id}",
  method: "DELETE",
  path: `chat/sessions/${session}`,
  takes: ["key"],
});

const routes = [
  ["POST", "chat", { message: "Hello" }],
  ["POST", "chat/feedback", { message_id: crypto.randomUUID(), rating: 1 }],
  ["GET", `chat/sessions/${session}/messages`],
  ["DELETE", `chat/sessions/${session}`],
] as const;

for (const [method, path, body] of routes) {
  Deno.test(`${method} ${path} tells a user's token and the project's key to send an agent key`, async () => {
    const { token } = await stack.signUp();
    const credentials: Record<string, string>[] = [
      { authorization: `Bearer ${token}`, apikey: stack.publishableKey },
      { apikey: stack.secretKey },
    ];
    for (const headers of credentials) {
      const response = await fetch(stack.functionUrl(path), {
        method,
        headers: { ...headers, "content-type": "application/json" },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      await assertProblem(response, 403, "forbidden");
    }
  });
}

Deno.test("chat answers only on its own routes", async () => {
  for (const path of ["chat/unknown", "chat/sessions", "chat/sessions/a/b/c", "chat/feedback/1"]) {
    await assertProblem(await fetch(stack.functionUrl(path)), 404, "not_found");
  }
});
