import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ModelServer, type Script, startModelServer } from "./model-server.ts";

async function withServer(script: Script, test: (server: ModelServer, ask: Ask) => Promise<void>) {
  const server = startModelServer();
  try {
    server.play("m", script);
    await test(server, (init = {}, more = {}) =>
      fetch(`${server.url}/chat/completions`, {
        method: "POST",
        body: JSON.stringify({ model: "m", stream: true, messages: [], ...more }),
        ...init,
      }));
  } finally {
    await server.close();
  }
}

type Ask = (init?: RequestInit, more?: Record<string, unknown>) => Promise<Response>;

Deno.test("the model server streams its script, says what it used, and bills it", async () => {
  await withServer({ steps: ["a", { wait: 1 }, "b"] }, async (server, ask) => {
    const text = await (await ask()).text();
    const data = text.split("\n\n").filter((event) => event.startsWith("data: {")).map((event) =>
      JSON.parse(event.slice(6))
    );
    assertEquals(data.map(({ choices }) => choices[0].delta.content ?? null), ["a", "b", null]);
    assertEquals(data.map(({ choices }) => choices[0].finish_reason), [null, null, "stop"]);
    assertEquals(data.at(-1).usage, { prompt_tokens: 11, completion_tokens: 2, total_tokens: 13 });
    assert(text.endsWith("data: [DONE]\n\n"));
    assertEquals(server.calls[0]!.bill, { prompt_tokens: 11, completion_tokens: 2 });
    assertEquals([server.calls[0]!.open, server.calls[0]!.abortedAt], [false, null]);
  });
});

Deno.test("the model server answers whole where no stream is asked for", async () => {
  await withServer({ steps: ["a", "b"] }, async (_, ask) => {
    const { choices } = await (await ask({}, { stream: false })).json();
    assertEquals(choices[0].message.content, "ab");
  });
});

Deno.test("the model server refuses as often as it is told", async () => {
  await withServer({ status: 429, times: 1, headers: { "retry-after": "7" } }, async (_, ask) => {
    const refused = await ask();
    assertEquals([refused.status, refused.headers.get("retry-after")], [429, "7"]);
    await refused.body?.cancel();
    assertEquals((await ask()).status, 200);
  });
});

Deno.test("the model server breaks off, ends without a finish, and sends garbage", async () => {
  await withServer({ steps: ["a", { cut: true }] }, async (_, ask) => {
    const response = await ask();
    await assertRejects(() => response.text());
  });
  await withServer({ steps: ["a"], finish: null }, async (_, ask) => {
    assert(!(await (await ask()).text()).includes('finish_reason":"stop'));
  });
  await withServer({ steps: [{ raw: "data: {not json\n\n" }] }, async (_, ask) => {
    assert((await (await ask()).text()).startsWith("data: {not json"));
  });
});

Deno.test("the model server notes when a client leaves, and bills what it had sent", async () => {
  await withServer({ steps: ["a", { stall: true }, "b"] }, async (server, ask) => {
    const controller = new AbortController();
    const reader = (await ask({ signal: controller.signal })).body!.getReader();
    await reader.read();
    const left = performance.now();
    assert(server.calls[0]!.open);
    controller.abort();
    while (server.calls[0]!.abortedAt === null) await new Promise((resolve) => setTimeout(resolve, 1));
    assert(server.calls[0]!.abortedAt >= left);
    assertEquals([server.calls[0]!.open, server.calls[0]!.bill.completion_tokens], [false, 1]);
  });
});
