import { assert, assertEquals, assertRejects } from "@std/assert";
import { keyedHashes, type MasterKey, unseal } from "../../../shared/envelope.ts";
import { rotateProviderKeys } from "../../../tasks/rotate-provider-keys.ts";
import { masterKeys, masterKeysText } from "../../support/master-keys.ts";
import { startStack, type TestStack, type TestUser } from "../../support/stack.ts";
import { call, callWith, depsOf, list, madeUpSecret, put } from "./fixture.ts";

const [fresh, old] = masterKeys("new", "old") as [MasterKey, MasterKey];

/** A stack whose functions still encrypt under the old master key. */
const start = () => startStack({ env: { PROVIDER_KEY_SECRETS: masterKeysText([old, fresh]) } });

interface Kept {
  user: TestUser;
  id: string;
  apiKey: string;
}

/** Keys of two users. */
async function keep(stack: TestStack, count: number): Promise<Kept[]> {
  const users = [await stack.signUp(), await stack.signUp()];
  return await Promise.all(Array.from({ length: count }, async (_, n) => {
    const [user, apiKey] = [users[n % 2]!, madeUpSecret()];
    const { id } = await put(stack, user, { provider: "mistral", api_key: apiKey, metadata: { n } });
    return { user, id, apiKey };
  }));
}

/** What a row holds, opened with some master keys. */
async function opened(stack: TestStack, { user, id, apiKey }: Kept, keys: MasterKey[]) {
  const [row] = await stack.database.query<Record<string, string>>(
    "select * from public.provider_keys where id = $1",
    [id],
  );
  const binding = { id, userId: user.id, provider: row!.provider! };
  return {
    secretId: row!.secret_id,
    text: await unseal(row!.ciphertext!, binding, keys),
    isFound: row!.key_hash === (await keyedHashes(apiKey, binding, keys))[0],
  };
}

