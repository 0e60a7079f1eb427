import fc from "fast-check";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type Binding, keyedHashes, seal, unseal } from "../../shared/envelope.ts";
import { masterKeys } from "../support/master-keys.ts";

const keys = masterKeys("new", "old");
const binding = fc.record({ userId: fc.string(), provider: fc.string(), id: fc.string() });
// What UTF-8 can carry.
const text = fc.string({ unit: "binary" }).filter((value) => value.isWellFormed());

Deno.test("an envelope opens to what was sealed, and its form is version, key, nonce and ciphertext", async () => {
  await fc.assert(fc.asyncProperty(text, binding, async (secret, place) => {
    const envelope = await seal(secret, place, keys);
    assertMatch(envelope, /^v1\.new\.[\w-]{16}\.[\w-]{22,}$/);
    assertEquals(await unseal(envelope, place, keys), secret);
  }));
});

Deno.test("two envelopes of one text have nothing in common", async () => {
  const place = { userId: "u", provider: "mistral", id: "1" };
  const [one, two] = [await seal("secret", place, keys), await seal("secret", place, keys)];
  assertEquals(one.split(".").filter((part) => two.split(".").includes(part)), ["v1", "new"]);
});

Deno.test("an envelope moved to another owner, provider or row does not open", async () => {
  await fc.assert(fc.asyncProperty(binding, binding, async (place, other) => {
    fc.pre(JSON.stringify(place) !== JSON.stringify(other));
    const envelope = await seal("secret", place, keys);
    for (const member of ["userId", "provider", "id"] as const) {
      const moved: Binding = { ...place, [member]: other[member] };
      if (moved[member] !== place[member]) await assertRejects(() => unseal(envelope, moved, keys));
    }
    await assertRejects(() => unseal(envelope, other, keys));
  }));
});

Deno.test("what stands in one part of a binding is not taken for another's", async () => {
  const envelope = await seal("secret", { userId: "a", provider: "b", id: "c" }, keys);
  for (
    const [userId, provider, id] of [["ab", "", "c"], ["a", "bc", ""], ["", "ab", "c"], ['a","b', "", "c"]]
  ) {
    await assertRejects(() => unseal(envelope, { userId: userId!, provider: provider!, id: id! }, keys));
  }
});

Deno.test("an envelope with a flipped bit does not open, whichever bit it is", async () => {
  const place = { userId: "u", provider: "mistral", id: "1" };
  const envelope = await seal("sk-secret", place, keys);
  assertEquals(await unseal(envelope, place, keys), "sk-secret");
  const bytes = new TextEncoder().encode(envelope);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = bytes.with(bit >> 3, bytes[bit >> 3]! ^ (1 << (bit & 7)));
    const spoiled = new TextDecoder().decode(changed);
    await assertRejects(() => unseal(spoiled, place, keys), Error, "Cannot open an envelope", `bit ${bit}`);
  }
});

Deno.test("an envelope opens by the key it names, wherever that stands, and by no other", async () => {
  const place = { userId: "u", provider: "mistral", id: "1" };
  const envelope = await seal("secret", place, keys);
  assertEquals(await unseal(envelope, place, keys.toReversed()), "secret");
  await assertRejects(() => unseal(envelope, place, keys.slice(1)), Error, "is not configured");
  await assertRejects(() => unseal(envelope, place, []), Error, "is not configured");
  await assertRejects(() => unseal(envelope, place, masterKeys("new")), Error, "it was changed");
  await assertRejects(() => unseal(envelope.replace("new", "old"), place, keys), Error, "it was changed");
  await assertRejects(() => seal("secret", place, []), Error, "there is none");
});

Deno.test("what is no envelope is refused by name", async () => {
  const place = { userId: "u", provider: "mistral", id: "1" };
  for (const junk of ["", "secret", "v1.new.AAAA", "v2.new.AAAA.AAAA", "v1.new.AA+A.AAAA", "v1.new.A.B.C"]) {
    await assertRejects(() => unseal(junk, place, keys), Error, "its form is unknown", junk);
  }
});

Deno.test("a keyed hash finds the same text of one owner and provider, and tells nothing across them", async () => {
  const place = { userId: "u", provider: "mistral" };
  const hashes = await keyedHashes("secret", place, keys);
  assertEquals(hashes, await keyedHashes("secret", place, keys));
  assertEquals(hashes.toReversed(), await keyedHashes("secret", place, keys.toReversed()));
  hashes.forEach((hash) => assertMatch(hash, /^[0-9a-f]{64}$/));
  const others = await Promise.all([
    keyedHashes("secret ", place, keys),
    keyedHashes("secret", { ...place, userId: "v" }, keys),
    keyedHashes("secret", { ...place, provider: "openai" }, keys),
    keyedHashes("secret", place, masterKeys("new", "old")),
  ]);
  const all = [hashes, ...others].flat();
  assert(new Set(all).size === all.length);
});
