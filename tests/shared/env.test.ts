import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ownKey, readEnv } from "../../shared/env.ts";
import { testEnv } from "../support/issuer.ts";

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

Deno.test("the project's own calls use the default key, else the first", () => {
  assertEquals(ownKey({ jobs: "b", default: "a" }), "a");
  assertEquals(ownKey({ jobs: "b", web: "c" }), "b");
});
