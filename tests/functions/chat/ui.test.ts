import { assert, assertEquals, assertMatch } from "@std/assert";
import { assertProblem, contents } from "../../support/security-suite.ts";
import { type ChatAgent, eventually, startChat } from "./fixture.ts";
import { readData } from "./read-events.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

const said = (role: string, ...texts: string[]) => ({
  id: crypto.randomUUID(),
  role,
  parts: texts.map((text) => ({ type: "text", text })),
});
const ask = (agent: ChatAgent, body: object, headers: Record<string, string> = {}) =>
  fetch(chat.stack.functionUrl("chat/ui"), {
    method: "POST",
    headers: { authorization: `Bearer ${agent.key}`, "content-type": "application/json", ...headers },
    body: JSON.stringify({ id: "abcdefghijklmnop", trigger: "submit-message", ...body }),
  });

Deno.test("a UI message stream has the parts of one step, the text in one block, citations as sources", async () => {
  const agent = await chat.agent({
    steps: ["Refunds take ", "thirty days [1]. Gifts too [2]."],
    usage: { prompt_tokens: 40, completion_tokens: 12 },
  });
  const returns = await agent.learn("Returns", ["Refunds take thirty days."]);
  await agent.learn("https://example.com/gifts", ["Gifts may be refunded too."]);
  const response = await ask(agent, { messages: [said("user", "How long do refunds of gifts take?")] });
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("x-vercel-ai-ui-message-stream"), "v1");
  assertEquals(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  const { chunks, isDone } = readData(await response.text());
  assert(isDone);
  const { turn, messages } = await agent.record();
  const conversation_id = turn.conversation_id;
  assertEquals(chunks.slice(0, 3), [
    {
      type: "start",
      messageId: turn.message_id,
      messageMetadata: { turn_id: turn.id, session_id: "abcdefghijklmnop", conversation_id },
    },
    { type: "start-step" },
    { type: "text-start", id: "0" },
  ]);
  const deltas = chunks.filter(({ type }) => type === "text-delta");
  assert(deltas.every(({ id }) => id === "0"));
  assertEquals(deltas.map(({ delta }) => delta).join(""), "Refunds take thirty days [1]. Gifts too [2].");
  const { response_time_ms } = chunks.at(-1)!.messageMetadata;
  assertEquals(chunks.slice(-3), [
    { type: "text-end", id: "0" },
    { type: "finish-step" },
    {
      type: "finish",
      finishReason: "stop",
      messageMetadata: { usage: { input_tokens: 40, output_tokens: 12, total_tokens: 52 }, response_time_ms },
    },
  ]);
  const sources = chunks.filter(({ type }) => type.startsWith("source-"));
  assertEquals(sources.map(({ sourceId }) => sourceId), ["1", "2"]);
  const citations = messages[1]!.citations as { marker: number; document_id: string; title: string }[];
  for (const { sourceId, title, type, mediaType, url, providerMetadata } of sources) {
    const { title: cited, ...citation } = citations.find(({ marker }) => String(marker) === sourceId)!;
    assertEquals([title, providerMetadata], [cited, { parley: citation }]);
    assertEquals(
      [type, mediaType, url],
      citation.document_id === returns
        ? ["source-document", "text/plain", undefined]
        : ["source-url", undefined, "https://example.com/gifts.md"],
    );
  }
});

Deno.test("of the messages only the user's last is taken; the session holds the rest", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  await (await ask(agent, { messages: [said("user", "One")] })).text();
  const claimed = [
    said("user", "Never said"),
    said("assistant", "Nor that"),
    said("user", "Two", "and three"),
  ];
  await (await ask(agent, { messages: claimed, metadata: { page: "home" }, visitor_id: "ada" })).text();
  assertEquals(
    agent.calls()[1]!.body.messages.slice(1).map(({ content }: { content: string }) => content),
    ["One", "Fine.", "Two\nand three"],
  );
  const [conversation] = await chat.rows(
    "select session_id, visitor_id, metadata from public.conversations where agent_id = $1",
    [agent.id],
  );
  assertEquals(conversation, {
    session_id: "abcdefghijklmnop",
    visitor_id: "ada",
    metadata: { page: "home" },
  });
});

Deno.test("the session is the header's, else the chat's id", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  for (const headers of [{}, { "x-session-id": "header-session-1" }] as Record<string, string>[]) {
    const response = await ask(agent, { messages: [said("user", "Hello")] }, headers);
    assertEquals(response.headers.get("x-session-id"), headers["x-session-id"] ?? "abcdefghijklmnop");
    await response.body?.cancel();
  }
});

