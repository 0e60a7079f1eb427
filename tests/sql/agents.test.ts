import { assertEquals } from "@std/assert";
import { as, makeAgent, refusal, service, signUp, user, value } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";

rolledBack("a name is enough to make an agent, and the rest has its defaults", async (session) => {
  const ann = await signUp(session, "ann@example.com");
  const [agent] = await as(
    session,
    user(ann),
    `insert into public.agents (name) values ('Shop') returning owner_id, description, role, instructions, model,
       temperature::text, max_tokens, top_p::text, is_active, config, metadata, rag_enabled, match_threshold, match_count,
       language, fallback_models, prompt_version_id, provider_key_id, embedding_model, monthly_messages, deleted_at`,
  );
  assertEquals(agent, {
    owner_id: ann,
    description: "",
    role: "assistant",
    instructions: "",
    model: "mistral-large-latest",
    temperature: "0.7",
    max_tokens: 1024,
    top_p: "1",
    is_active: true,
    config: {},
    metadata: {},
    rag_enabled: true,
    match_threshold: null,
    match_count: 5,
    language: "fr",
    fallback_models: [],
    prompt_version_id: null,
    provider_key_id: null,
    embedding_model: null,
    monthly_messages: null,
    deleted_at: null,
  });
  const facts = await session.query<{ key: string; value: string }>(
    "select key, value from public.company_facts order by key",
  );
  assertEquals(Object.fromEntries(facts.map(({ key, value }) => [key, value])), {
    app_name: "Shop",
    brand_name: "Shop",
    contact_email: "ann@example.com",
    currency: "EUR",
    language_default: "fr",
    product_domain: "nos produits et services",
  });
});

rolledBack("an agent's settings are held to their range", async (session) => {
  const ann = user(await signUp(session));
  await as(session, ann, "insert into public.agents (name) values ('Shop')");
  const wrong = [
    "name = ' '",
    "temperature = -0.1",
    "temperature = 1.1",
    "temperature = 'NaN'",
    "max_tokens = 0",
    "top_p = 0",
    "top_p = 1.1",
    "match_count = 0",
    "match_count = 21",
    "match_threshold = -0.1",
    "match_threshold = 'NaN'",
    "language = 'French'",
    "model = ''",
    "fallback_models = array['a', null]",
    "fallback_models = array['']",
    "fallback_models = array['a', 'b', 'c', 'd', 'e', 'f']",
    "monthly_messages = 0",
    "monthly_tokens = -1",
    "monthly_cost = 'NaN'",
    "monthly_cost = 0",
    "config = '[]'",
    "metadata = '1'",
  ];
  for (const change of wrong) {
    assertEquals(await refusal(as(session, ann, `update public.agents set ${change}`)), "23514", change);
  }
  await as(
    session,
    ann,
    "update public.agents set fallback_models = '{local/x,openai/y}', top_p = 0.1, temperature = 0",
  );
});

rolledBack("a user makes agents of their own only, and no second one of the same name", async (session) => {
  const [ann, bob] = [await signUp(session), await signUp(session)];
  const insert = "insert into public.agents (name, owner_id) values ('Shop', $1)";
  assertEquals(await refusal(as(session, user(ann), insert, [bob])), "42501");
  await as(session, user(ann), insert, [ann]);
  await as(session, user(bob), insert, [bob]);
  assertEquals(await refusal(as(session, user(ann), insert, [ann])), "23505");
});

rolledBack("the plan says how many agents an owner has, and a deleted one makes room", async (session) => {
  const ann = user(await signUp(session));
  const make = (name: string) => as(session, ann, "insert into public.agents (name) values ($1)", [name]);
  for (const name of ["1", "2", "3"]) await make(name);
  assertEquals(await refusal(make("4")), "PT429 quota_exceeded");
  await as(session, ann, "delete from public.agents where name = '1'");
  await make("1");
  assertEquals(await refusal(make("4")), "PT429 quota_exceeded");
  const back = as(
    session,
    service,
    "update public.agents set deleted_at = null, name = 'back' where deleted_at is not null",
  );
  assertEquals(await refusal(back), "PT429 quota_exceeded");
  await session.query("update public.users set plan = 'pro' where id = $1", [ann.name]);
  await make("4");
});

