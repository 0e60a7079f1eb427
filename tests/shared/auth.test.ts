import { assert, assertEquals, assertRejects } from "@std/assert";
import { authorize, readCredential } from "../../shared/auth.ts";
import { Problem } from "../../shared/errors.ts";
import { notedHeaders } from "../../shared/limits.ts";
import type { ValidKey } from "../../shared/results.ts";
import type { Rpc } from "../../shared/rpc.ts";
import { signToken, testEnv } from "../support/issuer.ts";
import { brokenKey, madeUpKey } from "../support/keys.ts";

const env = testEnv();
const user = "7b2d4a9e-0c1f-4e3a-9d8b-5f6a7c8d9e0f";
const request = (headers: Record<string, string | undefined>) =>
  new Request("http://x/", { method: "POST", headers: headers as Record<string, string> });

/** A database that no test may reach. */
const untouched = new Proxy({}, {
  get: (_target, name) => () => {
    throw new Error(`the database was asked: ${String(name)}`);
  },
}) as Rpc;

const valid: ValidKey = {
  valid: true,
  key_id: "key",
  name: "a key",
  agent_id: "agent",
  owner_id: "owner",
  agent_name: "an agent",
  model_id: "local/extractive",
  system_prompt: null,
  rag_enabled: true,
  scopes: ["chat"],
  expires_at: null,
  allowed_origins: [],
  embedding_model: null,
  language: "fr",
  limits: { requests_per_minute: 60 },
};

function answering(answer: unknown) {
  const asked: unknown[] = [];
  const incidents: { kind: string; subject: string }[] = [];
  const rpc = {
    reportIncident: (incident: { kind: string; subject: string }) =>
      Promise.resolve(void incidents.push(incident)),
    validateApiKey: (args: unknown) => {
      asked.push(args);
      return Promise.resolve(answer);
    },
  } as unknown as Rpc;
  return { env, rpc, asked, incidents, now: () => new Date("2026-11-01T10:00:00Z") };
}

async function refused(work: Promise<unknown>): Promise<Problem> {
  return await assertRejects(() => work, Problem);
}

Deno.test("a request without a credential has none, whatever publishable key rides along", async () => {
  assertEquals(await readCredential(request({}), { env }), null);
  assertEquals(await readCredential(request({ apikey: "sb_publishable_test" }), { env }), null);
  const repeated = { apikey: "sb_publishable_test", authorization: "Bearer sb_publishable_test" };
  assertEquals(await readCredential(request(repeated), { env }), null);
});

Deno.test("an agent key is read as Bearer, as x-api-key, and as both", async () => {
  const { key, hash } = madeUpKey();
  for (
    const headers of [
      { authorization: `Bearer ${key}` },
      { authorization: `bearer ${key}` },
      { "x-api-key": key },
      { authorization: `Bearer ${key}`, "x-api-key": key, apikey: "sb_publishable_test" },
    ]
  ) {
    assertEquals(await readCredential(request(headers), { env }), { kind: "key", hash });
  }
});

Deno.test("a malformed key is refused without asking the database", async () => {
  const { key } = madeUpKey();
  const deps = { env, rpc: untouched, now: () => new Date() };
  for (
    const bad of [
      brokenKey(key),
      key.slice(0, -1),
      `${key}0`,
      key.toUpperCase().replace("AK_", "ak_"),
      "ak_",
      "ak_\u00e9",
    ]
  ) {
    for (const headers of [{ "x-api-key": bad }, { authorization: `Bearer ${bad}` }]) {
      const { code, status } = await refused(authorize(request(headers), deps, { allow: ["key"] }));
      assertEquals([code, status], ["key_malformed", 401]);
    }
  }
});

Deno.test("every secret key of the project is a server's credential, in apikey alone", async () => {
  for (const apikey of ["sb_secret_test", "sb_secret_jobs"]) {
    assertEquals(await readCredential(request({ apikey }), { env }), { kind: "secret" });
  }
  const repeated = { apikey: "sb_secret_test", authorization: "Bearer sb_secret_test" };
  assertEquals(await readCredential(request(repeated), { env }), { kind: "secret" });
  const alone = await refused(readCredential(request({ authorization: "Bearer sb_secret_test" }), { env }));
  assertEquals(alone.code, "invalid_credential");
});

Deno.test("a present and wrong apikey is refused, even beside a good credential", async () => {
  const { key } = madeUpKey();
  for (const apikey of ["sb_secret_wrong", "", "sb_secret_tes", "sb_secret_test2"]) {
    for (const more of [{}, { "x-api-key": key }] as Record<string, string>[]) {
      assertEquals(
        (await refused(readCredential(request({ apikey, ...more }), { env }))).code,
        "invalid_credential",
      );
    }
  }
});

Deno.test("a user's token is verified against the project's keys", async () => {
  const token = await signToken(user);
  const read = await readCredential(
    request({ authorization: `Bearer ${token}`, apikey: "sb_publishable_test" }),
    { env },
  );
  assertEquals(read, { kind: "user", userId: user, token, isAdmin: false });
  const admin = await signToken(user, { claims: { app_metadata: { role: "admin" } } });
  const readAdmin = await readCredential(request({ authorization: `Bearer ${admin}` }), { env });
  assert(readAdmin?.kind === "user" && readAdmin.isAdmin);
});

Deno.test("user_metadata makes nobody an admin", async () => {
  const token = await signToken(user, { claims: { user_metadata: { role: "admin" } } });
  const read = await readCredential(request({ authorization: `Bearer ${token}` }), { env });
  assert(read?.kind === "user" && !read.isAdmin);
});

