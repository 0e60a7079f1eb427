import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { refusal } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { admit, change, type Client, everything, exchange, makeClient, sha256 } from "./turns.ts";

const config = (session: Session, key: string, setting: unknown) =>
  session.query("update public.app_config set value = $2 where key = $1", [key, JSON.stringify(setting)]);

/** Each rule that refuses: how it comes about, and what it answers. */
const refusals: [
  name: string,
  expected: { code: string; status: number; rule?: string },
  given: (session: Session, client: Client) => Promise<Record<string, unknown> | void>,
][] = [
  ["an unknown key", { code: "key_unknown", status: 401 }, async () => ({ key_hash: await sha256("guess") })],
  [
    "a revoked key",
    { code: "key_revoked", status: 401 },
    (s, c) => change(s, "api_keys", c.keyId, { revoked_at: "2026-01-01" }),
  ],
  [
    "an expired key",
    { code: "key_expired", status: 401 },
    (s, c) => change(s, "api_keys", c.keyId, { expires_at: "2026-01-01" }),
  ],
  [
    "a key of a hidden agent",
    { code: "key_unknown", status: 401 },
    (s, c) => change(s, "agents", c.agentId, { deleted_at: "2026-01-01" }),
  ],
  [
    "a key of an owner who is gone",
    { code: "key_unknown", status: 401 },
    async (s, c) => void await s.query("delete from auth.users where id = $1", [c.ownerId]),
  ],
  [
    "a key of an agent that is switched off",
    { code: "agent_inactive", status: 403 },
    (s, c) => change(s, "agents", c.agentId, { is_active: false }),
  ],
  [
    "a browser key without an origin",
    { code: "origin_not_allowed", status: 403 },
    (s, c) => change(s, "api_keys", c.keyId, { allowed_origins: ["https://shop.example"] }),
  ],
  ["a browser key from elsewhere", { code: "origin_not_allowed", status: 403 }, async (s, c) => {
    await change(s, "api_keys", c.keyId, { allowed_origins: ["https://shop.example"] });
    return { origin: "https://shop.example.evil.example" };
  }],
  [
    "a key without the scope chat",
    { code: "scope_missing", status: 403 },
    (s, c) => change(s, "api_keys", c.keyId, { scopes: ["read", "ingest"] }),
  ],
  [
    "the kill switch",
    { code: "kill_switch", status: 503 },
    async (s) => void await config(s, "killSwitch", true),
  ],
  ["a key at its limit", { code: "rate_limited", status: 429, rule: "key" }, async (s, c) => {
    await change(s, "api_keys", c.keyId, { requests_per_minute: 1 });
    await exchange(s, c);
  }],
  ["a session at its limit", { code: "rate_limited", status: 429, rule: "session" }, async (s, c) => {
    await config(s, "sessionRequestsPerMinute", 1);
    await exchange(s, c, { session_id: "s" });
  }],
  ["an address at its limit", { code: "rate_limited", status: 429, rule: "address" }, async (s, c) => {
    await config(s, "addressRequestsPerMinute", 1);
    await exchange(s, c, { address_hash: "home" });
  }],
  ...(["plan", "agent", "key"] as const).flatMap((name) =>
    (["messages", "tokens", "cost"] as const).filter((what) => name !== "plan" || what !== "cost").map((
      what,
    ): typeof refusals[number] => [
      `the ${what} of the ${name} used up`,
      { code: "quota_exceeded", status: 429, rule: `${name}.${what}` },
      async (s, c) => {
        await change(s, "agents", c.agentId, { model: "openai/gpt-4o", rag_enabled: false });
        await exchange(s, c, {}, {
          provider: "openai",
          model: "gpt-4o",
          input_tokens: 400_000,
          output_tokens: 100_000,
        });
        const limit = { messages: 1, tokens: 500_000, cost: 2 }[what];
        if (name === "plan") await s.query(`update public.plans set ${what} = $1`, [limit]);
        else if (name === "agent") await change(s, "agents", c.agentId, { [`monthly_${what}`]: limit });
        else await change(s, "api_keys", c.keyId, { [`monthly_${what}`]: limit });
      },
    ])
  ),
  [
    "a turn that would need more than is left",
    { code: "quota_exceeded", status: 429, rule: "agent.tokens" },
    (s, c) => change(s, "agents", c.agentId, { monthly_tokens: 1000, max_tokens: 1024 }),
  ],
  ["a session with a turn under way", { code: "turn_in_progress", status: 409 }, async (s, c) => {
    await admit(s, c, { session_id: "s" });
  }],
  ["a full session", { code: "session_full", status: 409 }, async (s, c) => {
    await config(s, "maxTurns", 2);
    await exchange(s, c, { session_id: "s" });
    await exchange(s, c, { session_id: "s" });
  }],
];

for (const [name, { code, status, rule }, given] of refusals) {
  rolledBack(
    `${name} is refused with ${rule ?? code}, and nothing at all is changed by it`,
    async (session) => {
      const client = await makeClient(session);
      const args = await given(session, client) ?? {};
      const before = await everything(session);
      const asked = { session_id: "s", address_hash: "home", ...args };
      const denied = await admit(session, client, asked);
      assertEquals([denied.admitted, denied.code, denied.status, denied.rule], [false, code, status, rule]);
      assertEquals(await everything(session), before);
      assertEquals(typeof denied.detail, "string");
      // Tells a leftover key from one that was made up.
      if (code === "key_unknown") assertEquals("key_id" in denied, name !== "an unknown key");
      if (code === "rate_limited") assert(denied.retry_after! >= 59 && denied.retry_after! <= 60);
      if (rule === "plan.messages") {
        assertEquals([denied.limit, denied.used, denied.reserved], [1, 1, 0]);
        assertMatch(String(denied.resets_at), /^20\d\d-\d\d-01T00:00:00/);
      }
    },
  );
}

rolledBack(
  "of several budgets the one without room is named, not one that this turn itself would have filled",
  async (session) => {
    const client = await makeClient(session, {
      agent: { monthly_messages: 2 },
      key: { monthly_messages: 1 },
    });
    await exchange(session, client);
    assertEquals((await admit(session, client)).rule, "key.messages");
    await change(session, "api_keys", client.keyId, { monthly_messages: null, monthly_tokens: 1000 });
    assertEquals((await admit(session, client)).rule, "key.tokens");
  },
);

rolledBack("senseless arguments raise and store nothing", async (session) => {
  const client = await makeClient(session);
  const before = await everything(session);
  const senseless: Record<string, unknown[]> = {
    key_hash: [null],
    message: [null, "", "x".repeat(32_001)],
    message_tokens: [null, -1],
    session_id: ["", "x".repeat(201)],
    visitor_id: ["", "x".repeat(201)],
    metadata: [null, "[]", '"text"', { text: "x".repeat(25_000) }],
    language: ["", "french"],
  };
  for (const [name, values] of Object.entries(senseless)) {
    for (const bad of values) {
      const said = await refusal(admit(session, client, { [name]: bad }));
      assertEquals(said, "PT422 validation_failed", `${name} = ${String(bad).slice(0, 40)}`);
    }
  }
  assertEquals(await everything(session), before);
});

rolledBack("a browser key passes from its own origins", async (session) => {
  const client = await makeClient(session, {
    key: { allowed_origins: ["https://a.example", "https://b.example"] },
  });
  assertEquals((await admit(session, client, { origin: "https://b.example" })).admitted, true);
});
