import { assert, assertEquals } from "@std/assert";
import { callOptions, mayCall, type Wishes } from "../../../functions/chat/model/wishes.ts";

const agent = { max_tokens: 500, temperature: 0.7, top_p: 0.9 };
const tool = { type: "function", name: "weather", inputSchema: { type: "object" } } as const;
const call = { id: "a", name: "weather", arguments: "{}" };

Deno.test("without wishes the agent's settings count", () => {
  assertEquals(callOptions(agent, {}), { maxOutputTokens: 500, temperature: 0.7, topP: 0.9 });
});

Deno.test("a wish counts as far as the agent's settings go", () => {
  assertEquals(
    callOptions(agent, { maxOutputTokens: 20, temperature: 0, topP: 0.1 }),
    { maxOutputTokens: 20, temperature: 0, topP: 0.1 },
  );
  assertEquals(
    callOptions(agent, { maxOutputTokens: 100_000, temperature: 2, topP: 1 }),
    { maxOutputTokens: 500, temperature: 0.7, topP: 0.9 },
  );
});

Deno.test("other wishes reach the model as they are", () => {
  const wishes: Wishes = { stopSequences: ["END"], seed: 7, tools: [tool], toolChoice: { type: "auto" } };
  assertEquals(callOptions(agent, { ...wishes, oneToolCall: true }), {
    ...wishes,
    maxOutputTokens: 500,
    temperature: 0.7,
    topP: 0.9,
  });
});

Deno.test("a tool is only for a client that offered one, and a second only for one that takes several", () => {
  assert(!mayCall({}, []));
  assert(!mayCall({ tools: [] }, []));
  assert(!mayCall({ tools: [tool], toolChoice: { type: "none" } }, []));
  assert(mayCall({ tools: [tool] }, [call]));
  assert(mayCall({ tools: [tool], oneToolCall: true }, []));
  assert(!mayCall({ tools: [tool], oneToolCall: true }, [call]));
});