/** Stores a key by another process, which has these master keys. */
async function putBy(stack: TestStack, keys: MasterKey[], { user, apiKey }: Omit<Kept, "id">, metadata = {}) {
  const request = new Request("http://functions/provider-keys", {
    method: "PUT",
    headers: {
      authorization: `Bearer ${await stack.tokens.withKeyId(user.token)}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ provider: "mistral", api_key: apiKey, metadata }),
  });
  return await (await callWith(depsOf(stack, keys), request)).response.json();
}

Deno.test("rotation encrypts every key under the first master key, in batches, and a second one finds nothing", async () => {
  await using stack = await start();
  const kept = await keep(stack, 7);
  const { rpc } = depsOf(stack, [fresh, old]);
  const rotation = await rotateProviderKeys(rpc, [fresh, old], { batch: 3 });
  assertEquals(rotation, { resealed: 7, changed: 0, unreadable: 0 });
  for (const one of kept) {
    const { apiKey: text } = one;
    assertEquals(await opened(stack, one, [fresh]), { secretId: "new", text, isFound: true });
    // The old master key is not needed any more, neither to open a key nor to find it again.
    assertEquals((await putBy(stack, [fresh], one)).id, one.id);
  }
  assertEquals(await rotateProviderKeys(rpc, [fresh, old]), { resealed: 0, changed: 0, unreadable: 0 });
});

Deno.test("rotation that breaks off goes on where it was", async () => {
  await using stack = await start();
  const kept = await keep(stack, 5);
  const { rpc } = depsOf(stack, [fresh, old]);
  let calls = 0;
  const breaking: typeof rpc = {
    ...rpc,
    resealProviderKeys: (args) =>
      calls++ === 1 ? Promise.reject(new Error("broken")) : rpc.resealProviderKeys(args),
  };
  await assertRejects(() => rotateProviderKeys(breaking, [fresh, old], { batch: 2 }), Error, "broken");
  assertEquals(await rotateProviderKeys(rpc, [fresh, old], { batch: 2 }), {
    resealed: 3,
    changed: 0,
    unreadable: 0,
  });
  for (const one of kept) assertEquals((await opened(stack, one, [fresh])).text, one.apiKey);
});

Deno.test("what is deleted, changed or stored while a batch is under way is as its user left it", async () => {
  await using stack = await start();
  const [deleted, renamed, another] = await keep(stack, 3) as [Kept, Kept, Kept];
  const added = { user: another.user, apiKey: madeUpSecret() };
  const { rpc } = depsOf(stack, [fresh, old]);
  let batches = 0;
  const interrupted: typeof rpc = {
    ...rpc,
    async resealProviderKeys(args) {
      // The one that is added below may come in a batch of its own.
      if (batches++ > 0) return await rpc.resealProviderKeys(args);
      assertEquals(args.items.length, 3);
      assertEquals((await call(stack, deleted.user, "DELETE", { id: deleted.id })).status, 204);
      for (const keys of [[old, fresh], [fresh, old]]) {
        assertEquals((await putBy(stack, keys, renamed, { name: "renamed" })).id, renamed.id);
      }
      await putBy(stack, [old, fresh], added);
      return await rpc.resealProviderKeys(args);
    },
  };
  const rotation = await rotateProviderKeys(interrupted, [fresh, old], { batch: 3 });
  assert(rotation.changed === 1 && rotation.resealed >= 2, JSON.stringify(rotation));
  const again = await rotateProviderKeys(rpc, [fresh, old]);
  assertEquals([rotation.resealed + again.resealed, again.changed, again.unreadable], [3, 0, 0]);
  assertEquals((await opened(stack, renamed, [fresh])).text, renamed.apiKey);
  const told = [...await list(stack, renamed.user), ...await list(stack, another.user)];
  assertEquals(told.filter(({ id }) => id === deleted.id), []);
  assertEquals(told.find(({ id }) => id === renamed.id)?.metadata, { name: "renamed" });
  assertEquals(told.length, 3);
});

Deno.test("users who store and delete keys all the while see neither a twin nor a loss", async () => {
  await using stack = await start();
  const kept = await keep(stack, 12);
  const [staying, leaving] = [kept.slice(0, 8), kept.slice(8)];
  const { rpc } = depsOf(stack, [fresh, old]);
  const [rotation] = await Promise.all([
    rotateProviderKeys(rpc, [fresh, old], { batch: 1 }),
    ...staying.map((one, n) => putBy(stack, n % 2 ? [fresh, old] : [old, fresh], one, { again: n })),
    ...leaving.map(({ user, id }) => call(stack, user, "DELETE", { id })),
  ]);
  assertEquals(rotation.unreadable, 0);
  await rotateProviderKeys(rpc, [fresh, old]);
  const rows = await stack.database.query<{ id: string; again: number }>(
    "select id, (metadata ->> 'again')::integer as again from public.provider_keys order by again",
  );
  assertEquals(rows, staying.map(({ id }, again) => ({ id, again })));
  for (const one of staying) {
    assertEquals(await opened(stack, one, [fresh]), { secretId: "new", text: one.apiKey, isFound: true });
  }
});

Deno.test("a key that cannot be opened is counted and left as it is", async () => {
  await using stack = await start();
  const [good, moved] = await keep(stack, 2) as [Kept, Kept];
  const read = () => stack.database.query("select * from public.provider_keys where id = $1", [moved.id]);
  await stack.database.query(
    "update public.provider_keys set ciphertext = (select ciphertext from public.provider_keys where id = $1) where id = $2",
    [good.id, moved.id],
  );
  const before = await read();
  const { rpc } = depsOf(stack, [fresh, old]);
  for (const resealed of [1, 0]) {
    assertEquals(await rotateProviderKeys(rpc, [fresh, old], { batch: 1 }), {
      resealed,
      changed: 0,
      unreadable: 1,
    });
  }
  assertEquals(await read(), before);
  const [gone] = masterKeys("gone") as [MasterKey];
  assertEquals(await rotateProviderKeys(rpc, [gone], { batch: 1 }), {
    resealed: 0,
    changed: 0,
    unreadable: 2,
  });
});

Deno.test("of two rows with one key, which a process with other master keys had made, both go on", async () => {
  await using stack = await start();
  const [first] = await keep(stack, 1) as [Kept];
  const twin = { ...first, id: (await putBy(stack, [fresh], first)).id as string };
  assert(twin.id !== first.id);
  const { rpc } = depsOf(stack, [fresh, old]);
  assertEquals(await rotateProviderKeys(rpc, [fresh, old]), { resealed: 1, changed: 0, unreadable: 0 });
  for (const one of [first, twin]) assertEquals((await opened(stack, one, [fresh])).text, one.apiKey);
  assertEquals((await putBy(stack, [fresh], first)).id, twin.id);
});

Deno.test("deno task rotate:provider-keys prints counts and nothing else", async () => {
  await using stack = await start();
  const kept = await keep(stack, 3);
  const run = async (env: Record<string, string>) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "rotate:provider-keys"],
      env: {
        SUPABASE_URL: stack.url,
        SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: stack.publishableKey }),
        SUPABASE_SECRET_KEYS: JSON.stringify({ default: stack.secretKey }),
        ...env,
      },
    }).output();
    return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
  };
  const rotate = () => run({ PROVIDER_KEY_SECRETS: masterKeysText([fresh, old]) });
  const counts = (resealed: number, unreadable: number) =>
    `${resealed} keys encrypted anew, 0 deleted or changed meanwhile, ${unreadable} cannot be opened\n`;
  assertEquals(await rotate(), { code: 0, stdout: counts(3, 0), stderr: "" });
  assertEquals(await rotate(), { code: 0, stdout: counts(0, 0), stderr: "" });
  for (const one of kept) assertEquals((await opened(stack, one, [fresh])).text, one.apiKey);
  const lost = await run({ PROVIDER_KEY_SECRETS: masterKeysText(masterKeys("other")) });
  assertEquals(lost, { code: 1, stdout: counts(0, 3), stderr: "" });
  const unset = await run({ PROVIDER_KEY_SECRETS: "" });
  assertEquals([unset.code, unset.stdout], [1, ""]);
  assert(unset.stderr.includes("PROVIDER_KEY_SECRETS is not set"), unset.stderr);
});
