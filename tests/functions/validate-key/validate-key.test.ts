import { assert, assertEquals } from "@std/assert";
import { assertProblem, securitySuite } from "../../support/security-suite.ts";
import { startStack } from "../../support/stack.ts";

const stack = await startStack();
Deno.test.afterAll(() => stack.close());

securitySuite(stack, {
  name: "validate-key",
  method: "POST",
  path: "validate-key",
  body: {},
  takes: ["key"],
  emptyBody: true,
  badKey: "result",
});

const validate = (headers: Record<string, string>, body?: unknown) =>
  fetch(stack.functionUrl("validate-key"), {
    method: "POST",
    headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

async function keyOf(instructions = "Answer politely.") {
  const user = await stack.signUp();
  const agent = await stack.createAgent(user.token, { instructions, model: "local/extractive" });
  return { user, agent, ...await stack.createKey(user.token, agent.id, { scopes: ["chat", "read"] }) };
}

Deno.test("validate-key answers what a key opens, from a header or the body", async () => {
  const { key, id, agent } = await keyOf();
  const calls: [Record<string, string>, unknown?][] = [
    [{ authorization: `Bearer ${key}` }],
    [{ "x-api-key": key }],
    [{}, { key }],
    [{ "x-api-key": key, apikey: stack.publishableKey }, { key }],
  ];
  for (const [headers, body] of calls) {
    const response = await validate(headers, body);
    const { quota, ...rest } = await response.json();
    assertEquals(response.status, 200);
    assertEquals(rest, {
      valid: true,
      key_id: id,
      name: "test",
      agent_id: agent.id,
      agent_name: agent.name,
      model_id: "local/extractive",
      rag_enabled: true,
      scopes: ["chat", "read"],
      expires_at: null,
      limits: { requests_per_minute: 60 },
    });
    assertEquals(Object.keys(quota).sort(), ["agents", "documents", "messages", "tokens"]);
    assertEquals([quota.messages.used, quota.messages.reserved, quota.agents.used], [0, 0, 1]);
    assert(quota.messages.limit > 0 && Date.parse(quota.messages.resets_at) > Date.now());
  }
});

Deno.test("validate-key spends no limit", async () => {
  const { user, agent } = await keyOf();
  const { key } = await stack.createKey(user.token, agent.id, { requests_per_minute: 1 });
  for (let call = 0; call < 3; call++) {
    assertEquals((await (await validate({ "x-api-key": key })).json()).valid, true);
  }
});

Deno.test("validate-key shows the system prompt to the project and the owner, and to nobody else", async () => {
  const { key, user } = await keyOf("Never say no.");
  const shown = await (await validate({ apikey: stack.secretKey }, { key })).json();
  assert(shown.system_prompt.includes("Never say no."));
  const own = await (await validate({ authorization: `Bearer ${user.token}`, "x-api-key": key })).json();
  assert(own.system_prompt.includes("Never say no."));
  const stranger = await stack.signUp();
  for (
    const headers of [{}, { authorization: `Bearer ${stranger.token}` }, { apikey: stack.publishableKey }]
  ) {
    const answer = await (await validate(headers as Record<string, string>, { key })).json();
    assertEquals([answer.valid, "system_prompt" in answer], [true, false]);
  }
});

Deno.test("validate-key refuses a wrong credential of the asker and two different keys", async () => {
  const [a, b] = [await keyOf(), await keyOf()];
  await assertProblem(
    await validate({ apikey: "sb_secret_wrong" }, { key: a.key }),
    401,
    "invalid_credential",
  );
  await assertProblem(
    await validate({ authorization: "Bearer eyJ.x.y" }, { key: a.key }),
    401,
    "invalid_credential",
  );
  await assertProblem(await validate({ "x-api-key": a.key }, { key: b.key }), 401, "invalid_credential");
  await assertProblem(await validate({ apikey: stack.secretKey }), 401, "missing_credential");
});

Deno.test("validate-key answers a text that is no key with malformed, and what is no text with 422", async () => {
  const malformed = async (headers: Record<string, string>, body?: unknown) => {
    const response = await validate(headers, body);
    assertEquals([response.status, await response.json()], [200, { valid: false, code: "malformed" }]);
  };
  for (const key of ["hello", "", "ak_\0", "ak_\ud800", "x".repeat(5000)]) await malformed({}, { key });
  await malformed({ authorization: "Bearer garbage" });
  await malformed({ authorization: "Bearer garbage", apikey: stack.publishableKey });
  await malformed({ "x-api-key": "garbage" });
  await assertProblem(await validate({}, { key: 7 }), 422, "validation_failed");
});

Deno.test("validate-key tells the reason for a browser key by its origin", async () => {
  const { user, agent } = await keyOf();
  const { key } = await stack.createKey(user.token, agent.id, { allowed_origins: ["https://shop.example"] });
  const from = async (origin: string) => await (await validate({ "x-api-key": key, origin })).json();
  assertEquals((await from("https://shop.example")).valid, true);
  assertEquals(await from("https://evil.example"), { valid: false, code: "origin_not_allowed" });
});
