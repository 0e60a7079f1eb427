import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { refusal } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { admit, call, change, type Client, everything, exchange, makeClient, sha256 } from "./turns.ts";

interface Validation {
  valid: boolean;
  code?: string;
  system_prompt?: string;
  rate?: { allowed: boolean; limit: number; remaining: number; retry_after: number; reset_at: string };
  quota?: Record<string, { limit: number; used: number; reserved?: number; resets_at?: string }>;
  [field: string]: unknown;
}

const validate = (session: Session, client: Client, args: Record<string, unknown> = {}) =>
  call<Validation>(session, "public.validate_api_key", { p_key_hash: client.keyHash, ...args });

rolledBack("a valid key brings its agent's configuration and the quota of its owner", async (session) => {
  const client = await makeClient(session, {
    plan: "pro",
    agent: { name: "Ida", model: "openai/gpt-4o", language: "en", instructions: "Be kind." },
    key: {
      allowed_origins: ["https://shop.example"],
      expires_at: "2099-01-01T00:00:00Z",
      requests_per_minute: 9,
    },
  });
  const { quota, ...key } = await validate(session, client, { p_origin: "https://shop.example" });
  assertEquals(key, {
    valid: true,
    key_id: client.keyId,
    name: "widget",
    agent_id: client.agentId,
    owner_id: client.ownerId,
    agent_name: "Ida",
    model_id: "openai/gpt-4o",
    system_prompt: "Be kind.",
    rag_enabled: true,
    scopes: ["chat"],
    expires_at: "2099-01-01T00:00:00+00:00",
    allowed_origins: ["https://shop.example"],
    embedding_model: null,
    language: "en",
    limits: { requests_per_minute: 9 },
  });
  const resets_at = quota!.messages!.resets_at;
  assertMatch(String(resets_at), /^20\d\d-\d\d-01T00:00:00/);
  assertEquals(quota, {
    messages: { limit: 20_000, used: 0, reserved: 0, resets_at },
    tokens: { limit: 20_000_000, used: 0, reserved: 0, resets_at },
    documents: { limit: 2000, used: 0 },
    agents: { limit: 20, used: 1 },
  });
});

rolledBack("the quota shows what is used and what is reserved", async (session) => {
  const client = await makeClient(session, { agent: { rag_enabled: false, max_tokens: 95 } });
  await exchange(session, client);
  await admit(session, client);
  const { quota } = await validate(session, client);
  assertEquals([quota!.messages!.used, quota!.messages!.reserved], [1, 1]);
  assertEquals([quota!.tokens!.used, quota!.tokens!.reserved], [30, 100]);
});

rolledBack("the system prompt is the one a turn would follow", async (session) => {
  const client = await makeClient(session, { agent: { language: "en" } });
  assertMatch(String((await validate(session, client)).system_prompt), /^You are Shop .*, an expert/);
  await call(session, "public.publish_prompt", {
    name: "main",
    content: "I am {{app_name}}.",
    agent_id: client.agentId,
  });
  assertMatch(String((await validate(session, client)).system_prompt), /^I am Shop .*\.$/);
});

const invalid: [
  string,
  string,
  (session: Session, client: Client) => Promise<Record<string, unknown> | void>,
][] = [
  ["a key nobody made", "unknown", async () => ({ p_key_hash: await sha256("guess") })],
  ["a revoked key", "revoked", (s, c) => change(s, "api_keys", c.keyId, { revoked_at: "2026-01-01" })],
  ["an expired key", "expired", (s, c) => change(s, "api_keys", c.keyId, { expires_at: "2026-01-01" })],
  ["a hidden agent", "unknown", (s, c) => change(s, "agents", c.agentId, { deleted_at: "2026-01-01" })],
  ["a hidden owner", "unknown", (s, c) => change(s, "users", c.ownerId, { deleted_at: "2026-01-01" })],
  ["an agent that is off", "agent_inactive", (s, c) => change(s, "agents", c.agentId, { is_active: false })],
  [
    "no origin for a browser key",
    "origin_not_allowed",
    (s, c) => change(s, "api_keys", c.keyId, { allowed_origins: ["https://a.example"] }),
  ],
  ["a foreign origin", "origin_not_allowed", async (s, c) => {
    await change(s, "api_keys", c.keyId, { allowed_origins: ["https://a.example"] });
    return { p_origin: "http://a.example" };
  }],
];

