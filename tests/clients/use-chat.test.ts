import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  AbstractChat,
  type ChatInit,
  type ChatState,
  type ChatStatus,
  DefaultChatTransport,
  readUIMessageStream,
  type UIMessage,
} from "ai";
import { type ChatAgent, eventually, startChat } from "../functions/chat/fixture.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

/** What `useChat` keeps in React. */
class State implements ChatState<UIMessage> {
  status: ChatStatus = "ready";
  error: Error | undefined;
  messages: UIMessage[] = [];
  pushMessage = (message: UIMessage) => void this.messages.push(message);
  popMessage = () => void this.messages.pop();
  replaceMessage = (index: number, message: UIMessage) => void (this.messages[index] = message);
  snapshot = <T>(value: T): T => structuredClone(value);
}

/** The chat behind `useChat`, without React. */
class Chat extends AbstractChat<UIMessage> {
  constructor(init: ChatInit<UIMessage>) {
    super({ ...init, state: new State() });
  }
}

const transport = ({ key }: ChatAgent, body: object = {}) =>
  new DefaultChatTransport({
    api: chat.stack.functionUrl("chat/ui"),
    headers: { authorization: `Bearer ${key}` },
    body,
  });
const words = ({ parts }: UIMessage) =>
  parts.flatMap((part) => part.type === "text" ? [part.text] : []).join("");

Deno.test("useChat shows an answer with its sources, and goes on with the session", async () => {
  const agent = await chat.agent({ steps: ["Refunds take ", "thirty days [1]."] });
  await agent.learn("Handbook", ["Refunds take thirty days."]);
  const talk = new Chat({ transport: transport(agent) });
  await talk.sendMessage({ text: "How long do refunds take?" });
  assertEquals([talk.status, talk.error], ["ready", undefined]);
  const [question, answer] = talk.messages;
  assertEquals([words(question!), words(answer!)], [
    "How long do refunds take?",
    "Refunds take thirty days [1].",
  ]);
  const source = answer!.parts.find((part) => part.type === "source-document");
  assertEquals([source?.sourceId, source?.title, source?.providerMetadata?.parley?.quote], [
    "1",
    "Handbook",
    "Refunds take thirty days.",
  ]);
  const { turn } = await agent.record();
  assertEquals(answer!.id, turn.message_id);
  const { usage, turn_id } = answer!.metadata as { usage: { output_tokens: number }; turn_id: string };
  assertEquals([usage.output_tokens, turn_id], [2, turn.id]);
  // The rating needs nothing but the message's id.
  const rated = await agent.call("POST", "feedback", { message_id: answer!.id, rating: 1 });
  assertEquals((await rated.json()).rating, 1);

  await talk.sendMessage({ text: "And for gifts?" });
  assertEquals(talk.messages.map(({ role }) => role), ["user", "assistant", "user", "assistant"]);
  assertEquals(agent.calls()[1]!.body.messages.slice(1).map(({ role }: { role: string }) => role), [
    "user",
    "assistant",
    "user",
  ]);
  const sessions = await chat.rows("select session_id from public.conversations where agent_id = $1", [
    agent.id,
  ]);
  assertEquals(sessions, [{ session_id: talk.id }]);
});

Deno.test("useChat's regenerate takes the old answer's place, here and in the session", async () => {
  const agent = await chat.agent({ steps: ["One."] });
  const talk = new Chat({ transport: transport(agent) });
  await talk.sendMessage({ text: "First?" });
  await talk.sendMessage({ text: "Second?" });
  const old = talk.lastMessage!.id;
  chat.models.play(agent.model, { steps: ["Two, better."] });
  await talk.regenerate();
  assertEquals(talk.messages.map(words), ["First?", "One.", "Second?", "Two, better."]);
  assert(talk.lastMessage!.id !== old);
  const held = async () => {
    const { messages } = await (await agent.call("GET", `sessions/${talk.id}/messages`)).json();
    return messages.map(({ content }: { content: string }) => content);
  };
  assertEquals(await held(), talk.messages.map(words));

  // An earlier answer again: what followed is gone from both.
  await talk.regenerate({ messageId: talk.messages[1]!.id });
  assertEquals(talk.messages.map(words), ["First?", "Two, better."]);
  assertEquals(await held(), ["First?", "Two, better."]);

  // A question that failed is not in the session, so nothing gives way to it.
  chat.models.play(agent.model, { status: 500 });
  await talk.sendMessage({ text: "Third?" });
  assertEquals(talk.status, "error");
  chat.models.play(agent.model, { steps: ["Three."] });
  await talk.regenerate();
  assertEquals(await held(), ["First?", "Two, better.", "Third?", "Three."]);
});

Deno.test("useChat's stop ends the model's call and keeps what was said", async () => {
  const agent = await chat.agent({ steps: ["One ", "two", { stall: true }] });
  const talk = new Chat({ transport: transport(agent) });
  const sending = talk.sendMessage({ text: "Hello" });
  await eventually(() => words(talk.lastMessage ?? { id: "", role: "user", parts: [] }) === "One two");
  await talk.stop();
  await sending;
  assertEquals([talk.status, words(talk.lastMessage!)], ["ready", "One two"]);
  await eventually(() => agent.calls()[0]!.abortedAt !== null);
  await eventually(async () => (await agent.record()).turn.state === "aborted");
});

Deno.test("useChat shows an error: of the request, and of a model that breaks in the middle", async () => {
  const agent = await chat.agent({ steps: ["One", { cut: true }] });
  const broken = new Chat({ transport: transport(agent) });
  await broken.sendMessage({ text: "Hello" });
  assertEquals([broken.status, words(broken.lastMessage!)], ["error", "One"]);
  assertMatch(broken.error!.message, /^Cannot answer request [\w-]{36}: its log entry says why$/);

  const refused = new Chat({ transport: transport(agent, { visitor_token: "no" }) });
  await refused.sendMessage({ text: "Hello" });
  assertEquals(refused.status, "error");
  assertEquals(JSON.parse(refused.error!.message).code, "invalid_credential");
});

Deno.test("an answer can be read as UI messages without a chat", async () => {
  const agent = await chat.agent({ steps: ["Thirty ", "days."] });
  const stream = await transport(agent).sendMessages({
    chatId: "abcdefghijklmnop",
    messages: [{ id: "1", role: "user", parts: [{ type: "text", text: "Hello" }] }],
    trigger: "submit-message",
    messageId: undefined,
    abortSignal: undefined,
  });
  const seen = new Set<string>();
  let last: UIMessage | undefined;
  for await (const message of readUIMessageStream({ stream, terminateOnError: true })) {
    seen.add(words(message));
    last = message;
  }
  assert(seen.has("Thirty") && seen.has("Thirty days."));
  assertEquals(last!.parts.map(({ type }) => type), ["step-start", "text"]);
});
