import { assertEquals, assertStringIncludes } from "@std/assert";
import { admin, as, makeAgent, refusal, signUp, user, value } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";

interface Version {
  id: string;
  version: number;
  active: boolean;
  content: string;
}

rolledBack(
  "publishing makes the next version and the active one; an earlier one can be activated again",
  async (session) => {
    const ann = user(await signUp(session));
    const agent = await makeAgent(session, ann.name);
    const publish = (content: string) =>
      value<Version>(session, ann, "public.publish_prompt('main', $1, $2)", [content, agent]);
    const activate = (version: number) =>
      value<Version>(session, ann, "public.activate_prompt('main', $1, $2)", [version, agent]);
    const first = await publish("one");
    const second = await publish("two");
    assertEquals([first.version, second.version, second.active, second.content], [1, 2, true, "two"]);
    const active = () =>
      session.query(
        "select v.version from public.prompt_versions v join public.prompts p on p.id = v.prompt_id where p.agent_id = $1 and v.active",
        [agent],
      );
    assertEquals(await active(), [{ version: 2 }]);
    assertEquals((await activate(1)).id, first.id);
    assertEquals(await active(), [{ version: 1 }]);
    assertEquals((await activate(1)).active, true);
    assertEquals(await refusal(activate(3)), "PT404 not_found");
    assertEquals(await active(), [{ version: 1 }]);
    assertEquals((await publish("three")).version, 3);
  },
);

rolledBack("a prompt of a language stands beside the one for all", async (session) => {
  const ann = user(await signUp(session));
  const agent = await makeAgent(session, ann.name);
  const publish = (content: string, language: string | null) =>
    value<Version>(session, ann, "public.publish_prompt('main', $1, $2, $3)", [content, agent, language]);
  assertEquals((await publish("a", null)).version, 1);
  assertEquals((await publish("b", "en")).version, 1);
  assertEquals((await publish("c", null)).version, 2);
  for (
    const [content, language] of [["", "en"], [" ", null], [null, null], ["x", "English"]] as [
      string,
      string,
    ][]
  ) {
    assertEquals(await refusal(publish(content, language)), "PT422 validation_failed");
  }
});

rolledBack(
  "editors write the prompts and facts of their agents, admins those of the installation",
  async (session) => {
    const [ann, editor, viewer, eve] = [
      await signUp(session),
      await signUp(session),
      await signUp(session),
      await signUp(session),
    ];
    const agent = await makeAgent(session, ann);
    for (const [id, role] of [[editor, "editor"], [viewer, "viewer"]]) {
      await session.query("insert into public.agent_members (agent_id, user_id, role) values ($1, $2, $3)", [
        agent,
        id,
        role,
      ]);
    }
    for (
      const call of [
        "public.publish_prompt('main', 'x', $1)",
        "public.set_company_fact($1, 'return_policy', '30 days')",
      ]
    ) {
      await value(session, user(editor), call, [agent]);
      assertEquals(await refusal(value(session, user(viewer), call, [agent])), "PT403 forbidden");
      assertEquals(await refusal(value(session, user(eve), call, [agent])), "PT404 not_found");
    }
    const installation = "public.publish_prompt('chatbot_main', 'Salut', null, 'fr')";
    assertEquals(await refusal(value(session, user(ann), installation)), "PT403 forbidden");
    assertEquals((await value<Version>(session, admin(eve), installation)).version, 2);
    assertEquals(
      (await as(session, user(ann), "select id from public.prompts where agent_id is null")).length,
      0,
    );
    assertEquals(
      await refusal(as(session, user(editor), "update public.prompt_versions set content = 'y'")),
      "42501",
    );
  },
);

