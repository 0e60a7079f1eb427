import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type ConversationMessage,
  modelMessages,
  splitAtQuestion,
  storedConversation,
  toolMetadata,
} from "../../../functions/chat/conversation.ts";

const user = (content: string): ConversationMessage => ({ role: "user", content });
const assistant = (content: string, ...ids: string[]): ConversationMessage => ({
  role: "assistant",
  content,
  ...(ids.length > 0
    ? { toolCalls: ids.map((id) => ({ id, name: "weather", arguments: '{"city":"Lyon"}' })) }
    : {}),
});
const tool = (toolCallId: string, content = "Sunny"): ConversationMessage => ({
  role: "tool",
  content,
  toolCallId,
});

const call = (id: string) => ({
  type: "tool-call" as const,
  toolCallId: id,
  toolName: "weather",
  input: { city: "Lyon" },
});
const result = (id: string, value = "Sunny") => ({
  type: "tool-result" as const,
  toolCallId: id,
  toolName: "weather",
  output: { type: "text" as const, value },
});
const text = (value: string) => ({ type: "text" as const, text: value });

Deno.test("a model gets the calls of tools with their results, in one message", () => {
  assertEquals(
    modelMessages([user("Weather?"), assistant("Let me see.", "a", "b"), tool("b", "Rain"), tool("a")]),
    [
      { role: "user", content: [text("Weather?")] },
      { role: "assistant", content: [text("Let me see."), call("a"), call("b")] },
      { role: "tool", content: [result("a"), result("b", "Rain")] },
    ],
  );
});

Deno.test("a call without its result and a result without its call are left out, and what they leave empty", () => {
  assertEquals(
    modelMessages([user("Weather?"), assistant("", "a"), user("Never mind"), tool("a"), tool("x")]),
    [
      { role: "user", content: [text("Weather?")] },
      { role: "user", content: [text("Never mind")] },
    ],
  );
  assertEquals(modelMessages([user("Weather?"), assistant("Hm.", "a", "b"), tool("b")]), [
    { role: "user", content: [text("Weather?")] },
    { role: "assistant", content: [text("Hm."), call("b")] },
    { role: "tool", content: [result("b")] },
  ]);
});

Deno.test("whatever a conversation holds, every call of the model's messages has its result behind it", () => {
  const message = fc.oneof(
    fc.constant(user("q")),
    fc.uniqueArray(fc.constantFrom("a", "b", "c")).map((ids) => assistant("", ...ids)),
    fc.constantFrom("a", "b", "c", "d").map((id) => tool(id)),
  );
  fc.assert(fc.property(fc.array(message), (conversation) => {
    const messages = modelMessages(conversation);
    for (const [place, { role, content }] of messages.entries()) {
      if (role !== "assistant") continue;
      const calls = content.flatMap((part) => part.type === "tool-call" ? [part.toolCallId] : []);
      const next = messages[place + 1];
      const results = next?.role === "tool"
        ? next.content.flatMap((part) => part.type === "tool-result" ? [part.toolCallId] : [])
        : [];
      assertEquals(results, calls);
    }
    assertEquals(
      messages.filter(({ role }, place) => role === "tool" && messages[place - 1]?.role !== "assistant"),
      [],
    );
  }));
});

Deno.test("earlier answers lose the numbers of sources that are not in this prompt", () => {
  assertEquals(modelMessages([assistant("Thirty days [1].")]), [
    { role: "assistant", content: [text("Thirty days.")] },
  ]);
});

Deno.test("arguments that are no JSON are read again as they were written", () => {
  const broken = { ...assistant("", "a"), toolCalls: [{ id: "a", name: "weather", arguments: "{city" }] };
  assertEquals(modelMessages([broken, tool("a")])[0]!.content, [{ ...call("a"), input: "{city" }]);
});

Deno.test("what is asked now is the last question with all that followed", () => {
  const conversation = [user("One"), assistant("1"), user("Two"), assistant("", "a"), tool("a")];
  assertEquals(splitAtQuestion(conversation), [conversation.slice(0, 2), conversation.slice(2)]);
  assertEquals(splitAtQuestion([tool("a")]), [[], [tool("a")]]);
});

Deno.test("tools are read back from a stored message's metadata; what is no such thing is no tool", () => {
  const messages = [user("One"), assistant("", "a"), tool("a")];
  const stored = messages.map((message) => ({
    role: message.role,
    content: message.content,
    metadata: toolMetadata(message),
  }));
  assertEquals(storedConversation(stored), messages);
  assertEquals(
    storedConversation([
      { role: "user", content: "One" },
      { role: "system", content: "hidden" },
      { role: "assistant", content: "1", metadata: { tool_calls: "none", tool_call_id: 7 } },
    ]),
    [user("One"), { role: "assistant", content: "1" }],
  );
});
