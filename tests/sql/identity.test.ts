import { assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { admin, as, makeAgent, refusal, service, signUp, user, value } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";

const profile = async (session: Session, id: string) => {
  const [row] = await session.query<Record<string, unknown>>(
    `select email, email_verified, first_name, last_name, plan, deleted_at is not null as deleted
     from public.users where id = $1`,
    [id],
  );
  return row;
};

rolledBack("every auth user has a profile that follows their address", async (session) => {
  const id = crypto.randomUUID();
  await session.query("insert into auth.users (id, email, raw_user_meta_data) values ($1, $2, $3)", [
    id,
    "ann@example.com",
    JSON.stringify({ first_name: "Ann", last_name: "x".repeat(500) }),
  ]);
  const expected = {
    email: "ann@example.com",
    email_verified: false,
    first_name: "Ann",
    last_name: "x".repeat(200),
    plan: "free",
    deleted: false,
  };
  assertEquals(await profile(session, id), expected);
  await session.query("update auth.users set email_confirmed_at = now() where id = $1", [id]);
  assertEquals(await profile(session, id), { ...expected, email_verified: true });
  // Names are the user's own from then on.
  await as(
    session,
    user(id),
    "update public.users set first_name = 'Anna', preferences = '{\"theme\": \"dark\"}'",
  );
  await session.query(
    "update auth.users set email = 'anna@example.com', email_confirmed_at = null, raw_user_meta_data = '{}' where id = $1",
    [id],
  );
  assertEquals(await profile(session, id), {
    ...expected,
    email: "anna@example.com",
    email_verified: false,
    first_name: "Anna",
  });
});

rolledBack("users that were there before get their profile", async (session) => {
  await session.exec("alter table auth.users disable trigger on_auth_user_created");
  const id = await signUp(session, "early@example.com");
  assertEquals(await profile(session, id), undefined);
  await session.query("select private.store_user(to_jsonb(u)) from auth.users u");
  assertEquals((await profile(session, id))?.email, "early@example.com");
});

rolledBack(
  "with the auth user the profile and the agents are hidden at once, and rights end",
  async (session) => {
    const [ann, bob] = [await signUp(session), await signUp(session)];
    const [hers, his] = [await makeAgent(session, ann), await makeAgent(session, bob)];
    await session.query(
      "insert into public.agent_members (agent_id, user_id, role) values ($1, $2, 'owner')",
      [his, ann],
    );
    const seen = async () => [
      (await as(session, user(ann), "select id from public.users")).length,
      (await as(session, user(ann), "select id from public.agents")).length,
      (await as(session, admin(ann), "select key from public.app_config")).length > 0,
    ];
    const before = await seen();
    await session.query("delete from auth.users where id = $1", [ann]);
    assertEquals([before, await seen()], [[1, 2, true], [0, 0, false]]);
    assertEquals(await session.query("select id from public.agents where deleted_at is null"), [{ id: his }]);
    assertEquals((await profile(session, ann))?.deleted, true);
    assertEquals(
      await refusal(as(session, user(ann), "insert into public.agents (name) values ('New')")),
      "PT403 forbidden",
    );
    assertEquals(await value(session, user(ann), "public.agent_access($1)", [hers]), null);
  },
);

rolledBack(
  "deleting a profile hides it, and only the eraser removes it with all that is the user's",
  async (session) => {
    const ann = await signUp(session);
    await makeAgent(session, ann);
    await as(session, service, "delete from public.users where id = $1", [ann]);
    assertEquals((await profile(session, ann))?.deleted, true);
    await session.query("select set_config('app.erasing', 'on', true)");
    await session.query("delete from public.users where id = $1", [ann]);
    assertEquals([await profile(session, ann), await session.query("select id from public.agents")], [
      undefined,
      [],
    ]);
  },
);

rolledBack(
  "a user reads their own profile and writes names and preferences, nothing more",
  async (session) => {
    const [ann, bob] = [await signUp(session), await signUp(session)];
    assertEquals((await as(session, user(ann), "select id from public.users")).map(({ id }) => id), [ann]);
    for (
      const column of [
        "plan = 'business'",
        "email = 'x@example.com'",
        "email_verified = true",
        "deleted_at = now()",
      ]
    ) {
      assertEquals(
        await refusal(as(session, user(ann), `update public.users set ${column}`)),
        "42501",
        column,
      );
    }
    await as(session, user(ann), "update public.users set last_name = 'Lee'");
    assertEquals((await profile(session, bob))?.last_name, "");
    for (const wrong of ["preferences = '[]'", `preferences = jsonb_build_object('a', repeat('x', 17000))`]) {
      assertEquals(await refusal(as(session, user(ann), `update public.users set ${wrong}`)), "23514");
    }
    assertEquals((await as(session, admin(bob), "select id from public.users")).length, 2);
  },
);

rolledBack(
  "an admin is one whose token says so in app_metadata, where only a server writes",
  async (session) => {
    const ann = await signUp(session);
    const sees = async (claims: Record<string, unknown>) =>
      (await as(session, user(ann, claims), "select key from public.app_config")).length > 0;
    assertEquals(await sees({ app_metadata: { role: "admin" } }), true);
    for (
      const claims of [
        {},
        { app_metadata: null },
        { app_metadata: {} },
        { app_metadata: { role: null } },
        { app_metadata: { role: ["admin"] } },
        { app_metadata: { role: "Admin" } },
        { user_metadata: { role: "admin" } },
        { role: "admin" },
      ]
    ) assertEquals(await sees(claims), false, JSON.stringify(claims));
  },
);

rolledBack("the plans are those that are sold", async (session) => {
  const plans = await session.query(
    "select name, messages::integer, tokens::integer, documents, agents from public.plans order by messages",
  );
  assertEquals(plans, [
    { name: "free", messages: 1_000, tokens: 1_000_000, documents: 200, agents: 3 },
    { name: "pro", messages: 20_000, tokens: 20_000_000, documents: 2_000, agents: 20 },
    { name: "business", messages: 200_000, tokens: 200_000_000, documents: 20_000, agents: 100 },
  ]);
});
