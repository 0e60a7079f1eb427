import { assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { as, refusal, user } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import {
  admit,
  append,
  call,
  change,
  type Client,
  everything,
  exchange,
  makeClient,
  reap,
  settle,
} from "./turns.ts";

interface Version {
  id: string;
  version: number;
}

function publish(session: Session, client: Client, content: string, name = "main"): Promise<Version> {
  return call<Version>(session, "public.publish_prompt", { name, content, agent_id: client.agentId });
}

/** Makes a version the active one without the checks of `publish_prompt`, as nobody but the database's owner can. */
async function smuggle(session: Session, client: Client, content: string): Promise<void> {
  const { id } = await publish(session, client, "Plain.");
  await session.query("update public.prompt_versions set active = false where id = $1", [id]);
  await session.query(
    `insert into public.prompt_versions (prompt_id, version, content, active)
     select v.prompt_id, 2, $2, true from public.prompt_versions v where v.id = $1`,
    [id, content],
  );
}

const answers = (session: Session) =>
  session.query("select role, prompt_version_id, support from public.messages order by id");

rolledBack(
  "a turn whose prompt lacks a fact is refused by its name, and nothing is spent or stored",
  async (session) => {
    const client = await makeClient(session);
    await exchange(session, client);
    await smuggle(session, client, "{{return_policy}} {{currency:number}}");
    const before = await everything(session);
    const denied = await admit(session, client, {
      idempotency_key: "once",
      route: "/chat",
      request_hash: "1".repeat(64),
      session_id: "a-new-session",
    });
    assertEquals([denied.admitted, denied.code, denied.status, denied.detail], [
      false,
      "validation_failed",
      422,
      "Cannot answer with the agent's prompt: the fact currency is not of type number, the fact return_policy is missing",
    ]);
    assertEquals(await everything(session), before);
    await call(session, "public.set_company_fact", {
      agent_id: client.agentId,
      key: "return_policy",
      value: "30 days",
    });
    await call(session, "public.set_company_fact", {
      agent_id: client.agentId,
      key: "currency",
      value: "12,5",
    });
    assertEquals((await admit(session, client)).prompt, "30 days 12,5");
  },
);

rolledBack(
  "a key whose agent's prompt lacks a fact is told no system prompt, since none answers",
  async (session) => {
    const client = await makeClient(session, { agent: { instructions: "Be kind." } });
    const prompt = async () =>
      (await call<{ system_prompt: string }>(session, "public.validate_api_key", {
        p_key_hash: client.keyHash,
      })).system_prompt;
    assertEquals(await prompt(), "Be kind.");
    await smuggle(session, client, "{{return_policy}}");
    assertEquals(await prompt(), null);
  },
);

rolledBack(
  "an agent that follows a prompt of the installation is answered though it removed a fact",
  async (session) => {
    const client = await makeClient(session, { agent: { name: "Shop" } });
    await as(
      session,
      user(client.ownerId),
      "delete from public.company_facts where key in ('app_name', 'product_domain')",
    );
    assertEquals(
      String((await admit(session, client, { language: "fr" })).prompt).startsWith(
        "Tu es Shop, un assistant IA",
      ),
      true,
    );
  },
);

rolledBack(
  "each answer records the version that gave it: pinned, active, of the installation, or none",
  async (session) => {
    const client = await makeClient(session);
    const [shared] = await session.query<{ id: string }>(
      `select v.id from public.prompt_versions v join public.prompts p on p.id = v.prompt_id
     where p.agent_id is null and p.name = 'chatbot_main' and p.language = 'fr'`,
    );
    const expected: (string | null)[] = [];
    const answer = async (id: string | null) => {
      const admission = await exchange(session, client, { language: "fr" });
      assertEquals(admission.prompt_version_id, id);
      expected.push(id);
    };
    await answer(shared!.id);
    await change(session, "agents", client.agentId, { instructions: "Be kind." });
    await answer(null);
    const first = await publish(session, client, "one");
    await answer(first.id);
    const second = await publish(session, client, "two");
    await answer(second.id);
    await call(session, "public.activate_prompt", { name: "main", version: 1, agent_id: client.agentId });
    await answer(first.id);
    await change(session, "agents", client.agentId, { prompt_version_id: second.id });
    await answer(second.id);
    const stored = await answers(session);
    assertEquals(
      stored.filter(({ role }) => role === "assistant").map((row) => row.prompt_version_id),
      expected,
    );
    assertEquals(stored.filter((row) => row.role === "user" && row.prompt_version_id !== null), []);
  },
);

rolledBack(
  "an answer records the version it began with, whatever is published or deleted meanwhile",
  async (session) => {
    const client = await makeClient(session);
    const first = await publish(session, client, "one");
    const settled = await admit(session, client);
    const abandoned = await admit(session, client);
    await append(session, abandoned.turn_id, 1, "Within");
    await publish(session, client, "two");
    await settle(session, settled.turn_id);
    await as(session, user(client.ownerId), "delete from public.prompts");
    await reap(session, 3600);
    const told = await session.query(
      "select id, prompt_version_id from public.messages where role = 'assistant' order by id",
    );
    assertEquals(told, [
      { id: settled.message_id, prompt_version_id: first.id },
      { id: abandoned.message_id, prompt_version_id: first.id },
    ]);
    assertEquals(await session.query("select from public.prompt_versions where id = $1", [first.id]), []);
  },
);

rolledBack("the share of supported statements is stored with the answer, and is a share", async (session) => {
  const client = await makeClient(session);
  for (const support of [0, 1, 0.5, null]) await exchange(session, client, {}, { support });
  const turn = await admit(session, client);
  for (const support of [1.01, -0.1, "NaN"]) {
    assertEquals(
      await refusal(settle(session, turn.turn_id, { support })),
      "PT422 validation_failed",
      `${support}`,
    );
  }
  await settle(session, turn.turn_id);
  const stored = (await answers(session)).filter(({ role }) => role === "assistant").map((row) =>
    row.support
  );
  assertEquals(stored, [0, 1, 0.5, null, null]);
  assertEquals(
    (await as(
      session,
      user(client.ownerId),
      "select support from public.messages where role = 'assistant' order by id",
    ))
      .map((row) => row.support),
    stored,
  );
});