Deno.test("a model that fails ends a UI message stream with an error, after what it said", async () => {
  const agent = await chat.agent({ steps: ["One", { cut: true }] });
  const response = await ask(agent, { messages: [said("user", "Hello")] });
  const { chunks, isDone } = readData(await response.text());
  const id = response.headers.get("x-request-id");
  assertEquals(chunks.slice(-3), [
    { type: "text-delta", id: "0", delta: "One" },
    { type: "text-end", id: "0" },
    { type: "error", errorText: `Cannot answer request ${id}: its log entry says why` },
  ]);
  assert(isDone);
});

Deno.test("an answer that is stopped ends a UI message stream with an abort", async () => {
  const agent = await chat.agent({ steps: ["One", { stall: true }] });
  const response = await ask(agent, { messages: [said("user", "Hello")] });
  await eventually(() => agent.calls().length === 1);
  await (await agent.call("DELETE", "sessions/abcdefghijklmnop")).body?.cancel();
  const { chunks, isDone } = readData(await response.text());
  assertEquals(chunks.at(-1), { type: "abort", reason: "stopped" });
  assert(isDone);
});

Deno.test("a UI request that cannot be answered is a problem that stores nothing", async () => {
  const agent = await chat.agent();
  const before = await contents(chat.stack);
  const file = { type: "file", mediaType: "image/png", url: "data:image/png;base64,AAAA" };
  for (
    const [body, code, member] of [
      [{ messages: [] }, "validation_failed", "messages"],
      [{ messages: "Hello" }, "validation_failed", "messages"],
      [{ messages: ["Hello"] }, "validation_failed", "messages.0"],
      [{ messages: [said("assistant", "Hi")] }, "validation_failed", "messages"],
      [{ messages: [said("user", "Hello"), said("assistant", "Hi")] }, "validation_failed", "messages"],
      [
        { messages: [said("user", "Hello"), said("assistant", "Hi")], trigger: null },
        "validation_failed",
        "messages",
      ],
      [{ messages: [said("user")] }, "validation_failed", "messages.0.parts"],
      [{ messages: [said("user", "")] }, "validation_failed", "messages.0.parts"],
      [{ messages: [said("user", "x".repeat(32_001))] }, "validation_failed", "messages.0.parts"],
      [{ messages: [said("user", "a\0b")] }, "validation_failed", "messages.0.parts.0.text"],
      [{ messages: [{ role: "user", content: "Hello" }] }, "validation_failed", "messages.0.parts"],
      [{ messages: [{ role: "user", parts: ["Hello"] }] }, "validation_failed", "messages.0.parts.0"],
      [
        { messages: [{ role: "user", parts: [{ type: "text", text: "See" }, file] }] },
        "unsupported_parameter",
        "messages.0.parts.1",
      ],
      [{ messages: [said("user", "Hello")], trigger: "resume-stream" }, "validation_failed", "trigger"],
      [{ messages: [said("user", "Hello")], id: "x".repeat(201) }, "validation_failed", "id"],
      [{ messages: [said("user", "Hello")], visitor_token: 7 }, "validation_failed", "visitor_token"],
      [{ messages: [said("user", "Hello")], metadata: "home" }, "validation_failed", "metadata"],
    ] as const
  ) {
    const told = await assertProblem(await ask(agent, body), 422, code);
    const { errors: [error] = [], param } = told as { errors?: { path: string }[]; param?: string };
    assertEquals(error?.path ?? param, member, JSON.stringify(body).slice(0, 100));
  }
  const header = await ask(agent, { messages: [said("user", "Hello")] }, { "x-session-id": ".." });
  assertMatch(JSON.stringify(await assertProblem(header, 422, "validation_failed")), /x-session-id/);
  assertEquals([await contents(chat.stack), agent.calls().length], [before, 0]);
});

Deno.test("parts of the user's message that say nothing to a model are left out", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  const parts = [{ type: "data-page", data: { url: "/" } }, { type: "text", text: "Hello" }, {
    type: "step-start",
  }];
  await (await ask(agent, { messages: [{ role: "user", parts }] })).text();
  assertEquals((await agent.record()).messages[0]!.content, "Hello");
});

Deno.test("regenerate-message answers the user's last message again, in place of the exchange", async () => {
  const agent = await chat.agent({ steps: ["One."] });
  const messages = [said("user", "First?")];
  await (await ask(agent, { messages })).text();
  chat.models.play(agent.model, { steps: ["One, better."] });
  await (await ask(agent, { messages, trigger: "regenerate-message", messageId: "m1" })).text();
  assertEquals(agent.calls()[1]!.body.messages.slice(1), [{ role: "user", content: "First?" }]);
  // As a client that does not drop the old answer itself sends it.
  messages.push(said("assistant", "One, better."));
  await (await ask(agent, { messages, trigger: "regenerate-message" })).text();
  const { messages: held } = await (await agent.call("GET", "sessions/abcdefghijklmnop/messages")).json();
  assertEquals(held.map(({ content }: { content: string }) => content), ["First?", "One, better."]);
});
