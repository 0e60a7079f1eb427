import { assertEquals, assertMatch } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { type Actor, admin, as, makeAgent, refusal, service, signUp, user, value } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";

interface Invitation {
  id: string;
  token: string;
  expires_at: string;
}

const invite = (session: Session, by: Actor, email: string, role: string, agent: string | null = null) =>
  value<Invitation>(session, by, "public.create_invitation($1, $2, $3)", [email, role, agent]);

const accept = (session: Session, by: Actor, token: string) =>
  value<Record<string, unknown>>(session, by, "public.accept_invitation($1)", [token]);

async function people(session: Session) {
  const [ann, bob] = [await signUp(session), await signUp(session, "Bob@example.com")];
  return { ann: user(ann), bob: user(bob), bobId: bob, agent: await makeAgent(session, ann) };
}

rolledBack("an invited user becomes a member, with their verified address alone", async (session) => {
  const { ann, bob, bobId, agent } = await people(session);
  const { id, token, expires_at } = await invite(session, ann, "bob@EXAMPLE.com", "editor", agent);
  assertMatch(token, /^[0-9a-f]{64}$/);
  assertEquals(new Date(expires_at) > new Date(Date.now() + 6 * 86_400_000), true);
  const eve = user(await signUp(session, "eve@example.com"));
  const unverified = user(await signUp(session, "bob@example.com", { verified: false }));
  assertEquals(await refusal(accept(session, eve, token)), "PT403 forbidden");
  assertEquals(await refusal(accept(session, unverified, token)), "PT403 forbidden");
  const membership = { agent_id: agent, user_id: bobId, role: "editor" };
  assertEquals(await accept(session, bob, token), membership);
  assertEquals(await accept(session, bob, token), membership);
  assertEquals(await refusal(accept(session, eve, token)), "PT403 forbidden");
  assertEquals(await session.query("select agent_id, user_id, role from public.agent_members"), [membership]);
  const [kept] = await session.query("select id, accepted_by from public.invitations");
  assertEquals(kept, { id, accepted_by: bobId });
});

rolledBack("only the hash of a token is stored, and no client role reads it", async (session) => {
  const { ann, agent } = await people(session);
  const { token } = await invite(session, ann, "bob@example.com", "viewer", agent);
  const [row] = await session.query<{ hash: string; text: string }>(
    "select token_hash as hash, to_jsonb(i)::text as text from public.invitations i",
  );
  assertEquals([row!.hash === token, row!.text.includes(token)], [false, false]);
  assertEquals(await refusal(as(session, ann, "select token_hash from public.invitations")), "42501");
  assertEquals((await as(session, ann, "select id, email, role from public.invitations")).length, 1);
});

rolledBack("a token that is unknown, expired or of a deleted agent opens nothing", async (session) => {
  const { ann, bob, agent } = await people(session);
  const { token } = await invite(session, ann, "bob@example.com", "viewer", agent);
  assertEquals(await refusal(accept(session, bob, "0".repeat(64))), "PT404 not_found");
  await session.exec("savepoint before");
  await session.query("update public.invitations set expires_at = now()");
  assertEquals(await refusal(accept(session, bob, token)), "PT404 not_found");
  await session.exec("rollback to savepoint before");
  await as(session, ann, "delete from public.agents");
  assertEquals(await refusal(accept(session, bob, token)), "PT404 not_found");
});

rolledBack("owners invite to their agents, admins to the installation, nobody else", async (session) => {
  const { ann, bob, bobId, agent } = await people(session);
  const eve = await signUp(session, "eve@example.com");
  await session.query(
    "insert into public.agent_members (agent_id, user_id, role) values ($1, $2, 'editor')",
    [agent, bobId],
  );
  assertEquals(await refusal(invite(session, bob, "x@example.com", "viewer", agent)), "PT403 forbidden");
  assertEquals(
    await refusal(invite(session, user(eve), "x@example.com", "viewer", agent)),
    "PT404 not_found",
  );
  assertEquals(await refusal(invite(session, ann, "x@example.com", "member")), "PT403 forbidden");
  await invite(session, admin(eve), "x@example.com", "member");
  await invite(session, service, "y@example.com", "admin");
  for (
    const [email, role, target] of [
      ["x@example.com", "member", agent],
      ["x@example.com", "root", agent],
      ["nobody", "viewer", agent],
      [null, "viewer", agent],
      ["x@example.com", null, agent],
    ] as [string, string, string][]
  ) {
    const call = invite(session, ann, email, role, target);
    assertEquals(await refusal(call), "PT422 validation_failed", `${email} ${role}`);
  }
  assertEquals(
    await refusal(invite(session, admin(eve), "x@example.com", "viewer")),
    "PT422 validation_failed",
  );
});

rolledBack("an invited admin is one with their next token", async (session) => {
  const { bob, bobId } = await people(session);
  const member = await invite(session, service, "bob@example.com", "member");
  assertEquals(await accept(session, bob, member.token), { agent_id: null, user_id: bobId, role: "member" });
  const { token } = await invite(session, service, "bob@example.com", "admin");
  await session.query('update auth.users set raw_app_meta_data = \'{"provider": "email"}\' where id = $1', [
    bobId,
  ]);
  assertEquals(await accept(session, bob, token), { agent_id: null, user_id: bobId, role: "admin" });
  const [row] = await session.query(
    "select raw_app_meta_data::jsonb as metadata from auth.users where id = $1",
    [bobId],
  );
  assertEquals(row, { metadata: { provider: "email", role: "admin" } });
});

rolledBack(
  "a new invitation replaces the open one, and none takes away what a member has",
  async (session) => {
    const { ann, bob, agent } = await people(session);
    const first = await invite(session, ann, "bob@example.com", "editor", agent);
    const second = await invite(session, ann, "BOB@example.com", "editor", agent);
    assertEquals(await refusal(accept(session, bob, first.token)), "PT404 not_found");
    await accept(session, bob, second.token);
    const lower = await invite(session, ann, "bob@example.com", "viewer", agent);
    assertEquals((await accept(session, bob, lower.token)).role, "editor");
  },
);

rolledBack(
  "owners change and remove members, a member leaves, nobody makes themselves one",
  async (session) => {
    const { ann, bob, bobId, agent } = await people(session);
    const join = as(session, bob, "insert into public.agent_members (agent_id, user_id) values ($1, $2)", [
      agent,
      bobId,
    ]);
    assertEquals(await refusal(join), "42501");
    await session.query(
      "insert into public.agent_members (agent_id, user_id, role) values ($1, $2, 'viewer')",
      [agent, bobId],
    );
    await as(session, bob, "update public.agent_members set role = 'owner'");
    const roles = () => session.query("select role from public.agent_members");
    assertEquals(await roles(), [{ role: "viewer" }]);
    await as(session, ann, "update public.agent_members set role = 'editor'");
    assertEquals(await roles(), [{ role: "editor" }]);
    await as(session, bob, "delete from public.agent_members");
    assertEquals(await roles(), []);
  },
);
