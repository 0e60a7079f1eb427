import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ownKey, readEnv } from "../../shared/env.ts";
import { testEnv } from "../support/issuer.ts";
import { masterKeys, masterKeysText } from "../support/master-keys.ts";

Deno.test("the environment is parsed, with defaults", () => {
  const env = testEnv({ OPENAI_BASE_URL: "http://127.0.0.1:9/v1/", MISTRAL_API_KEY: " " });
  assertEquals(env.SUPABASE_SECRET_KEYS, { default: "sb_secret_test", jobs: "sb_secret_jobs" });
  assertEquals([env.OPENAI_BASE_URL, env.MISTRAL_API_KEY, env.EMBEDDING_MODEL], [
    "http://127.0.0.1:9/v1",
    undefined,
    "local",
  ]);
});

Deno.test("a bare array of keys is a JWKS too", () => {
  assertEquals(testEnv({ SUPABASE_JWKS: '[{"kty":"oct"}]' }).SUPABASE_JWKS, { keys: [{ kty: "oct" }] });
});

Deno.test("a missing or wrong variable is named, its value is not", () => {
  const { message } = assertThrows(() => testEnv({ SUPABASE_SECRET_KEYS: "sb_secret_in_the_clear" }), Error);
  assertStringIncludes(message, "SUPABASE_SECRET_KEYS: is not JSON");
  assertEquals(message.includes("clear"), false);
  assertStringIncludes(assertThrows(() => readEnv({ get: () => undefined }), Error).message, "SUPABASE_URL");
});

Deno.test("master keys are read in their order, each with its 32 bytes", () => {
  const keys = masterKeys("2026-11", "2026-01");
  assertEquals(testEnv({ PROVIDER_KEY_SECRETS: masterKeysText(keys) }).PROVIDER_KEY_SECRETS, keys);
  assertEquals(testEnv().PROVIDER_KEY_SECRETS, undefined);
});

Deno.test("master keys that are wrong are refused by their fault, never with their value", () => {
  const [a, b] = JSON.parse(masterKeysText(masterKeys("a", "b"))) as { id: string; key: string }[];
  const faults: [value: unknown, fault: string][] = [
    [[], "is empty"],
    [{}, "expected array"],
    [[a, { ...b, id: "a" }], "has an id twice"],
    [[a, { ...a, id: "b" }], "has a key twice"],
    [[{ ...a, id: "a.b" }], "0.id: must be 1 to 32 letters"],
    [[{ ...a, id: "" }], "0.id: must be 1 to 32 letters"],
    [[a, { id: "b" }], "1.key: must be 32 bytes in base64"],
    [[a, { id: "b", key: a!.key.slice(4) }], "1.key: must be 32 bytes in base64"],
    [[a, { id: "b", key: btoa(`x${atob(a!.key)}`) }], "1.key: must be 32 bytes in base64"],
    [[a, { id: "b", key: "not base64" }], "1.key: must be 32 bytes in base64"],
    [Array.from({ length: 21 }, (_, index) => ({ ...a, id: String(index) })), "has more than 20 keys"],
  ];
  for (const [value, fault] of faults) {
    const given = { PROVIDER_KEY_SECRETS: JSON.stringify(value) };
    const { message } = assertThrows(() => testEnv(given), Error);
    assertStringIncludes(message, "PROVIDER_KEY_SECRETS");
    assertStringIncludes(message, fault);
    for (const { key } of [a!, b!]) assertEquals(message.includes(key.slice(4)), false, message);
  }
  const { message } = assertThrows(() => testEnv({ PROVIDER_KEY_SECRETS: a!.key }), Error);
  assertEquals(message.includes(a!.key), false);
});

Deno.test("the project's own calls use the default key, else the first", () => {
  assertEquals(ownKey({ jobs: "b", default: "a" }), "a");
  assertEquals(ownKey({ jobs: "b", web: "c" }), "b");
});
