import { assertEquals } from "@std/assert";
import { signUp } from "../sql/people.ts";
import { openDatabase } from "../support/database.ts";
import { atOnce, gather } from "./crowd.ts";

Deno.test("a key stored at once by processes that hash it differently is one row, also while it is encrypted anew", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url, 20);
  const hashes = { a: "a".repeat(64), b: "b".repeat(64) };
  const rows = (user: string) =>
    database.query<{ id: string; secret_id: string; key_hash: string }>(
      "select id, secret_id, key_hash from public.provider_keys where user_id = $1",
      [user],
    );
  const store = (user: string, first: "a" | "b") =>
    crowd.call<{ id: string }>("public.store_provider_key", {
      id: crypto.randomUUID(),
      user_id: user,
      provider: "mistral",
      ciphertext: `v1.${first}.nonce.text`,
      secret_id: first,
      key_hashes: first === "a" ? [hashes.a, hashes.b] : [hashes.b, hashes.a],
      masked_key: "...",
    });
  const raced = await signUp(database);
  const stored = await atOnce(20, (n) => store(raced, n % 2 ? "a" : "b"));
  assertEquals(new Set(stored.map(({ id }) => id)).size, 1);
  assertEquals((await rows(raced)).length, 1);

  const rotated = await signUp(database);
  const { id } = await store(rotated, "a");
  const item = {
    id,
    old_ciphertext: "v1.a.nonce.text",
    ciphertext: "v1.b.other.text",
    secret_id: "b",
    key_hash: hashes.b,
  };
  const outcomes = await atOnce(40, async (n) => {
    if (n % 4 === 0) {
      return await crowd.call<number>("public.reseal_provider_keys", { items: JSON.stringify([item]) });
    }
    return (await store(rotated, n % 2 ? "a" : "b")).id;
  });
  assertEquals(outcomes.filter((outcome) => typeof outcome === "number").sort(), [...Array(9).fill(0), 1]);
  assertEquals(outcomes.filter((outcome) => typeof outcome === "string" && outcome !== id), []);
  assertEquals(await rows(rotated), [{ id, secret_id: "b", key_hash: hashes.b }]);
});
