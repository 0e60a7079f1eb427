import { assertEquals, assertMatch } from "@std/assert";
import { assertProblem } from "../../support/security-suite.ts";
import { startChat } from "./fixture.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

const saved = (agentId: string) =>
  chat.rows("select rating, comment, category, session_id from public.feedback where agent_id = $1", [
    agentId,
  ]);

Deno.test("an answer is rated once, and a later rating replaces the earlier one", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  const { message_id, session_id } = await (await agent.ask({ message: "How are you?" })).json();
  const rate = async (body: Record<string, unknown>) =>
    await (await agent.call("POST", "feedback", { message_id, ...body })).json();
  const first = await rate({ rating: 1, comment: "Good", category: "tone" });
  assertEquals(Object.keys(first).sort(), ["id", "message_id", "rating"]);
  assertEquals([first.message_id, first.rating], [message_id, 1]);
  assertEquals(await saved(agent.id), [{ rating: 1, comment: "Good", category: "tone", session_id }]);
  assertEquals(await rate({ rating: -1, comment: null, category: null }), { ...first, rating: -1 });
  assertEquals(await saved(agent.id), [{ rating: -1, comment: null, category: null, session_id }]);
  const { messages } = await (await agent.call("GET", `sessions/${session_id}/messages`)).json();
  assertEquals(messages.map((message: { rating: number | null }) => message.rating), [null, -1]);
});

Deno.test("only an answer of the key's own agent can be rated", async () => {
  const [mine, other] = [await chat.agent({ steps: ["Fine."] }), await chat.agent()];
  const { message_id } = await (await mine.ask({ message: "How are you?" })).json();
  const [question] = await chat.rows<{ id: string }>(
    "select id from public.messages where agent_id = $1 and role = 'user'",
    [mine.id],
  );
  for (
    const [agent, id] of [[other, message_id], [mine, question!.id], [mine, crypto.randomUUID()]] as const
  ) {
    const missing = await agent.call("POST", "feedback", { message_id: id, rating: 1 });
    assertMatch(missing.headers.get("ratelimit") ?? "", /"key"/);
    await assertProblem(missing, 404, "not_found");
  }
  assertEquals([await saved(mine.id), await saved(other.id)], [[], []]);
});
