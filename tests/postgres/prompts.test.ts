import { assertEquals } from "@std/assert";
import { connect, type Session } from "../../local/database.ts";
import { makeAgent, signUp, told } from "../sql/people.ts";
import { type Admission, makeClient } from "../sql/turns.ts";
import { openDatabase, type TestDatabase } from "../support/database.ts";
import { atOnce, gather, tally, waiting } from "./crowd.ts";

async function makeShop(database: TestDatabase): Promise<string> {
  const agent = await makeAgent(database, await signUp(database), `Shop ${crypto.randomUUID()}`);
  await database.query("select public.set_company_fact($1, 'days', '30')", [agent]);
  return agent;
}

/** What becomes of `second` when it starts while `first` has not committed yet. */
async function behind(
  database: TestDatabase,
  first: (session: Session) => Promise<unknown>,
  second: (session: Session) => Promise<unknown>,
): Promise<string> {
  const other = await connect({ url: database.url! });
  try {
    let outcome = Promise.resolve("");
    await database.transaction(async (session) => {
      await first(session);
      outcome = told(second(other));
      await waiting(session, 1);
    });
    return await outcome;
  } finally {
    await other.close();
  }
}

Deno.test("of those who publish at once each makes a version of their own, and one is active", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url, 10);
  const agent = await makeShop(database);
  const made = await atOnce(
    30,
    (n) =>
      n % 3 === 2
        ? crowd.call<{ version: number }>("public.activate_prompt", {
          name: "main",
          version: 1,
          agent_id: agent,
        })
          .catch(() => null)
        : crowd.call<{ version: number }>("public.publish_prompt", {
          name: "main",
          content: `v${n}`,
          agent_id: agent,
        }),
  );
  assertEquals(new Set(made.filter((_, n) => n % 3 !== 2).map((version) => version!.version)).size, 20);
  const [row] = await database.query(
    `select max(v.version) as newest, count(*)::integer as versions, count(*) filter (where v.active)::integer as active
     from public.prompt_versions v join public.prompts p on p.id = v.prompt_id where p.agent_id = $1`,
    [agent],
  );
  assertEquals(row, { newest: 20, versions: 20, active: 1 });
});

Deno.test("a prompt and the fact it needs do not change past each other", async () => {
  await using database = await openDatabase();
  const publish = (agent: string) => (session: Session) =>
    session.query("select public.publish_prompt('main', '{{days:integer}}', $1)", [agent]);
  const pin = (agent: string) => (session: Session) =>
    session.query(
      `update public.agents set prompt_version_id = (select v.id from public.prompt_versions v
         join public.prompts p on p.id = v.prompt_id where p.agent_id = $1 and p.name = 'draft') where id = $1`,
      [agent],
    );
  const remove = (agent: string) => (session: Session) =>
    session.query("delete from public.company_facts where agent_id = $1 and key = 'days'", [agent]);
  const misfit = (agent: string) => (session: Session) =>
    session.query("select public.set_company_fact($1, 'days', 'thirty')", [agent]);
  const lacking = (name: string, fault: string) =>
    `PT422 validation_failed: Cannot answer with the prompt ${name}: the fact days ${fault}`;
  const needed = (name: string) =>
    `PT409 conflict: Cannot do without the fact days: the prompt ${name} needs it`;
  const unfit = (name: string) =>
    `PT422 validation_failed: Cannot change the fact days: for the prompt ${name} its value is not of type integer`;
  for (
    const [prompt, name] of [[publish, "main"], [pin, "draft"]] as const
  ) {
    for (
      const [change, refusal, fault] of [
        [remove, needed(name), "is missing"],
        [misfit, unfit(name), "is not of type integer"],
      ] as const
    ) {
      for (const isPromptFirst of [true, false]) {
        const agent = await makeShop(database);
        await database.query("select public.publish_prompt('draft', '{{days:integer}}', $1)", [agent]);
        const order = [prompt(agent), change(agent)] as const;
        const outcome = isPromptFirst
          ? await behind(database, order[0], order[1])
          : await behind(database, order[1], order[0]);
        assertEquals(outcome, isPromptFirst ? refusal : lacking(name, fault));
      }
    }
  }
});

Deno.test("of many who publish and remove at once nobody leaves a prompt without its fact", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url, 20);
  const agents = await atOnce(10, () => makeShop(database));
  const outcomes = await atOnce(40, (n) => {
    const agent_id = agents[n % 10]!;
    return told(
      n < 20
        ? crowd.call("public.publish_prompt", { name: "main", content: "{{days:integer}}", agent_id })
        : crowd.call("public.set_company_fact", { agent_id, key: "days", value: "" }),
    );
  });
  const codes = tally(outcomes.map((outcome) => outcome.split(":")[0]));
  assertEquals(
    Object.keys(codes).filter((code) =>
      !/nothing was refused|PT409 conflict|PT422 validation_failed/.test(code)
    ),
    [],
  );
  for (const agent of agents) {
    assertEquals(
      await database.query(
        `select f.* from private.prompts_in_use($1) u, lateral private.prompt_faults(u.content, private.fact_values($1)) f`,
        [agent],
      ),
      [],
    );
  }
});

Deno.test("a turn records the version whose words it was given, while others publish", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url, 20);
  const client = await database.transaction((session) =>
    makeClient(session, { key: { requests_per_minute: 10_000 } })
  );
  const publish = (n: number) =>
    crowd.call("public.publish_prompt", {
      name: "main",
      content: `Version of ${n}.`,
      agent_id: client.agentId,
    });
  await publish(0);
  const turns = await atOnce(60, async (n) => {
    if (n % 3 === 2) return void await publish(n);
    const turn = await crowd.call<Admission>("public.admit_turn", {
      key_hash: client.keyHash,
      message: "May I return it?",
      message_tokens: 5,
    });
    await crowd.call("public.settle_turn", {
      turn_id: turn.turn_id,
      outcome: "completed",
      provider: "local",
      model: "extractive",
      answer: turn.prompt,
    });
    return turn;
  });
  const given = turns.filter((turn) => turn !== undefined);
  assertEquals(given.filter(({ admitted }) => admitted).length, 40);
  const told = await database.query(
    `select count(*)::integer as answers, count(*) filter (where m.content = v.content)::integer as by_that_version
     from public.messages m left join public.prompt_versions v on v.id = m.prompt_version_id
     where m.agent_id = $1 and m.role = 'assistant'`,
    [client.agentId],
  );
  assertEquals(told, [{ answers: 40, by_that_version: 40 }]);
});