rolledBack(
  "a deleted agent is hidden at once from its members, and erased only by the job",
  async (session) => {
    const [ann, bob] = [await signUp(session), await signUp(session)];
    const agent = await makeAgent(session, ann);
    await session.query("insert into public.agent_members (agent_id, user_id) values ($1, $2)", [agent, bob]);
    const seen = async (id: string) => (await as(session, user(id), "select id from public.agents")).length;
    assertEquals([await seen(ann), await seen(bob)], [1, 1]);
    await as(session, user(bob), "delete from public.agents");
    assertEquals([await seen(ann), await seen(bob)], [1, 1]);
    await as(session, user(ann), "delete from public.agents");
    assertEquals([await seen(ann), await seen(bob)], [0, 0]);
    assertEquals(await value(session, user(ann), "public.agent_access($1)", [agent]), null);
    assertEquals(await value(session, service, "public.agent_access($1)", [agent]), null);
    assertEquals(
      await refusal(value(session, user(ann), "public.create_api_key($1, 'k')", [agent])),
      "PT404 not_found",
    );
    const [kept] = await session.query("select deleted_at is not null as hidden from public.agents");
    assertEquals(kept, { hidden: true });
    await session.query("select set_config('app.erasing', 'on', true)");
    await session.query("delete from public.agents");
    assertEquals(await session.query("select id from public.agents"), []);
    assertEquals(await session.query("select id from public.company_facts_versions"), []);
  },
);

rolledBack("agent_access says what the caller is", async (session) => {
  const ids = {
    owner: await signUp(session),
    editor: await signUp(session),
    viewer: await signUp(session),
  };
  const agent = await makeAgent(session, ids.owner);
  for (const role of ["editor", "viewer"] as const) {
    await session.query("insert into public.agent_members (agent_id, user_id, role) values ($1, $2, $3)", [
      agent,
      ids[role],
      role,
    ]);
  }
  const role = async (actor: ReturnType<typeof user>) =>
    (await value<{ role: string } | null>(session, actor, "public.agent_access($1)", [agent]))?.role ??
      null;
  assertEquals(await role(user(ids.owner)), "owner");
  assertEquals(await role(user(ids.editor)), "editor");
  assertEquals(await role(user(ids.viewer)), "viewer");
  const stranger = await signUp(session);
  assertEquals(await role(user(stranger)), null);
  assertEquals(await role(user(stranger, { app_metadata: { role: "admin" } })), "admin");
  assertEquals(
    await role(user(stranger, { user_metadata: { role: "admin" }, role: "service_role" })),
    null,
  );
  assertEquals(await role(service), "service");
  assertEquals(await value(session, user(ids.owner), "public.agent_access($1)", [agent]), {
    agent_id: agent,
    owner_id: ids.owner,
    role: "owner",
    name: "Shop",
    embedding_model: null,
    language: "fr",
    is_active: true,
  });
});

rolledBack("an editor changes an agent, but not who pays and how much", async (session) => {
  const [ann, editor] = [await signUp(session), await signUp(session)];
  const agent = await makeAgent(session, ann);
  await session.query(
    "insert into public.agent_members (agent_id, user_id, role) values ($1, $2, 'editor')",
    [
      agent,
      editor,
    ],
  );
  await as(
    session,
    user(editor),
    "update public.agents set instructions = 'Be brief.', monthly_messages = null",
  );
  for (const money of ["monthly_messages = 5", "monthly_tokens = 5", "monthly_cost = 5"]) {
    const change = `update public.agents set ${money}`;
    assertEquals(await refusal(as(session, user(editor), change)), "PT403 forbidden", money);
    await as(session, user(ann), change);
  }
});

rolledBack("an agent uses its owner's provider key and none of another user", async (session) => {
  const [ann, bob] = [await signUp(session), await signUp(session)];
  await makeAgent(session, ann);
  const key = async (owner: string) => {
    const [row] = await session.query<{ id: string }>(
      `insert into public.provider_keys (user_id, provider, ciphertext, secret_id, key_hash, masked_key)
       values ($1, 'mistral', 'c2VhbGVk', '1', repeat('a', 64), 'WW8G...T9g') returning id`,
      [owner],
    );
    return row!.id;
  };
  const [mine, theirs] = [await key(ann), await key(bob)];
  const use = (id: string) => as(session, user(ann), "update public.agents set provider_key_id = $1", [id]);
  assertEquals(await refusal(use(theirs)), "23503");
  await use(mine);
  assertEquals(
    await refusal(as(session, user(ann), "select ciphertext from public.provider_keys")),
    "42501",
  );
  assertEquals(await refusal(as(session, user(ann), "select key_hash from public.provider_keys")), "42501");
  await as(session, user(ann), "delete from public.provider_keys");
  assertEquals(await session.query("select owner_id, provider_key_id from public.agents"), [{
    owner_id: ann,
    provider_key_id: null,
  }]);
  assertEquals((await session.query("select id from public.provider_keys")).length, 1);
});
