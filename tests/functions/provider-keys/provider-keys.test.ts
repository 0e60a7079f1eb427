import { assert, assertEquals, assertMatch } from "@std/assert";
import { maskKey } from "../../../functions/provider-keys/mask.ts";
import { keyedHashes, unseal } from "../../../shared/envelope.ts";
import { masterKeys, masterKeysText } from "../../support/master-keys.ts";
import { assertProblem, contents } from "../../support/security-suite.ts";
import { startStack, type TestUser } from "../../support/stack.ts";
import { call, callWith, depsOf, list, madeUpSecret, put } from "./fixture.ts";

const keys = masterKeys("2026-11", "2026-01");
const stack = await startStack({ env: { PROVIDER_KEY_SECRETS: masterKeysText(keys) } });
Deno.test.afterAll(() => stack.close());

const rows = (user: TestUser) =>
  stack.database.query<Record<string, string>>(
    "select * from public.provider_keys where user_id = $1 order by created_at, id",
    [user.id],
  );

Deno.test("a key is kept encrypted and bound to its row, and shown masked", async () => {
  const ann = await stack.signUp();
  const api_key = "WW8GMBSTec-abcdefghijklmnopqrstuvwxyz-T9g";
  const metadata = { agent_name: "Agent 1", endpoint_id: "ep-1", description: "Chat" };
  const told = await put(stack, ann, { provider: "vanchin", api_key, metadata });
  const { id, created_at, ...rest } = told;
  assertEquals(rest, { provider: "vanchin", masked_key: "WW8G...T9g", metadata });
  assertEquals(Number.isNaN(Date.parse(created_at)), false);
  const [row] = await rows(ann);
  assertMatch(row!.ciphertext!, /^v1\.2026-11\.[\w-]+\.[\w-]+$/);
  assertEquals([row!.id, row!.secret_id], [id, "2026-11"]);
  const binding = { id, userId: ann.id, provider: "vanchin" };
  assertEquals(await unseal(row!.ciphertext!, binding, keys), api_key);
  assertEquals(row!.key_hash, (await keyedHashes(api_key, binding, keys))[0]);
  assert(!JSON.stringify(row).includes(api_key));
});

Deno.test("the same key again is the same row with new metadata; another key is another row", async () => {
  const [ann, bob] = [await stack.signUp(), await stack.signUp()];
  const api_key = madeUpSecret();
  const first = await put(stack, ann, { provider: "mistral", api_key, metadata: { name: "one" } });
  const [before] = await rows(ann);
  assertEquals(await put(stack, ann, { provider: "mistral", api_key, metadata: { name: "one" } }), first);
  const renamed = await put(stack, ann, { provider: "mistral", api_key, metadata: { name: "two" } });
  assertEquals(renamed, { ...first, metadata: { name: "two" } });
  assertEquals((await put(stack, ann, { provider: "mistral", api_key })).metadata, {});
  const [after] = await rows(ann);
  assertEquals([after!.ciphertext, after!.key_hash], [before!.ciphertext, before!.key_hash]);
  const others = [
    await put(stack, ann, { provider: "openai", api_key }),
    await put(stack, ann, { provider: "mistral", api_key: `${api_key}x` }),
    await put(stack, bob, { provider: "mistral", api_key }),
  ];
  assertEquals(new Set([first, ...others].map(({ id }) => id)).size, 4);
  const hashes = [...await rows(ann), ...await rows(bob)].map(({ key_hash }) => key_hash);
  assertEquals(new Set(hashes).size, 4);
  assertEquals(
    (await list(stack, ann)).map(({ id }) => id),
    [first, others[0]!, others[1]!].map(({ id }) => id),
  );
});

Deno.test("ten requests with one key at once keep one row", async () => {
  const ann = await stack.signUp();
  const body = { provider: "mistral", api_key: madeUpSecret() };
  const told = await Promise.all(Array.from({ length: 10 }, () => put(stack, ann, body)));
  assertEquals(new Set(told.map(({ id }) => id)).size, 1);
  assertEquals((await rows(ann)).length, 1);
});

