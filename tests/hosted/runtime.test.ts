import { assertEquals, assertMatch } from "@std/assert";
import { functionNames } from "../gates/files.ts";
import { masterKeys, masterKeysText } from "../support/master-keys.ts";
import { startStack } from "../support/stack.ts";
import { run } from "./project.ts";

/** The hosted platform's runtime has the APIs of this version. */
const version = "2.1.4";

interface Expected {
  method?: string;
  /** Whose credential it takes; an agent's key when not given. */
  as?: "user";
  body: unknown;
  status: number;
  text: RegExp;
}

/** One call that each function must answer well. In order: what is stored is asked about. */
const calls: Record<string, Expected> = {
  "validate-key": { body: {}, status: 200, text: /"valid":true/ },
  "provider-keys": {
    method: "PUT",
    as: "user",
    body: { provider: "mistral", api_key: "a-key-of-mistral-0123" },
    status: 200,
    text: /"masked_key":"a-ke...123"/,
  },
  "rate-check": {
    body: { key: "hosted", max_requests: 2, window_seconds: 60 },
    status: 200,
    text: /"allowed":true/,
  },
  "ingest-document": {
    body: { title: "Hours", content: "The shop opens at nine.", mime_type: "text/markdown" },
    status: 201,
    text: /"status":"ready"/,
  },
  "chat": {
    body: { message: "When does the shop open?", stream: true },
    status: 200,
    text: /nine[^]*event: done/,
  },
};

Deno.test(`every function is imported and answers on Deno ${version}`, async () => {
  const names = await functionNames();
  assertEquals(Object.keys(calls).sort(), names.sort(), "each function needs a call here");
  await using stack = await startStack();
  const { token } = await stack.signUp();
  const agent = await stack.createAgent(token, { language: "en" });
  const { key } = await stack.createKey(token, agent.id, { scopes: ["chat", "ingest", "read"] });
  const bearer = `Bearer ${await stack.tokens.withKeyId(token)}`;
  const made = Object.entries(calls).flatMap(([name, { method = "POST", as, body }]) => {
    const url = `http://localhost/${name}`;
    const credential = as === "user" ? { authorization: bearer } : { "x-api-key": key };
    const headers = { ...credential, "content-type": "application/json" };
    return [
      { name, method, url, headers: { authorization: "Basic bm9ib2R5" } },
      { name, method, url, headers, body: JSON.stringify(body) },
    ];
  });
  const { code, stdout, stderr } = await run(
    "npx",
    ["-y", `deno@${version}`, "run", "-A", "--no-lock", "tests/hosted/runtime.ts", JSON.stringify(made)],
    {
      SUPABASE_URL: stack.url,
      SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: stack.publishableKey }),
      SUPABASE_SECRET_KEYS: JSON.stringify({ default: stack.secretKey }),
      SUPABASE_JWKS: JSON.stringify(stack.tokens.jwks),
      PROVIDER_KEY_SECRETS: masterKeysText(masterKeys("1")),
      // This version does not read the system's certificates by itself.
      DENO_TLS_CA_STORE: "mozilla,system",
    },
  );
  assertEquals(code, 0, stderr);
  const answers = stdout.trim().split("\n").map((line) => JSON.parse(line));
  const [refused, answered] = [
    answers.filter((_, index) => index % 2 === 0),
    answers.filter((_, index) => index % 2),
  ];
  assertEquals(
    refused.map(({ name, deno, status }) => [name, deno, status]),
    Object.keys(calls).map((name) => [name, version, 401]),
  );
  assertEquals(answered.length, refused.length);
  for (const { name, status, text } of answered) {
    assertEquals(status, calls[name]?.status, `${name}: ${text}`);
    assertMatch(text, calls[name]?.text ?? /never/, name);
  }
});