for (const [name, code, given] of invalid) {
  rolledBack(`${name} is answered with ${code}, spends nothing and writes nothing`, async (session) => {
    const client = await makeClient(session);
    const args = await given(session, client) ?? {};
    const before = await everything(session);
    for (const p_cost of [0, 1]) {
      assertEquals(await validate(session, client, { ...args, p_cost }), { valid: false, code });
    }
    assertEquals(await everything(session), before);
  });
}

rolledBack(
  "a key that is both revoked and its agent off says what is wrong with the key",
  async (session) => {
    const client = await makeClient(session, {
      agent: { is_active: false },
      key: { revoked_at: "2026-01-01" },
    });
    assertEquals((await validate(session, client)).code, "revoked");
  },
);

rolledBack("without allowed origins a key works from anywhere", async (session) => {
  const client = await makeClient(session);
  for (const p_origin of [undefined, null, "https://anywhere.example"]) {
    assertEquals((await validate(session, client, { p_origin })).valid, true);
  }
});

rolledBack(
  "with a cost it spends the limit of the key and answers it instead of the quota",
  async (session) => {
    const client = await makeClient(session, { key: { requests_per_minute: 3 } });
    const { rate, quota } = await validate(session, client, { p_cost: 2 });
    assertEquals(quota, undefined);
    assertEquals([rate!.allowed, rate!.limit, rate!.remaining, rate!.retry_after], [true, 3, 1, 0]);
    const before = await everything(session);
    const refused = await validate(session, client, { p_cost: 2 });
    assertEquals([refused.valid, refused.rate!.allowed, refused.rate!.remaining], [true, false, 1]);
    assert(refused.rate!.retry_after >= 59 && refused.rate!.retry_after <= 60);
    assertEquals(await everything(session), before);
    assertEquals((await validate(session, client, { p_cost: 1 })).rate!.remaining, 0);
    assertEquals((await validate(session, client)).rate, undefined);
  },
);

rolledBack("the limit is the one that turns spend too, and a rotated key shares it", async (session) => {
  const client = await makeClient(session, { key: { requests_per_minute: 3 } });
  const rotated = await call<{ id: string; key: string }>(session, "public.rotate_api_key", {
    key_id: client.keyId,
  });
  await admit(session, client);
  assertEquals((await validate(session, client, { p_cost: 1 })).rate!.remaining, 1);
  const next = { ...client, keyHash: await sha256(rotated.key) };
  assertEquals((await validate(session, next, { p_cost: 1 })).rate!.remaining, 0);
  assertEquals((await admit(session, client)).rule, "key");
});

rolledBack("when a key was used is noted at most once a minute", async (session) => {
  const client = await makeClient(session);
  const row = async () => (await session.query("select last_used_at, ctid from public.api_keys"))[0]!;
  assertEquals((await row()).last_used_at, null);
  await validate(session, client);
  const first = await row();
  assert(first.last_used_at !== null);
  await validate(session, client, { p_cost: 1 });
  await admit(session, client);
  assertEquals(await row(), first);
  await session.query("update public.api_keys set last_used_at = now() - interval '61 s'");
  await validate(session, client);
  assertEquals((await row()).last_used_at, first.last_used_at);
});

rolledBack("an admission notes it too, and waits for the disk all the same", async (session) => {
  const client = await makeClient(session);
  await admit(session, client);
  assert((await session.query("select last_used_at from public.api_keys"))[0]!.last_used_at !== null);
  assertEquals(await session.query("select current_setting('synchronous_commit') as waits"), [{
    waits: "on",
  }]);
});

rolledBack("what is no hash and no cost raises", async (session) => {
  const client = await makeClient(session);
  for (
    const p_key_hash of [
      null,
      "",
      client.keyHash.toUpperCase(),
      `${client.keyHash}0`,
      client.keyHash.slice(1),
    ]
  ) {
    assertEquals(
      await refusal(validate(session, client, { p_key_hash })),
      "PT422 validation_failed",
      String(p_key_hash),
    );
  }
  for (const p_cost of [null, -1, 1001]) {
    assertEquals(
      await refusal(validate(session, client, { p_cost })),
      "PT422 validation_failed",
      String(p_cost),
    );
  }
});
