import { assert, assertEquals, assertMatch } from "@std/assert";
import { assertProblem, securitySuite } from "../../support/security-suite.ts";
import { startStack } from "../../support/stack.ts";

const stack = await startStack();
Deno.test.afterAll(() => stack.close());

securitySuite(stack, {
  name: "rate-check",
  method: "POST",
  path: "rate-check",
  body: { key: "suite", max_requests: 1000000, window_seconds: 60 },
  takes: ["key", "secret"],
  scope: "read",
});

const check = (headers: Record<string, string>, body: Record<string, unknown>) =>
  fetch(stack.functionUrl("rate-check"), {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ key: crypto.randomUUID(), max_requests: 3, window_seconds: 60, ...body }),
  });
const secret = { apikey: stack.secretKey };

async function readKey() {
  const { token } = await stack.signUp();
  const agent = await stack.createAgent(token);
  return (await stack.createKey(token, agent.id, { scopes: ["read"] })).key;
}

Deno.test("rate-check counts up to the limit, then refuses with the wait, as an answer", async () => {
  const key = crypto.randomUUID();
  const answers = [];
  for (let call = 0; call < 4; call++) {
    const response = await check(secret, { key });
    assertEquals(response.status, 200);
    answers.push(await response.json());
  }
  assertEquals(answers.map(({ allowed, count, remaining, limit }) => [allowed, count, remaining, limit]), [
    [true, 1, 2, 3],
    [true, 2, 1, 3],
    [true, 3, 0, 3],
    [false, 3, 0, 3],
  ]);
  assert(answers[3].retry_after > 0 && answers[3].retry_after <= 60);
  assert(answers[0].retry_after === 0);
  assertEquals(Object.keys(answers[0]).sort(), [
    "allowed",
    "count",
    "limit",
    "remaining",
    "reset_at",
    "retry_after",
  ]);
});

Deno.test("rate-check sends the limit headers", async () => {
  const response = await check(secret, { max_requests: 10, cost: 4 });
  assertEquals((await response.json()).remaining, 6);
  assertEquals(response.headers.get("ratelimit-policy"), '"bucket";q=10;w=60');
  assertMatch(response.headers.get("ratelimit")!, /^"bucket";r=6;t=\d+$/);
  assertEquals(response.headers.get("x-ratelimit-remaining-requests"), "6");
});

Deno.test("rate-check takes a cost all or nothing", async () => {
  const key = crypto.randomUUID();
  await (await check(secret, { key, cost: 2 })).body?.cancel();
  const refused = await (await check(secret, { key, cost: 2 })).json();
  assertEquals([refused.allowed, refused.count], [false, 2]);
  assertEquals((await (await check(secret, { key, cost: 1 })).json()).allowed, true);
});

Deno.test("rate-check blocks for the time asked", async () => {
  const key = crypto.randomUUID();
  await (await check(secret, { key, max_requests: 1 })).body?.cancel();
  const refused = await (await check(secret, { key, max_requests: 1, block_seconds: 500 }))
    .json();
  assertEquals(refused.allowed, false);
  assert(refused.retry_after > 400, `waits ${refused.retry_after} s`);
});

Deno.test("rate-check gives each key buckets of its own, apart from the project's", async () => {
  const [a, b] = [await readKey(), await readKey()];
  const body = { key: "same name", max_requests: 1 };
  for (const headers of [{ "x-api-key": a }, { "x-api-key": b }, secret] as Record<string, string>[]) {
    assertEquals((await (await check(headers, body)).json()).allowed, true);
    assertEquals((await (await check(headers, body)).json()).allowed, false);
  }
});

Deno.test("rate-check refuses nonsense with 422", async () => {
  const wrong: Record<string, unknown>[] = [
    { key: "" },
    { key: "a\0b" },
    { key: "\ud800" },
    { key: "x".repeat(201) },
    { max_requests: 0 },
    { max_requests: -1 },
    { max_requests: 1.5 },
    { max_requests: null },
    { max_requests: "3" },
    { window_seconds: 0 },
    { window_seconds: 1e9 },
    { cost: 0 },
    { cost: 4 },
    { block_seconds: -1 },
  ];
  for (const body of wrong) {
    const { errors } = await assertProblem(await check(secret, body), 422, "validation_failed");
    assertEquals((errors as { path: string }[])[0]!.path, Object.keys(body)[0]);
  }
});
