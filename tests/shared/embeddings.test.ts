import { assert, assertEquals, assertRejects } from "@std/assert";
import { embed, type EmbedOptions } from "../../shared/embeddings.ts";
import { Problem } from "../../shared/errors.ts";
import { type ModelServer, startModelServer } from "../support/model-server.ts";

const none = { env: {} };

async function withVendor(test: (server: ModelServer, options: EmbedOptions) => Promise<void>) {
  const server = startModelServer();
  try {
    const env = {
      MISTRAL_API_KEY: "k",
      MISTRAL_BASE_URL: server.url,
      OPENAI_API_KEY: "k",
      OPENAI_BASE_URL: server.url,
    };
    await test(server, { env, firstDelayMs: 1 });
  } finally {
    await server.close();
  }
}

Deno.test("local vectors have 384 places, are the same each time, and tell texts apart", async () => {
  const [first, second] = await embed("local", ["Le chat dort", "The invoice is due"], none);
  const [again] = await embed("local", ["Le chat dort"], none);
  assertEquals([first!.split(",").length, first], [384, again]);
  assert(first !== second);
  assertEquals(await embed("local", [], none), []);
});

Deno.test("many texts are embedded in calls the vendor takes, in their order", async () => {
  await withVendor(async (server, options) => {
    server.play("mistral-embed", { dimensions: 1024 });
    const texts = Array.from(
      { length: 700 },
      (_, n) => `${"word ".repeat(n % 50)}${String.fromCodePoint(65 + n % 26)}`,
    );
    const vectors = await embed("mistral/mistral-embed", texts, options);
    const alone = await embed("mistral/mistral-embed", [texts[123]!], options);
    assertEquals([vectors.length, vectors[123]], [700, alone[0]]);
    const batches = server.calls.slice(0, -1).map(({ body }) => body.input.length);
    assert(batches.length > 1 && Math.max(...batches) <= 512, `${batches}`);
    assertEquals(batches.reduce((sum, size) => sum + size, 0), 700);
  });
});

Deno.test("embedding is asked again after 429 and 5xx, and not after another refusal", async () => {
  await withVendor(async (server, options) => {
    server.play("busy", { status: 429, times: 2 });
    assertEquals((await embed("openai/busy", ["a"], options)).length, 1);
    assertEquals(server.calls.length, 3);
    server.play("broken", { status: 500 });
    assertEquals(
      (await assertRejects(() => embed("openai/broken", ["a"], options), Problem)).code,
      "provider_failed",
    );
    assertEquals(server.calls.length, 7);
    server.play("refusing", { status: 400 });
    await assertRejects(() => embed("openai/refusing", ["a"], options), Problem);
    assertEquals(server.calls.length, 8);
  });
});

Deno.test("embedding waits as long as the vendor says", async () => {
  await withVendor(async (server, options) => {
    server.play("busy", { status: 429, times: 1, headers: { "retry-after": "1" } });
    const started = performance.now();
    await embed("openai/busy", ["a"], options);
    assert(performance.now() - started >= 990);
  });
});

Deno.test("a question's vector is not waited for long", async () => {
  await withVendor(async (server, options) => {
    server.play("busy", { status: 503 });
    await assertRejects(() => embed("openai/busy", ["a"], { ...options, purpose: "query" }), Problem);
    assertEquals(server.calls.length, 2);
    server.play("limited", { status: 429, headers: { "retry-after": "5" } });
    const started = performance.now();
    await assertRejects(() => embed("openai/limited", ["a"], { ...options, purpose: "query" }), Problem);
    assert(performance.now() - started < 1000);
    assertEquals(server.calls.length, 3);
  });
});

Deno.test("gte-small is asked of the platform, text by text, in one session", async () => {
  const asked: string[] = [];
  let sessions = 0;
  class Session {
    constructor() {
      sessions++;
    }
    run(text: string): Promise<number[]> {
      asked.push(text);
      return Promise.resolve(Array.from({ length: 384 }, () => 0.05));
    }
  }
  const options = { ...none, platform: { Supabase: { ai: { Session } } } };
  await embed("gte-small", ["a", "b"], options);
  const [vector] = await embed("gte-small", ["c"], options);
  assertEquals([asked, sessions, JSON.parse(vector!).length], [["a", "b", "c"], 1, 384]);
});

Deno.test("vectors of another size than the model's are refused", async () => {
  await withVendor(async (server, options) => {
    server.play("mistral-embed", { dimensions: 3 });
    const problem = await assertRejects(() => embed("mistral/mistral-embed", ["a"], options), Problem);
    assertEquals(problem.code, "provider_failed");
  });
});

Deno.test("embedding stops when it is told to", async () => {
  await withVendor(async (server, options) => {
    server.play("busy", { status: 429, headers: { "retry-after": "15" } });
    const controller = new AbortController();
    const work = embed("openai/busy", ["a"], { ...options, signal: controller.signal });
    setTimeout(() => controller.abort(new Error("left")), 50);
    await assertRejects(() => work, "left");
    assertEquals(server.calls.length, 1);
  });
});

Deno.test("a model that cannot be had here is named as not configured", async () => {
  for (
    const model of ["gte-small", "mistral/mistral-embed", "openai/text-embedding-3-small", "unheard-of/model"]
  ) {
    const problem = await assertRejects(() => embed(model, ["a"], none), Problem);
    assertEquals(problem.code, "provider_not_configured", model);
  }
});