Deno.test("a wrong, expired, foreign or unsigned token is refused", async () => {
  const none = btoa('{"alg":"none","kid":"test"}').replaceAll("=", "");
  const tokens = [
    "junk",
    "eyJhbGciOiJIUzI1NiJ9.e30.x",
    `${none}.${btoa(`{"sub":"${user}","role":"authenticated"}`).replaceAll("=", "")}.`,
    await signToken(user, { expires: 1 }),
    await signToken(user, { kid: "other" }),
    await signToken(user, { key: new TextEncoder().encode("another secret that is as long as the first") }),
    await signToken(user, { claims: { role: "service_role" } }),
    await signToken(user, { claims: { role: "anon" } }),
  ];
  for (const token of tokens) {
    const problem = await refused(readCredential(request({ authorization: `Bearer ${token}` }), { env }));
    assertEquals([problem.code, problem.headers["www-authenticate"]], ["invalid_credential", "Bearer"]);
  }
});

Deno.test("an Authorization header that is not one Bearer token is refused", async () => {
  for (const authorization of ["Basic dTpw", "Bearer", "Bearer a b", "ak_x"]) {
    assertEquals(
      (await refused(readCredential(request({ authorization }), { env }))).code,
      "invalid_credential",
    );
  }
});

Deno.test("two different credentials are refused", async () => {
  const [a, b] = [madeUpKey("a"), await madeUpKey("b")];
  for (
    const headers of [
      { "x-api-key": a.key, authorization: `Bearer ${b.key}` },
      { "x-api-key": a.key, authorization: `Bearer ${await signToken(user)}` },
      { "x-api-key": a.key, apikey: "sb_secret_test" },
    ]
  ) {
    assertEquals((await refused(readCredential(request(headers), { env }))).code, "invalid_credential");
  }
});

Deno.test("a route takes only the kinds of credential it names", async () => {
  const deps = { env, rpc: untouched, now: () => new Date() };
  const { key } = madeUpKey();
  assertEquals(
    (await refused(authorize(request({}), deps, { allow: ["secret"] }))).code,
    "missing_credential",
  );
  assertEquals(
    (await refused(authorize(request({ "x-api-key": key }), deps, { allow: ["secret"] }))).code,
    "forbidden",
  );
  assertEquals(await authorize(request({ apikey: "sb_secret_test" }), deps, { allow: ["secret"] }), {
    kind: "secret",
  });
});

Deno.test("a key is looked up by its hash with the origin, and its limit is spent", async () => {
  const { key, hash } = madeUpKey();
  const rate = { allowed: true, limit: 60, remaining: 59, retry_after: 0, reset_at: "2026-11-01T10:01:00Z" };
  const deps = answering({ ...valid, rate });
  const asking = request({ "x-api-key": key, origin: "https://shop.example" });
  const caller = await authorize(asking, deps, { allow: ["key"], scope: "chat" });
  assertEquals(deps.asked, [{ keyHash: hash, origin: "https://shop.example", cost: 1 }]);
  assert(caller.kind === "key");
  const noted = notedHeaders(asking);
  assertEquals([noted["ratelimit-policy"], noted.ratelimit], ['"key";q=60;w=60', '"key";r=59;t=60']);
});

Deno.test("a key beyond its limit is 429 with the wait", async () => {
  const { key } = madeUpKey();
  const rate = { allowed: false, limit: 60, remaining: 0, retry_after: 12, reset_at: "2026-11-01T10:00:12Z" };
  const problem = await refused(
    authorize(request({ "x-api-key": key }), answering({ ...valid, rate }), { allow: ["key"] }),
  );
  assertEquals([problem.code, problem.headers["retry-after"]], ["rate_limited", "12"]);
});

Deno.test("each reason a key is not let in has its code", async () => {
  const { key } = madeUpKey();
  const expected = {
    unknown: ["key_unknown", 401],
    revoked: ["key_revoked", 401],
    expired: ["key_expired", 401],
    agent_inactive: ["agent_inactive", 403],
    origin_not_allowed: ["origin_not_allowed", 403],
  };
  for (const [code, outcome] of Object.entries(expected)) {
    const deps = answering({ valid: false, code });
    const problem = await refused(authorize(request({ "x-api-key": key }), deps, { allow: ["key"] }));
    assertEquals([problem.code, problem.status], outcome);
  }
  const problem = await refused(
    authorize(request({ "x-api-key": key }), answering(valid), { allow: ["key"], scope: "ingest" }),
  );
  assertEquals([problem.code, problem.status], ["scope_missing", 403]);
});

Deno.test("made-up keys and exceeded limits are reported once an hour, not with every request", async () => {
  const { key } = madeUpKey();
  const headers = { "x-api-key": key, "x-forwarded-for": "203.0.113.7" };
  const guess = answering({ valid: false, code: "unknown" });
  for (let call = 0; call < 3; call++) await refused(authorize(request(headers), guess, { allow: ["key"] }));
  assertEquals(guess.incidents.map(({ kind }) => kind), ["key_guessing"]);
  assert(!JSON.stringify(guess.incidents).includes("203.0.113.7"));
  const rate = { allowed: false, limit: 60, remaining: 0, retry_after: 12, reset_at: "2026-11-01T10:00:12Z" };
  const flood = answering({ ...valid, rate });
  for (let call = 0; call < 3; call++) await refused(authorize(request(headers), flood, { allow: ["key"] }));
  assertEquals(flood.incidents.map(({ kind, subject }) => [kind, subject]), [["rate_limit", "key:key"]]);
});
