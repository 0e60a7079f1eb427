import { assertEquals } from "@std/assert";
import type { TestSession } from "../support/database.ts";
import { refusal, service, signUp, value } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";

const key = (userId: string, more: Record<string, unknown> = {}) => ({
  id: crypto.randomUUID(),
  user_id: userId,
  provider: "mistral",
  ciphertext: "v1.a.b.c",
  secret_id: "a",
  key_hashes: ["a".repeat(64), "b".repeat(64)],
  masked_key: "WW8G...T9g",
  ...more,
});

function call<T = Record<string, unknown>>(
  session: TestSession,
  name: string,
  args: Record<string, unknown>,
) {
  const list = Object.keys(args).map((argument, n) => `${argument} => $${n + 1}`).join(", ");
  return value<T>(session, service, `public.${name}(${list})`, Object.values(args));
}

const store = (session: TestSession, args: Record<string, unknown>) =>
  call(session, "store_provider_key", args);

rolledBack(
  "a key is found again by any of its hashes, and keeps the one it was stored with",
  async (session) => {
    const ann = await signUp(session);
    const { id } = await store(session, key(ann));
    const again = { ciphertext: "v1.b.b.c", secret_id: "b", key_hashes: ["b".repeat(64), "a".repeat(64)] };
    assertEquals((await store(session, key(ann, { ...again, metadata: { n: 1 } }))).id, id);
    const rows = await session.query(
      "select ciphertext, secret_id, key_hash, metadata from public.provider_keys",
    );
    assertEquals(rows, [{
      ciphertext: "v1.a.b.c",
      secret_id: "a",
      key_hash: "a".repeat(64),
      metadata: { n: 1 },
    }]);
  },
);

rolledBack("a key of wrong form, or of nobody, is refused and not stored", async (session) => {
  const ann = await signUp(session);
  const gone = await signUp(session);
  await session.query("update public.users set deleted_at = now() where id = $1", [gone]);
  const faults: [Record<string, unknown>, string][] = [
    [key(ann, { provider: "Mistral" }), "PT422 validation_failed"],
    [key(ann, { provider: null }), "PT422 validation_failed"],
    [key(ann, { ciphertext: "" }), "PT422 validation_failed"],
    [key(ann, { key_hashes: [] }), "PT422 validation_failed"],
    [key(ann, { key_hashes: null }), "PT422 validation_failed"],
    [key(ann, { key_hashes: ["secret"] }), "PT422 validation_failed"],
    [key(ann, { masked_key: "x".repeat(21) }), "PT422 validation_failed"],
    [key(ann, { metadata: "[]" }), "PT422 validation_failed"],
    [key(ann, { metadata: null }), "PT422 validation_failed"],
    [key(gone), "PT403 forbidden"],
    [key(crypto.randomUUID()), "PT403 forbidden"],
  ];
  for (const [args, fault] of faults) {
    assertEquals(await refusal(store(session, args)), fault, JSON.stringify(args));
  }
  assertEquals(await session.query("select id from public.provider_keys"), []);
});

rolledBack(
  "stale keys come in the order of their ids, behind the one given, and not more than asked for",
  async (session) => {
    const ann = await signUp(session);
    const ids: string[] = [];
    for (const digit of ["1", "2", "3"]) {
      const { id } = await store(session, key(ann, { key_hashes: [digit.repeat(64)] }));
      ids.push(String(id));
    }
    ids.sort();
    await store(session, key(ann, { key_hashes: ["4".repeat(64)], secret_id: "b" }));
    const stale = async (args: Record<string, unknown>) =>
      (await call<{ id: string }[]>(session, "stale_provider_keys", args)).map(({ id }) => id);
    assertEquals(await stale({ secret_id: "b" }), ids);
    assertEquals(await stale({ secret_id: "b", max_items: 2 }), ids.slice(0, 2));
    assertEquals(await stale({ secret_id: "b", after: ids[0], max_items: 1 }), [ids[1]!]);
    assertEquals((await stale({ secret_id: "a" })).length, 1);
    for (const max_items of [0, -1, 1001, null]) {
      assertEquals(await refusal(stale({ secret_id: "b", max_items })), "PT422 validation_failed");
    }
    assertEquals(await refusal(stale({ secret_id: null })), "PT422 validation_failed");
  },
);
