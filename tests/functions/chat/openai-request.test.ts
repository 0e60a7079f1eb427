import { assertEquals } from "@std/assert";
import { openai, type OpenAIAsk } from "../../../functions/chat/protocols/openai.ts";
import { Problem } from "../../../shared/errors.ts";
import { openaiError } from "../../../functions/chat/protocols/openai-errors.ts";

const hello = [{ role: "user", content: "Hello" }];
const weather = { type: "function", function: { name: "weather", parameters: { type: "object" } } };
const called = (...ids: string[]) => ({
  role: "assistant",
  content: null,
  tool_calls: ids.map((id) => ({ id, type: "function", function: { name: "weather", arguments: "{}" } })),
});
const result = (tool_call_id: string, content: unknown = "Sunny") => ({
  role: "tool",
  tool_call_id,
  content,
});

function read(body: unknown, headers: Record<string, string> = {}): Promise<OpenAIAsk> {
  return openai.read(
    new Request("http://functions/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    }),
  );
}

function deep(depth: number): Record<string, unknown> {
  return depth === 0 ? {} : { items: deep(depth - 1) };
}

/** What a request is refused with: code, param and message. */
async function refusal(body: unknown, headers: Record<string, string> = {}) {
  try {
    await read(body, headers);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const { code, param, message } = openaiError(error, "request").error;
    return { code, param, message };
  }
  throw new Error(`Nothing is wrong with ${JSON.stringify(body)}`);
}

Deno.test("the least that a request must hold is a user's message", async () => {
  assertEquals(await read({ messages: hello }), {
    conversation: [{ role: "user", content: "Hello" }],
    unsaid: 1,
    notes: undefined,
    sessionId: undefined,
    visitorId: undefined,
    visitorToken: undefined,
    metadata: undefined,
    wishes: {
      maxOutputTokens: undefined,
      temperature: undefined,
      topP: undefined,
      presencePenalty: undefined,
      frequencyPenalty: undefined,
      seed: undefined,
      stopSequences: undefined,
      responseFormat: undefined,
      reasoning: undefined,
      providerOptions: {},
    },
    isStream: false,
    includeUsage: false,
  });
});

Deno.test("contents may be lists of texts; system and developer messages become the client's notes", async () => {
  const { conversation, notes } = await read({
    messages: [
      { role: "system", content: "Be brief." },
      {
        role: "user",
        content: [{ type: "text", text: "One, " }, { type: "text", text: "two?" }],
        name: "ada",
      },
      { role: "assistant", content: [{ type: "refusal", refusal: "No." }] },
      { role: "developer", content: [{ type: "text", text: "Speak French." }] },
      { role: "system", content: " " },
      { role: "assistant", content: null, refusal: "Really not." },
      { role: "user", content: "Please" },
    ],
  });
  assertEquals(conversation.map(({ role, content }) => [role, content]), [
    ["user", "One, two?"],
    ["assistant", "No."],
    ["assistant", "Really not."],
    ["user", "Please"],
  ]);
  assertEquals(notes, "Be brief.\n\nSpeak French.");
});

Deno.test("with a session the messages after the last answer are new", async () => {
  const session = { "x-session-id": "s1" };
  const unsaid = async (messages: unknown[]) => (await read({ messages }, session)).unsaid;
  const answer = { role: "assistant", content: "Hi" };
  assertEquals(await unsaid(hello), 1);
  assertEquals(await unsaid([...hello, answer, ...hello]), 1);
  assertEquals(await unsaid([...hello, answer, ...hello, { role: "system", content: "x" }, ...hello]), 2);
  assertEquals(await unsaid([...hello, called("a", "b"), result("b"), result("a")]), 2);
  assertEquals(await unsaid([result("a"), result("b")]), 2);
  assertEquals(await unsaid([result("a"), ...hello]), 2);
});

Deno.test("the session is the header's, else that of the metadata, which keep the rest", async () => {
  const metadata = { session_id: "s1", visitor_token: "a".repeat(64), page: "home" };
  const asked = await read({ messages: hello, metadata, user: "ada" });
  assertEquals([asked.sessionId, asked.visitorId, asked.visitorToken, asked.metadata], [
    "s1",
    "ada",
    "a".repeat(64),
    { page: "home" },
  ]);
  assertEquals((await read({ messages: hello, metadata }, { "x-session-id": "s2" })).sessionId, "s2");
  assertEquals((await read({ messages: hello, metadata: { resumable: "true" } })).metadata, {
    resumable: true,
  });
});

Deno.test("wishes reach the model in the words of its interface", async () => {
  const schema = { type: "object", properties: { city: { type: "string" } } };
  const { wishes, isStream, includeUsage } = await read({
    messages: hello,
    model: "whatever",
    stream: true,
    stream_options: { include_usage: true, include_obfuscation: false },
    max_tokens: 10,
    max_completion_tokens: 20,
    temperature: 0,
    top_p: 0.5,
    presence_penalty: -1,
    frequency_penalty: 1,
    seed: 7,
    stop: "END",
    reasoning_effort: "low",
    response_format: { type: "json_schema", json_schema: { name: "place", schema, strict: true } },
    tools: [{ type: "function", function: { ...weather.function, description: "Tells it", strict: true } }],
    tool_choice: { type: "function", function: { name: "weather" } },
    parallel_tool_calls: false,
  });
  assertEquals([isStream, includeUsage], [true, true]);
  assertEquals(wishes, {
    maxOutputTokens: 20,
    temperature: 0,
    topP: 0.5,
    presencePenalty: -1,
    frequencyPenalty: 1,
    seed: 7,
    stopSequences: ["END"],
    reasoning: "low",
    responseFormat: { type: "json", name: "place", description: undefined, schema },
    tools: [{
      type: "function",
      name: "weather",
      description: "Tells it",
      inputSchema: { type: "object" },
      strict: true,
    }],
    toolChoice: { type: "tool", toolName: "weather" },
    oneToolCall: true,
    providerOptions: {
      wire: { strictJsonSchema: true },
      openai: { parallelToolCalls: false },
      mistral: { parallelToolCalls: false },
      anthropic: { disableParallelToolUse: true },
    },
  });
});

Deno.test("members that are unset, unknown or would change nothing are ignored", async () => {
  const least = await read({ messages: hello });
  for (
    const more of [
      { n: 1, logprobs: false, top_logprobs: 0, logit_bias: {}, modalities: ["text"], functions: [] },
      {
        n: null,
        logprobs: null,
        tools: null,
        tool_choice: null,
        stop: null,
        stream: null,
        stream_options: null,
      },
      {
        store: true,
        service_tier: "auto",
        prediction: { type: "content" },
        verbosity: "low",
        x_unknown: [1],
      },
      { tools: [], response_format: { type: "text" }, parallel_tool_calls: true, max_tokens: null },
      { prompt_cache_key: "k", safety_identifier: "s", metadata: null, user: null },
    ]
  ) assertEquals(await read({ messages: hello, ...more }), least);
});

Deno.test("what would change the answer and is not supported is refused by name", async () => {
  const image = { type: "image_url", image_url: { url: "https://example.com/a.png" } };
  for (
    const [more, param] of [
      [{ n: 2 }, "n"],
      [{ logprobs: true }, "logprobs"],
      [{ top_logprobs: 5 }, "top_logprobs"],
      [{ logit_bias: { 50256: -100 } }, "logit_bias"],
      [{ modalities: ["text", "audio"] }, "modalities"],
      [{ audio: { voice: "alloy" } }, "audio"],
      [{ functions: [{ name: "weather" }] }, "functions"],
      [{ function_call: "auto" }, "function_call"],
      [{ web_search_options: {} }, "web_search_options"],
      [{ tools: [weather, { type: "custom", custom: { name: "shell" } }] }, "tools[1]"],
      [{ tools: [weather], tool_choice: { type: "allowed_tools" } }, "tool_choice"],
      [
        { messages: [{ role: "user", content: [{ type: "text", text: "What?" }, image] }] },
        "messages[0].content[1]",
      ],
      [
        { messages: [{ role: "user", content: [{ type: "input_audio", input_audio: {} }] }] },
        "messages[0].content[0]",
      ],
      [{ messages: [{ role: "user", content: [{ type: "file", file: {} }] }] }, "messages[0].content[0]"],
      [
        {
          messages: [...hello, { role: "assistant", tool_calls: [{ id: "a", type: "custom" }] }, result("a")],
        },
        "messages[1].tool_calls[0]",
      ],
    ] as const
  ) {
    const { code, param: told } = await refusal({ messages: hello, ...more });
    assertEquals([code, told], ["unsupported_parameter", param]);
  }
});

Deno.test("a request that is not valid is refused with the member that is wrong", async () => {
  const long = "x".repeat(32_001);
  for (
    const [body, param] of [
      [{}, "messages"],
      [{ messages: [] }, "messages"],
      [{ messages: "Hello" }, "messages"],
      [{ messages: [null] }, "messages[0]"],
      [{ messages: ["Hello"] }, "messages[0]"],
      [{ messages: [{ content: "Hello" }] }, "messages[0].role"],
      [{ messages: [{ role: "robot", content: "Hello" }] }, "messages[0].role"],
      [{ messages: [{ role: "function", name: "f", content: "Hello" }] }, "messages[0].role"],
      [{ messages: [{ role: "user" }] }, "messages[0].content"],
      [{ messages: [{ role: "user", content: 7 }] }, "messages[0].content"],
      [{ messages: [{ role: "user", content: "" }] }, "messages[0].content"],
      [{ messages: [{ role: "user", content: [] }] }, "messages[0].content"],
      [{ messages: [{ role: "user", content: long }] }, "messages[0].content"],
      [{ messages: [{ role: "user", content: "a\0b" }] }, "messages[0].content"],
      [{ messages: [{ role: "user", content: "\ud83d" }] }, "messages[0].content"],
      [{ messages: [{ role: "system", content: "Be brief." }] }, "messages"],
      [{ messages: [{ role: "system", content: long }, ...hello] }, "messages"],
      [{ messages: [...hello, { role: "assistant", content: "Hi" }] }, "messages"],
      [{ messages: [{ role: "assistant", content: "Hi" }] }, "messages"],
      [{ messages: [result("a")] }, "messages[0].tool_call_id"],
      [{ messages: [...hello, result("a")] }, "messages[1].tool_call_id"],
      [{ messages: [...hello, called("a"), result("b")] }, "messages[2].tool_call_id"],
      [{ messages: [...hello, called("a"), result("a"), result("a")] }, "messages[3].tool_call_id"],
      [{ messages: [...hello, called("a"), ...hello, result("a")] }, "messages[3].tool_call_id"],
      [{ messages: [...hello, called("a"), { role: "tool", content: "x" }] }, "messages[2].tool_call_id"],
      [{ messages: hello, temperature: 2.1 }, "temperature"],
      [{ messages: hello, temperature: "hot" }, "temperature"],
      [{ messages: hello, top_p: -1 }, "top_p"],
      [{ messages: hello, max_tokens: 0 }, "max_tokens"],
      [{ messages: hello, max_completion_tokens: 1.5 }, "max_completion_tokens"],
      [{ messages: hello, n: 0 }, "n"],
      [{ messages: hello, stop: ["a", "b", "c", "d", "e"] }, "stop"],
      [{ messages: hello, stream: "yes" }, "stream"],
      [{ messages: hello, seed: "7" }, "seed"],
      [{ messages: hello, user: "" }, "user"],
      [{ messages: hello, metadata: [] }, "metadata"],
      [{ messages: hello, metadata: { a: "x".repeat(16 * 1024) } }, "metadata"],
      [{ messages: hello, metadata: { session_id: 7 } }, "metadata.session_id"],
      [{ messages: hello, metadata: { visitor_token: 7 } }, "metadata.visitor_token"],
      [{ messages: hello, response_format: { type: "yaml" } }, "response_format.type"],
      [
        { messages: hello, tools: [{ type: "function", function: { name: "two words" } }] },
        "tools[0].function.name",
      ],
      [
        { messages: hello, tools: [{ type: "function", function: { name: "deep", parameters: deep(40) } }] },
        "tools[0].function.parameters",
      ],
      [{ messages: hello, tools: Array(129).fill(weather) }, "tools"],
      [{ messages: hello, tool_choice: "maybe" }, "tool_choice"],
    ] as const
  ) {
    const { code, param: told } = await refusal(body);
    assertEquals([code, told], ["validation_failed", param], JSON.stringify(body).slice(0, 200));
  }
  for (const id of ["..", "x".repeat(201)]) {
    assertEquals((await refusal({ messages: hello }, { "x-session-id": id })).param, "x-session-id");
  }
});

Deno.test("a session may know the call that a result answers", async () => {
  const session = { "x-session-id": "s1" };
  assertEquals(
    (await read({ messages: [result("a", [{ type: "text", text: "Sunny" }])] }, session)).conversation,
    [
      { role: "tool", content: "Sunny", toolCallId: "a" },
    ],
  );
  const told = await refusal({ messages: [...hello, called("a"), result("b")] }, session);
  assertEquals([told.code, told.param], ["validation_failed", "messages[2].tool_call_id"]);
  assertEquals((await refusal({ messages: [{ role: "system", content: "Hi" }] }, session)).param, "messages");
});

Deno.test("a refusal says what is wrong in its message, since OpenAI's errors have no list", async () => {
  assertEquals(
    (await refusal({ messages: [{ role: "user", content: "" }], n: 0 })).message,
    "Cannot accept the request: n Too small: expected number to be >=1",
  );
  assertEquals(
    (await refusal({ messages: [{ role: "user", content: "" }] })).message,
    "Cannot accept the request: messages[0].content must not be empty",
  );
});
