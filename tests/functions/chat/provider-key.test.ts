import { assert, assertEquals } from "@std/assert";
import { masterKeys, masterKeysText } from "../../support/master-keys.ts";
import { startModelServer } from "../../support/model-server.ts";
import { assertProblem } from "../../support/security-suite.ts";
import { startStack } from "../../support/stack.ts";
import { call, madeUpSecret, put } from "../provider-keys/fixture.ts";

const lines: string[] = [];
const models = startModelServer();
const stack = await startStack({
  env: {
    OPENAI_API_KEY: "sk-of-the-installation",
    OPENAI_BASE_URL: models.url,
    VANCHIN_BASE_URL: models.url,
    PROVIDER_KEY_SECRETS: masterKeysText(masterKeys("1")),
  },
  write: (line) => lines.push(line),
});
Deno.test.afterAll(async () => {
  await stack.close();
  await models.close();
});

/** An agent of a new owner that answers by `model` with a provider key of its own. */
async function agentWith(provider: string, model: string, metadata: Record<string, unknown> = {}) {
  const owner = await stack.signUp();
  const secret = madeUpSecret();
  const providerKey = await put(stack, owner, { provider, api_key: secret, metadata });
  const { id } = await stack.createAgent(owner.token, {
    model,
    provider_key_id: providerKey.id,
    rag_enabled: false,
  });
  const { key } = await stack.createKey(owner.token, id);
  const ask = () =>
    fetch(stack.functionUrl("chat"), {
      method: "POST",
      headers: { "x-api-key": key, "content-type": "application/json" },
      body: JSON.stringify({ message: "Hello" }),
    });
  return { id, owner, secret, providerKey, ask };
}

const ledger = (agentId: string) =>
  stack.database.query(
    "select provider, model, status, error_code from public.usage_logs where agent_id = $1 order by id",
    [agentId],
  );
const sentTo = (model: string) =>
  models.calls.filter((each) => each.model === model).map(({ authorization }) => authorization);

Deno.test("an agent answers with its own provider key, and with the installation's once that is deleted", async () => {
  const agent = await agentWith("openai", "openai/own-1");
  const answer = await (await agent.ask()).json();
  assertEquals([answer.answer, answer.provider, answer.model], ["Fine.", "openai", "own-1"]);
  assertEquals((await call(stack, agent.owner, "DELETE", { id: agent.providerKey.id })).status, 204);
  assertEquals((await (await agent.ask()).json()).answer, "Fine.");
  assertEquals(sentTo("own-1"), [`Bearer ${agent.secret}`, "Bearer sk-of-the-installation"]);
});

Deno.test("a provider key serves the models of its own provider alone", async () => {
  const agent = await agentWith("mistral", "openai/own-2");
  assertEquals((await agent.ask()).status, 200);
  assertEquals(sentTo("own-2"), ["Bearer sk-of-the-installation"]);
});

Deno.test("a key of vanchin answers by its endpoint, and without it there is no answer", async () => {
  const agent = await agentWith("vanchin", "vanchin/shop", { endpoint_id: "ep-3" });
  const answer = await (await agent.ask()).json();
  assertEquals([answer.provider, answer.model], ["vanchin", "ep-3"]);
  assertEquals(sentTo("ep-3"), [`Bearer ${agent.secret}`]);
  await call(stack, agent.owner, "DELETE", { id: agent.providerKey.id });
  await assertProblem(await agent.ask(), 503, "provider_not_configured");
  assertEquals(await ledger(agent.id), [
    { provider: "vanchin", model: "ep-3", status: "completed", error_code: null },
    { provider: "vanchin", model: "shop", status: "failed", error_code: "provider_not_configured" },
  ]);
});

Deno.test("a key that cannot be opened ends the turn; nobody else's key stands in", async () => {
  const [agent, other] = [
    await agentWith("openai", "openai/own-4"),
    await agentWith("openai", "openai/own-4"),
  ];
  await stack.database.query(
    `update public.provider_keys set ciphertext = (select ciphertext from public.provider_keys where id = $1)
     where id = $2`,
    [other.providerKey.id, agent.providerKey.id],
  );
  await assertProblem(await agent.ask(), 503, "provider_not_configured");
  assertEquals(sentTo("own-4"), []);
});

Deno.test("a server of the user's own is not called at a private address, whatever name it has", async () => {
  const agent = await agentWith("shop-models", "shop-models/own-5", {
    base_url: "https://models.example/v1",
  });
  // As if they had been stored before such addresses were refused.
  for (const base_url of ["https://localhost./v1", models.url, models.url.replace("http:", "https:")]) {
    await stack.database.query("update public.provider_keys set metadata = $2 where id = $1", [
      agent.providerKey.id,
      JSON.stringify({ base_url }),
    ]);
    await assertProblem(await agent.ask(), 502, "provider_failed");
  }
  assertEquals(sentTo("own-5"), []);
});

Deno.test("no provider key is logged, also when its provider refuses it", async () => {
  models.play("own-6", { status: 401 });
  const agent = await agentWith("openai", "openai/own-6");
  await assertProblem(await agent.ask(), 502, "provider_failed");
  assertEquals(sentTo("own-6")[0], `Bearer ${agent.secret}`);
  assert(lines.some((line) => line.includes("provider_failed")), "the fault is logged");
  const secrets = models.calls.map(({ authorization }) => authorization?.slice("Bearer ".length) ?? "");
  assert(secrets.includes(agent.secret));
  for (const line of lines) {
    assertEquals(secrets.filter((secret) => line.includes(secret)), [], line);
    assert(!/v1\.1\.[\w-]+\./.test(line), line);
  }
});
