import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { as, makeAgent, refusal, service, signUp, user, value } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";

interface Issued {
  id: string;
  key: string;
  masked_key: string;
  old_expires_at?: string;
}

async function sha256(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function people(session: Session) {
  const [ann, bob, editor] = [await signUp(session), await signUp(session), await signUp(session)];
  const agent = await makeAgent(session, ann);
  await session.query(
    "insert into public.agent_members (agent_id, user_id, role) values ($1, $2, 'editor')",
    [
      agent,
      editor,
    ],
  );
  return { agent, ann: user(ann), bob: user(bob), editor: user(editor) };
}

const stored = async (session: Session, id: string) => {
  const [key] = await session.query<Record<string, unknown>>("select * from public.api_keys where id = $1", [
    id,
  ]);
  return key!;
};

rolledBack("a key is shown once, carries its checksum, and only its hash is stored", async (session) => {
  const { agent, ann } = await people(session);
  const issued = await value<Issued>(session, ann, "public.create_api_key($1, 'widget')", [agent]);
  assertMatch(issued.key, /^ak_[0-9a-f]{72}$/);
  assertEquals(issued.key.slice(67), (await sha256(issued.key.slice(0, 67))).slice(0, 8));
  assertEquals(issued.masked_key, `${issued.key.slice(0, 7)}...${issued.key.slice(-4)}`);
  const key = await stored(session, issued.id);
  assertEquals(key.key_hash, await sha256(issued.key));
  assertEquals([key.scopes, key.requests_per_minute, key.limit_group], [["chat"], 60, issued.id]);
  assert(!JSON.stringify(key).includes(issued.key));
  const other = await value<Issued>(session, ann, "public.create_api_key($1, 'widget')", [agent]);
  assertNotEquals(other.key.slice(3, 67), issued.key.slice(3, 67));
});

rolledBack(
  "keys belong to the owners: an editor is refused, a stranger finds no agent, the service role may",
  async (session) => {
    const { agent, ann, bob, editor } = await people(session);
    const create = "public.create_api_key($1, 'widget')";
    const { id } = await value<Issued>(session, ann, create, [agent]);
    const calls: [string, string][] = [
      [create, agent],
      ["public.rotate_api_key($1)", id],
      ["public.revoke_api_key($1)", id],
      ["public.rotate_identity_secret($1)", agent],
    ];
    for (const [call, subject] of calls) {
      assertEquals(await refusal(value(session, editor, call, [subject])), "PT403 forbidden", call);
      assertEquals(await refusal(value(session, bob, call, [subject])), "PT404 not_found", call);
      assertEquals(await refusal(value(session, ann, call, [crypto.randomUUID()])), "PT404 not_found", call);
      assertEquals(await refusal(value(session, ann, call, [null])), "PT404 not_found", call);
      await value(session, service, call, [subject]);
    }
  },
);

rolledBack("a key with senseless settings is refused and not stored", async (session) => {
  const { agent, ann } = await people(session);
  const wrong = [
    "name => ' '",
    "name => null",
    "name => 'k', scopes => '{}'",
    "name => 'k', scopes => null",
    "name => 'k', scopes => '{chat,root}'",
    "name => 'k', scopes => array['chat', null]",
    "name => 'k', requests_per_minute => 0",
    "name => 'k', requests_per_minute => null",
    "name => 'k', monthly_messages => 0",
    "name => 'k', monthly_tokens => -1",
    "name => 'k', expires_at => now() - interval '1 second'",
    "name => 'k', allowed_origins => '{shop.example}'",
    "name => 'k', allowed_origins => '{https://shop.example/path}'",
    "name => 'k', allowed_origins => array['https://shop.example', null]",
    "name => 'k', allowed_origins => array['']",
    "name => 'k', allowed_origins => '{https://shop.example}', scopes => '{chat,read}'",
  ];
  for (const settings of wrong) {
    const call = value(session, ann, `public.create_api_key(agent_id => $1, ${settings})`, [agent]);
    assertEquals(await refusal(call), "PT422 validation_failed", settings);
  }
  assertEquals(await session.query("select id from public.api_keys"), []);
});

rolledBack("origins are kept as browsers send them, however they were written", async (session) => {
  const { agent, ann } = await people(session);
  const { id } = await value<Issued>(
    session,
    ann,
    `public.create_api_key($1, 'shop', allowed_origins => '{HTTPS://Shop.Example:443,http://a.example:80,http://b.example:8080}')`,
    [agent],
  );
  assertEquals((await stored(session, id)).allowed_origins, [
    "https://shop.example",
    "http://a.example",
    "http://b.example:8080",
  ]);
  await as(session, ann, "update public.api_keys set allowed_origins = '{https://C.Example}' where id = $1", [
    id,
  ]);
  assertEquals((await stored(session, id)).allowed_origins, ["https://c.example"]);
});

rolledBack(
  "a rotated key keeps settings and limits, and the old one ends after the grace",
  async (session) => {
    const { agent, ann } = await people(session);
    const first = await value<Issued>(
      session,
      ann,
      `public.create_api_key(agent_id => $1, name => 'shop', scopes => '{chat,ingest}', requests_per_minute => 7,
       allowed_origins => '{https://shop.example,http://localhost:3000}', monthly_tokens => 9)`,
      [agent],
    );
    const second = await value<Issued>(session, ann, "public.rotate_api_key($1, 5)", [first.id]);
    const [old, now] = [await stored(session, first.id), await stored(session, second.id)];
    for (
      const column of [
        "agent_id",
        "name",
        "scopes",
        "allowed_origins",
        "requests_per_minute",
        "monthly_tokens",
      ]
    ) {
      assertEquals(now[column], old[column], column);
    }
    assertEquals([now.limit_group, now.expires_at, now.revoked_at], [first.id, null, null]);
    assertNotEquals(second.key, first.key);
    const [grace] = await session.query<{ left: number }>(
      "select extract(epoch from expires_at - now())::integer as left from public.api_keys where id = $1",
      [first.id],
    );
    assertEquals(grace!.left, 300);
    assertEquals(new Date(second.old_expires_at!).getTime(), new Date(String(old.expires_at)).getTime());
    // A grace never prolongs a key that ends earlier.
    const shorter = await value<Issued>(session, ann, "public.rotate_api_key($1, 600)", [first.id]);
    assertEquals(shorter.old_expires_at, second.old_expires_at);
    const third = await value<Issued>(session, ann, "public.rotate_api_key($1)", [second.id]);
    assertEquals((await stored(session, third.id)).limit_group, first.id);
  },
);

rolledBack("a rotation needs a live key and a sensible grace", async (session) => {
  const { agent, ann } = await people(session);
  const { id } = await value<Issued>(session, ann, "public.create_api_key($1, 'k')", [agent]);
  for (const grace of [-1, 43_201, null]) {
    const call = value(session, ann, "public.rotate_api_key($1, $2)", [id, grace]);
    assertEquals(await refusal(call), "PT422 validation_failed", String(grace));
  }
  await value(session, ann, "public.rotate_api_key($1, 0)", [id]);
  assertEquals(await refusal(value(session, ann, "public.rotate_api_key($1)", [id])), "PT409 conflict");
  const other = await value<Issued>(session, ann, "public.create_api_key($1, 'k')", [agent]);
  await value(session, ann, "public.revoke_api_key($1)", [other.id]);
  assertEquals(
    await refusal(value(session, ann, "public.rotate_api_key($1)", [other.id])),
    "PT409 conflict",
  );
  const [{ revoked_at }] = [await stored(session, other.id)];
  await value(session, ann, "public.revoke_api_key($1)", [other.id]);
  assertEquals((await stored(session, other.id)).revoked_at, revoked_at);
});

rolledBack("owners change a key's settings over the API, never its hash, group or end", async (session) => {
  const { agent, ann } = await people(session);
  const { id } = await value<Issued>(session, ann, "public.create_api_key($1, 'k')", [agent]);
  await as(
    session,
    ann,
    `update public.api_keys set name = 'n', scopes = '{chat}', allowed_origins = '{https://a.example}',
       requests_per_minute = 5, monthly_messages = 1, monthly_tokens = 1, monthly_cost = 0.5, expires_at = now()
     where id = $1`,
    [id],
  );
  for (
    const column of ["key_hash", "masked_key", "limit_group", "agent_id", "revoked_at", "last_used_at"]
  ) {
    const update = as(session, ann, `update public.api_keys set ${column} = null where id = $1`, [id]);
    assertEquals(await refusal(update), "42501", column);
  }
  assertEquals(await refusal(as(session, ann, "select key_hash from public.api_keys")), "42501");
  assertEquals(await refusal(as(session, ann, "delete from public.api_keys")), "42501");
  assertEquals(
    await refusal(
      as(session, ann, "update public.api_keys set scopes = '{chat,read}' where id = $1", [id]),
    ),
    "23514",
  );
});

rolledBack("the identity secret is new each time and no client role can read it", async (session) => {
  const { agent, ann } = await people(session);
  const make = () => value<{ secret: string }>(session, ann, "public.rotate_identity_secret($1)", [agent]);
  const [first, second] = [await make(), await make()];
  assertMatch(first.secret, /^[0-9a-f]{64}$/);
  assertNotEquals(first.secret, second.secret);
  const [kept] = await session.query("select identity_secret from private.agent_secrets");
  assertEquals(kept, { identity_secret: second.secret });
  assertEquals(await refusal(as(session, ann, "select * from private.agent_secrets")), "42501");
});