Deno.test("a key is found again by a process whose first master key is another", async () => {
  const ann = await stack.signUp();
  const body = { provider: "mistral", api_key: madeUpSecret() };
  const first = await put(stack, ann, body);
  const request = new Request("http://functions/provider-keys", {
    method: "PUT",
    headers: {
      authorization: `Bearer ${await stack.tokens.withKeyId(ann.token)}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(body),
  });
  const { response } = await callWith(depsOf(stack, keys.toReversed()), request);
  assertEquals(await response.json(), first);
  assertEquals((await rows(ann)).map(({ secret_id }) => secret_id), ["2026-11"]);
});

Deno.test("vanchin takes several keys, each with its endpoint", async () => {
  const ann = await stack.signUp();
  for (let agent = 1; agent <= 14; agent++) {
    const metadata = { agent_name: `Agent ${agent}`, endpoint_id: `ep-${agent}` };
    await put(stack, ann, { provider: "vanchin", api_key: madeUpSecret(), metadata });
  }
  const told = await list(stack, ann);
  assertEquals(
    told.map(({ metadata }) => metadata.endpoint_id),
    Array.from({ length: 14 }, (_, n) => `ep-${n + 1}`),
  );
});

Deno.test("the mask shows seven characters of a long key and none of a short one", () => {
  assertEquals(maskKey("WW8G0123456789T9g"), "WW8G...T9g");
  assertEquals(maskKey("abcdefghijklmnop"), "abcd...nop");
  for (const short of ["a", "abcdefg", "abcdefghijklmno"]) assertEquals(maskKey(short), "...");
});

const good = { provider: "mistral", api_key: "a-key-of-mistral-0123" };
const custom = (base_url: unknown) => ({ ...good, provider: "groq", metadata: { base_url } });
const vanchin = (metadata?: unknown) => ({ ...good, provider: "vanchin", metadata });
const bad: Record<string, [body: unknown, path: string]> = {
  "no provider": [{ api_key: "k" }, "provider"],
  "a provider in capitals": [{ ...good, provider: "Mistral" }, "provider"],
  "a provider with a slash": [{ ...good, provider: "a/b" }, "provider"],
  "a provider of 65 letters": [{ ...good, provider: "a".repeat(65) }, "provider"],
  "the offline model's provider": [{ ...good, provider: "local" }, "provider"],
  "no key": [{ provider: "mistral" }, "api_key"],
  "an empty key": [{ ...good, api_key: "" }, "api_key"],
  "a key with a space": [{ ...good, api_key: "two words" }, "api_key"],
  "a key with a line break": [{ ...good, api_key: "key\r\nx-evil: 1" }, "api_key"],
  "a key that is not ASCII": [{ ...good, api_key: "clé" }, "api_key"],
  "a key of 1001 characters": [{ ...good, api_key: "k".repeat(1001) }, "api_key"],
  "a key that is a number": [{ ...good, api_key: 7 }, "api_key"],
  "metadata that is a text": [{ ...good, metadata: "x" }, "metadata"],
  "metadata with NUL": [{ ...good, metadata: { name: "a\0" } }, "metadata"],
  "metadata beyond 16 KiB": [{ ...good, metadata: { text: "x".repeat(16 * 1024) } }, "metadata"],
  "vanchin without metadata": [vanchin(), "metadata.endpoint_id"],
  "vanchin without an endpoint": [vanchin({ agent_name: "Agent 1" }), "metadata.endpoint_id"],
  "vanchin with an empty endpoint": [vanchin({ endpoint_id: "" }), "metadata.endpoint_id"],
  "vanchin with an endpoint that is a number": [vanchin({ endpoint_id: 1 }), "metadata.endpoint_id"],
  "vanchin at a private address": [
    vanchin({ endpoint_id: "e", base_url: "https://10.0.0.1" }),
    "metadata.base_url",
  ],
  "a provider of the user's own without a server": [custom(undefined), "metadata.base_url"],
  "a server that is no URL": [custom("models.example"), "metadata.base_url"],
  "a server that is a number": [custom(7), "metadata.base_url"],
  "a server without TLS": [custom("http://models.example/v1"), "metadata.base_url"],
  "a server on loopback": [custom("https://127.0.0.1/v1"), "metadata.base_url"],
  "a server on loopback, in hexadecimal": [custom("https://0x7f000001/v1"), "metadata.base_url"],
  "a server on mapped loopback": [custom("https://[::ffff:127.0.0.1]/v1"), "metadata.base_url"],
  "a server by a local name": [custom("https://localhost./v1"), "metadata.base_url"],
  "the metadata address": [custom("https://169.254.169.254/latest"), "metadata.base_url"],
  "a server with a password": [custom("https://user:word@models.example/v1"), "metadata.base_url"],
  "a server with a query": [custom("https://models.example/v1?x=1"), "metadata.base_url"],
  "a server with a fragment": [custom("https://models.example/v1#x"), "metadata.base_url"],
  "a vendor at a private address": [
    { ...good, metadata: { base_url: "https://192.168.0.1" } },
    "metadata.base_url",
  ],
};

for (const [what, [body, path]] of Object.entries(bad)) {
  Deno.test(`provider-keys refuses ${what} and stores nothing`, async () => {
    const ann = await stack.signUp();
    const before = await contents(stack);
    const problem = await assertProblem(await call(stack, ann, "PUT", { body }), 422, "validation_failed");
    assertEquals((problem.errors as { path: string }[]).map((error) => error.path), [path]);
    assertEquals(await contents(stack), before);
  });
}

Deno.test("metadata that is too large only as the database writes it is refused as well", async () => {
  const ann = await stack.signUp();
  const metadata = Object.fromEntries(Array.from({ length: 1650 }, (_, n) => [`k${n}`, 1]));
  assert(JSON.stringify(metadata).length <= 16 * 1024);
  await assertProblem(
    await call(stack, ann, "PUT", { body: { ...good, metadata } }),
    422,
    "validation_failed",
  );
  assertEquals(await rows(ann), []);
});

Deno.test("a user keeps at most 100 keys; one they have can still be changed", async () => {
  const ann = await stack.signUp();
  const kept = await put(stack, ann, good);
  await stack.database.query(
    `insert into public.provider_keys (user_id, provider, ciphertext, secret_id, key_hash, masked_key)
     select $1, 'mistral', 'c2VhbGVk', '1', lpad(n::text, 64, '0'), '...' from generate_series(1, 99) n`,
    [ann.id],
  );
  const body = { ...good, api_key: madeUpSecret() };
  await assertProblem(await call(stack, ann, "PUT", { body }), 429, "quota_exceeded");
  assertEquals((await put(stack, ann, { ...good, metadata: { name: "kept" } })).id, kept.id);
});

Deno.test("deleting a key leaves its agents without one, also those that are hidden", async () => {
  const ann = await stack.signUp();
  const { id } = await put(stack, ann, good);
  for (const hidden of [false, true]) {
    const agent = await stack.createAgent(ann.token, { provider_key_id: id });
    if (hidden) await stack.client(ann.token).from("agents").delete().eq("id", agent.id).throwOnError();
  }
  assertEquals((await call(stack, ann, "DELETE", { id })).status, 204);
  const agents = await stack.database.query(
    "select provider_key_id, deleted_at is not null as hidden from public.agents where owner_id = $1 order by hidden",
    [ann.id],
  );
  assertEquals(agents, [false, true].map((hidden) => ({ provider_key_id: null, hidden })));
});

Deno.test("without PROVIDER_KEY_SECRETS no key is kept; those that are can be seen and deleted", async () => {
  await using bare = await startStack();
  const ann = await bare.signUp();
  await assertProblem(await call(bare, ann, "PUT", { body: good }), 503, "provider_not_configured");
  assertEquals(await list(bare, ann), []);
  await assertProblem(await call(bare, ann, "DELETE", { id: crypto.randomUUID() }), 404, "not_found");
});

Deno.test("a key is never logged and never told, whatever goes wrong", async () => {
  const ann = await stack.signUp();
  const api_key = madeUpSecret();
  const deps = depsOf(stack, keys);
  const authorization = `Bearer ${await stack.tokens.withKeyId(ann.token)}`;
  const bodies = [
    JSON.stringify({ ...good, api_key }),
    JSON.stringify({ ...good, api_key: `${api_key} ` }),
    JSON.stringify({ provider: api_key.toUpperCase(), api_key }),
    JSON.stringify({ ...good, api_key }).slice(0, -1),
    JSON.stringify({ ...good, api_key: [api_key] }),
  ];
  const faults = [
    {},
    { storeProviderKey: () => Promise.reject(new Error(`Cannot run: Bearer ${api_key}`)) },
    { storeProviderKey: (args: object) => Promise.reject(new SyntaxError(JSON.stringify(args))) },
  ];
  const told: string[] = [];
  for (const fault of faults) {
    for (const body of bodies) {
      const request = new Request("http://functions/provider-keys", {
        method: "PUT",
        headers: { authorization, "content-type": "application/json" },
        body,
      });
      const { response, lines } = await callWith(deps, request, fault);
      told.push(await response.text(), JSON.stringify([...response.headers]), ...lines);
    }
  }
  assert(told.some((text) => text.includes("request_failed")), "the faults are logged");
  for (const text of told) {
    assert(!text.toLowerCase().includes(api_key.slice(4)), text);
    assert(!/v1\.2026-11\.|[0-9a-f]{64}/.test(text), text);
  }
});
