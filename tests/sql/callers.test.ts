import { assert, assertEquals } from "@std/assert";
import { rolledBack } from "./rolled-back.ts";
import { service, signUp, value } from "./people.ts";
import { admit, call, change, counters, everything, exchange, makeClient, settle } from "./turns.ts";

const longSession = "s-0123456789abcdefghij";

async function sign(secret: string, visitor: string): Promise<string> {
  const key = await crypto.subtle.importKey(
    "raw",
    new TextEncoder().encode(secret),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(visitor)));
  return [...mac].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

rolledBack("a browser key needs a session id that nobody guesses", async (session) => {
  const client = await makeClient(session, { key: { allowed_origins: ["https://shop.example"] } });
  const origin = "https://shop.example";
  const short = await admit(session, client, { origin, session_id: "0123456789abcdefghi" });
  assertEquals([short.code, short.status], ["validation_failed", 422]);
  assertEquals((await admit(session, client, { origin, session_id: longSession })).admitted, true);
  const ui = { origin, session_id: "0123456789abcdef", min_session_length: 16 };
  assertEquals((await admit(session, client, ui)).admitted, true);
  assertEquals((await admit(session, client, { origin })).session_id.length, 66);
  assertEquals((await admit(session, client, { session_id: longSession })).code, "origin_not_allowed");
});

rolledBack("a visitor is believed by the owner's signature, or by the word of a server", async (session) => {
  const client = await makeClient(session, { key: { allowed_origins: ["https://shop.example"] } });
  const { secret } = await call<{ secret: string }>(session, "public.rotate_identity_secret", {
    agent_id: client.agentId,
  });
  const ask = (more: Record<string, unknown>) =>
    admit(session, client, { origin: "https://shop.example", visitor_id: "Zoé 🙂", ...more });
  assertEquals((await ask({ visitor_token: await sign(secret, "Zoé 🙂") })).visitor_verified, true);
  assertEquals((await ask({})).visitor_verified, false);
  const before = await everything(session);
  for (const token of [await sign(secret, "Zoe"), await sign("x", "Zoé 🙂"), "", secret]) {
    const refused = await ask({ visitor_token: token });
    assertEquals([refused.code, refused.status], ["invalid_credential", 401]);
  }
  assertEquals(await everything(session), before);
  const server = await makeClient(session);
  assertEquals((await admit(session, server, { visitor_id: "v" })).visitor_verified, true);
  assertEquals((await admit(session, server)).visitor_verified, false);
  // Without a secret no token can be right.
  assertEquals((await admit(session, server, { visitor_id: "v", visitor_token: "x" })).status, 401);
});

rolledBack("a proof that comes later does not cover what was said before it", async (session) => {
  const client = await makeClient(session, { key: { allowed_origins: ["https://shop.example"] } });
  const { secret } = await call<{ secret: string }>(session, "public.rotate_identity_secret", {
    agent_id: client.agentId,
  });
  const origin = "https://shop.example";
  await exchange(session, client, { origin, session_id: longSession, visitor_id: "v" });
  await exchange(session, client, {
    origin,
    session_id: longSession,
    visitor_id: "v",
    visitor_token: await sign(secret, "v"),
  });
  assertEquals(
    await session.query("select visitor_id, visitor_verified from public.conversations"),
    [{ visitor_id: "v", visitor_verified: false }],
  );
});

rolledBack("owners and members chat in the channel dashboard, others find no agent", async (session) => {
  const client = await makeClient(session);
  const viewer = await signUp(session);
  await session.query("insert into public.agent_members (agent_id, user_id) values ($1, $2)", [
    client.agentId,
    viewer,
  ]);
  const stranger = await signUp(session);
  const ask = (userId: string, more: Record<string, unknown> = {}) =>
    admit(session, client, { key_hash: undefined, user_id: userId, agent_id: client.agentId, ...more });
  for (const person of [client.ownerId, viewer]) {
    const turn = await ask(person);
    assertEquals([turn.admitted, turn.channel, turn.api_key_id], [true, "dashboard", null]);
    assertEquals(turn.limits[0]!.name, "user");
    await settle(session, turn.turn_id);
  }
  assertEquals((await ask(stranger)).status, 404);
  assertEquals((await ask(stranger, { is_admin: true })).status, 404);
  assertEquals((await ask(client.ownerId, { agent_id: crypto.randomUUID() })).status, 404);
  assertEquals((await ask(client.ownerId, { agent_id: undefined })).code, "validation_failed");
  assertEquals(Object.keys(await counters(session, client)), ["agent", "owner"]);
});

rolledBack("a session belongs to whoever began it: visitor, member or admin", async (session) => {
  const client = await makeClient(session);
  const asOwner = { key_hash: undefined, user_id: client.ownerId, agent_id: client.agentId };
  await exchange(session, client, { session_id: "visitor" });
  await exchange(session, client, { ...asOwner, session_id: "member" });
  const before = await everything(session);
  assertEquals((await admit(session, client, { ...asOwner, session_id: "visitor" })).status, 404);
  assertEquals((await admit(session, client, { session_id: "member" })).status, 404);
  assertEquals(await everything(session), before);
});

rolledBack("an admin talks to the default agent under the prompt of admins", async (session) => {
  const client = await makeClient(session);
  const admin = await signUp(session);
  const ask = () => admit(session, client, { key_hash: undefined, user_id: admin, is_admin: true });
  assertEquals((await ask()).code, "validation_failed");
  await session.query(
    "update public.app_config set value = to_jsonb($1::text) where key = 'defaultAgentId'",
    [
      client.agentId,
    ],
  );
  const turn = await ask();
  assertEquals([turn.admitted, turn.channel], [true, "admin"]);
  assert(turn.prompt!.startsWith("Tu es l'assistant des administrateurs"));
  await settle(session, turn.turn_id);
  // What admins ask is not for the agent's members.
  const seen = await value(
    session,
    service,
    `public.session_messages('${client.agentId}', '${turn.session_id}')`,
  );
  assertEquals(seen, null);
});

rolledBack("exactly one of key and user is named", async (session) => {
  const client = await makeClient(session);
  for (const args of [{ key_hash: undefined }, { user_id: client.ownerId }]) {
    await admit(session, client, args).then(
      () => assert(false, "admitted"),
      (error) => assertEquals(error.code, "PT422"),
    );
  }
});

rolledBack("the key that an owner brought comes with the turn, encrypted as it is", async (session) => {
  const client = await makeClient(session);
  const [stored] = await session.query<{ id: string }>(
    `insert into public.provider_keys (user_id, provider, ciphertext, secret_id, key_hash, masked_key)
     values ($1, 'mistral', '1.a.b.c', 'a', repeat('0', 64), 'WW8G...T9g') returning id`,
    [client.ownerId],
  );
  assertEquals((await admit(session, client)).provider_key, null);
  await change(session, "agents", client.agentId, { provider_key_id: stored!.id });
  assertEquals((await admit(session, client)).provider_key, {
    id: stored!.id,
    user_id: client.ownerId,
    provider: "mistral",
    ciphertext: "1.a.b.c",
    metadata: {},
  });
});
