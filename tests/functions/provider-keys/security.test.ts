import { assertEquals } from "@std/assert";
import { masterKeys, masterKeysText } from "../../support/master-keys.ts";
import { assertProblem, securitySuite } from "../../support/security-suite.ts";
import { startStack } from "../../support/stack.ts";
import { call, list, madeUpSecret, put } from "./fixture.ts";

const stack = await startStack({ env: { PROVIDER_KEY_SECRETS: masterKeysText(masterKeys("1")) } });
Deno.test.afterAll(() => stack.close());

securitySuite(stack, {
  name: "PUT provider-keys",
  method: "PUT",
  path: "provider-keys",
  body: { provider: "mistral", api_key: "a-key-of-mistral-0123" },
  takes: ["user"],
});

securitySuite(stack, {
  name: "GET provider-keys",
  method: "GET",
  path: "provider-keys",
  takes: ["user"],
  also: ["PUT"],
});

securitySuite(stack, {
  name: "DELETE provider-keys/{id}",
  method: "DELETE",
  path: `provider-keys/${crypto.randomUUID()}`,
  takes: ["user"],
});

Deno.test("a user lists and deletes their own keys, and those of nobody else", async () => {
  const [ann, bob] = [await stack.signUp(), await stack.signUp()];
  const mine = await put(stack, ann, { provider: "mistral", api_key: madeUpSecret() });
  assertEquals(await list(stack, bob), []);
  await assertProblem(await call(stack, bob, "DELETE", { id: mine.id }), 404, "not_found");
  for (const id of [crypto.randomUUID(), "x", "%00", "1;drop"]) {
    await assertProblem(await call(stack, ann, "DELETE", { id }), 404, "not_found");
  }
  assertEquals(await list(stack, ann), [mine]);
  const deleted = await call(stack, ann, "DELETE", { id: mine.id });
  assertEquals([deleted.status, await deleted.text()], [204, ""]);
  assertEquals(await list(stack, ann), []);
  await assertProblem(await call(stack, ann, "DELETE", { id: mine.id }), 404, "not_found");
});

Deno.test("over REST a user reads the masked form of their own keys, and nobody reads more", async () => {
  const [ann, member, stranger] = [await stack.signUp(), await stack.signUp(), await stack.signUp()];
  const { id: agentId } = await stack.createAgent(ann.token);
  for (const role of ["owner", "editor"]) {
    await stack.database.query(
      `insert into public.agent_members (agent_id, user_id, role) values ($1, $2, $3)
       on conflict (agent_id, user_id) do update set role = excluded.role`,
      [agentId, member.id, role],
    );
    const key = await put(stack, ann, { provider: "mistral", api_key: madeUpSecret() });
    await stack.client(ann.token).from("agents").update({ provider_key_id: key.id }).eq("id", agentId)
      .throwOnError();
    const read = async (token: string | undefined, columns: string) => {
      const { status, data } = await stack.client(token).from("provider_keys").select(columns).eq(
        "id",
        key.id,
      );
      return { status, data: data as unknown };
    };
    assertEquals((await read(ann.token, "id, masked_key")).data, [{
      id: key.id,
      masked_key: key.masked_key,
    }]);
    for (const { token } of [member, stranger]) assertEquals((await read(token, "id")).data, []);
    assertEquals((await read(undefined, "id")).status, 401);
    for (const column of ["ciphertext", "key_hash", "*"]) {
      for (const { token } of [ann, member, stranger]) {
        const { status, data } = await read(token, column);
        assertEquals([status, data], [403, null], column);
      }
    }
    // A hash cannot be asked about by filters either.
    const { status } = await stack.client(ann.token).from("provider_keys").select("id").like(
      "key_hash",
      "a%",
    );
    assertEquals(status, 403);
  }
});

Deno.test("over REST nobody writes a key, nor calls the functions behind the endpoint", async () => {
  const ann = await stack.signUp();
  const key = await put(stack, ann, { provider: "mistral", api_key: madeUpSecret() });
  const table = () => stack.client(ann.token).from("provider_keys");
  const row = {
    provider: "x",
    ciphertext: "v1.1.a.b",
    secret_id: "1",
    masked_key: "...",
    key_hash: "a".repeat(64),
  };
  assertEquals((await table().insert({ ...row, user_id: ann.id })).status, 403);
  assertEquals((await table().update({ ciphertext: "x" }).eq("id", key.id)).status, 403);
  assertEquals(
    (await table().update({ metadata: { base_url: "http://10.0.0.1" } }).eq("id", key.id)).status,
    403,
  );
  const calls = {
    store_provider_key: { ...row, id: key.id, user_id: ann.id, key_hashes: [row.key_hash] },
    stale_provider_keys: { secret_id: "2" },
    reseal_provider_keys: { items: [] },
  };
  for (const [name, args] of Object.entries(calls)) {
    if ("key_hash" in args) delete (args as Partial<typeof row>).key_hash;
    const { status } = await stack.client(ann.token).rpc(name, args);
    assertEquals(status, 403, name);
  }
});

Deno.test("a user who was deleted has no keys any more, though the token still holds", async () => {
  const ann = await stack.signUp();
  const key = await put(stack, ann, { provider: "mistral", api_key: madeUpSecret() });
  await stack.database.query("update public.users set deleted_at = now() where id = $1", [ann.id]);
  assertEquals(await list(stack, ann), []);
  await assertProblem(await call(stack, ann, "DELETE", { id: key.id }), 404, "not_found");
  const body = { provider: "openai", api_key: madeUpSecret() };
  await assertProblem(await call(stack, ann, "PUT", { body }), 403, "forbidden");
});
