import { assertEquals, assertMatch } from "@std/assert";
import { assertProblem } from "../../support/security-suite.ts";
import { type ChatAgent, startChat } from "./fixture.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

const owner = () => chat.stack.client(chat.owner.token);

async function publish(agent: ChatAgent, content: string): Promise<string> {
  const { data } = await owner().rpc("publish_prompt", { name: "main", content, agent_id: agent.id })
    .throwOnError();
  return (data as { id: string }).id;
}

/** The stored answers of an agent, as its owner reads them. */
async function answers(agent: ChatAgent): Promise<Record<string, unknown>[]> {
  const { data } = await owner().from("messages").select("content, support, prompt_version_id")
    .eq("agent_id", agent.id).eq("role", "assistant").order("id").throwOnError();
  return data;
}

Deno.test("facts complete the active prompt, and members read which version answered", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  await owner().rpc("set_company_fact", { agent_id: agent.id, key: "return_days", value: "30" })
    .throwOnError();
  const version = await publish(agent, "Returns take {{return_days:integer}} days.");
  assertEquals((await agent.ask({ message: "Hello" })).status, 200);
  const [system] = agent.calls()[0]!.body.messages;
  assertMatch(system.content, /^Returns take 30 days\.\n/);
  assertMatch(system.content, /^- return_days: 30$/m);
  assertEquals(await answers(agent), [{ content: "Fine.", support: null, prompt_version_id: version }]);
});

Deno.test("chat refuses a turn whose prompt lacks a fact, without the model", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  const version = await publish(agent, "Plain.");
  await chat.rows("update public.prompt_versions set active = false where id = $1", [version]);
  await chat.rows(
    `insert into public.prompt_versions (prompt_id, version, content, active)
     select prompt_id, 2, 'Within {{return_days:integer}} days.', true from public.prompt_versions where id = $1`,
    [version],
  );
  for (const stream of [false, true]) {
    const problem = await assertProblem(
      await agent.ask({ message: "Hello", stream }),
      422,
      "validation_failed",
    );
    assertEquals(problem.detail, "Cannot answer with the agent's prompt: the fact return_days is missing");
  }
  assertEquals(agent.calls().length, 0);
  assertEquals(await chat.rows("select from public.conversations where agent_id = $1", [agent.id]), []);
});

Deno.test("the share of supported statements is stored with each answer, null where nothing can support it", async () => {
  const agent = await chat.agent({
    steps: ["Refunds take thirty days [1]. ", "Gifts fly to the moon [1]. Hello!"],
  });
  await agent.learn("Handbook", ["Refunds take thirty days."]);
  const ask = async (steps?: string[]) => {
    if (steps) chat.models.play(agent.model, { steps });
    assertEquals((await agent.ask({ message: "How long do refunds take?" })).status, 200);
  };
  await ask();
  await ask(["Refunds take 30 days [1]."]);
  await ask(["Refunds take 30 days [9]."]);
  await ask(["I do not know."]);
  await owner().from("agents").update({ rag_enabled: false }).eq("id", agent.id).throwOnError();
  await ask(["Refunds take thirty days."]);
  assertEquals((await answers(agent)).map(({ support }) => support), [0.5, 1, 0, null, null]);
});

Deno.test("a session's messages keep the shape of the contract", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  const session = "a-session-of-twenty-characters";
  await agent.ask({ message: "Hello", session_id: session });
  const { messages } = await (await agent.call("GET", `sessions/${session}/messages`)).json();
  for (const message of messages) {
    assertEquals(Object.keys(message).sort(), [
      "citations",
      "content",
      "created_at",
      "id",
      "rating",
      "role",
      "turn_id",
    ]);
  }
});