rolledBack("an agent pins a version of its own prompts and of no other", async (session) => {
  const [ann, bob] = [user(await signUp(session)), user(await signUp(session))];
  const [hers, his] = [await makeAgent(session, ann.name), await makeAgent(session, bob.name)];
  const own = await value<Version>(session, ann, "public.publish_prompt('main', 'x', $1)", [hers]);
  const foreign = await value<Version>(session, bob, "public.publish_prompt('main', 'x', $1)", [his]);
  const [shared] = await session.query<{ id: string }>(
    "select v.id from public.prompt_versions v join public.prompts p on p.id = v.prompt_id where p.name = 'admin_system'",
  );
  const pin = (id: string) => as(session, ann, "update public.agents set prompt_version_id = $1", [id]);
  assertEquals(await refusal(pin(foreign.id)), "PT422 validation_failed");
  assertEquals(await refusal(pin(shared!.id)), "PT422 validation_failed");
  await pin(own.id);
  await as(session, ann, "delete from public.prompts");
  assertEquals(await session.query("select prompt_version_id from public.agents where id = $1", [hers]), [{
    prompt_version_id: null,
  }]);
});

rolledBack("an installation starts with its prompts", async (session) => {
  const found = await session.query<{ name: string; language: string | null; content: string }>(`
    select p.name, p.language, v.content from public.prompts p join public.prompt_versions v on v.prompt_id = p.id and v.active
    order by p.name, p.language`);
  assertEquals(found.map(({ name, language }) => [name, language]), [["admin_system", null], [
    "chatbot_main",
    "en",
  ], ["chatbot_main", "fr"]]);
  assertStringIncludes(found[2]!.content, "Tu es {{app_name}}, un assistant IA expert pour {{brand_name}}.");
  assertStringIncludes(found[2]!.content, "ni les secrets système.");
});

rolledBack("variables become facts, once, and only they", async (session) => {
  const facts = { app_name: "Zoé", trick: "{{app_name}}", slash: "a\\1&b" };
  const render = async (content: string | null) =>
    (await session.query<{ text: string }>("select private.render_prompt($1, $2) as text", [
      content,
      JSON.stringify(facts),
    ]))[0]!.text;
  assertEquals(await render("Tu es {{app_name}}."), "Tu es Zoé.");
  assertEquals(await render("{{ app_name }}{{app_name}}"), "ZoéZoé");
  assertEquals(await render("{{trick}}"), "{{app_name}}");
  assertEquals(await render("{{slash}}"), "a\\1&b");
  assertEquals(await render("[{{unknown}}]"), "[]");
  assertEquals(await render("{{not a name}} {{ {x} }} }} {{"), "{{not a name}} {{ {x} }} }} {{");
  assertEquals(await render("{{{app_name}}}"), "{{{app_name}}}");
  assertEquals(await render("plain"), "plain");
  assertEquals(await render(""), "");
});

rolledBack(
  "a company fact counts its versions and keeps them, until its agent is erased",
  async (session) => {
    const ann = await signUp(session);
    const agent = await makeAgent(session, ann);
    const set = (text: string, category?: string) =>
      value<{ version: number; category: string; active: boolean }>(
        session,
        user(ann),
        `public.set_company_fact($1, 'return_policy', $2${category ? ", $3" : ""})`,
        category ? [agent, text, category] : [agent, text],
      );
    assertEquals((await set("14 days", "policy")).version, 1);
    assertEquals((await set("14 days", "policy")).version, 1);
    assertEquals((await set("30 days")).version, 2);
    await as(session, user(ann), "delete from public.company_facts where key = 'return_policy'");
    const history = await as(
      session,
      user(ann),
      "select old_value, new_value, version, changed_by from public.company_facts_versions where key = 'return_policy' order by id",
    );
    assertEquals(history, [
      { old_value: null, new_value: "14 days", version: 1, changed_by: ann },
      { old_value: "14 days", new_value: "30 days", version: 2, changed_by: ann },
      { old_value: "30 days", new_value: null, version: 2, changed_by: ann },
    ]);
    for (
      const [key, text, category] of [["Bad Key", "x", "general"], ["k", null, "general"], [
        "k",
        "x",
        "gossip",
      ], ["k", "x".repeat(4001), "general"]]
    ) {
      const call = value(session, user(ann), "public.set_company_fact($1, $2, $3, $4)", [
        agent,
        key,
        text,
        category,
      ]);
      assertEquals(await refusal(call), "PT422 validation_failed", `${key} ${category}`);
    }
  },
);
