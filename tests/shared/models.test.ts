import { assertEquals, assertRejects } from "@std/assert";
import { Problem } from "../../shared/errors.ts";
import { resolveModel, splitModel } from "../../shared/models.ts";
import { startModelServer } from "../support/model-server.ts";

const prompt = [{ role: "user" as const, content: [{ type: "text" as const, text: "Hi" }] }];

Deno.test("a bare model name is one of Mistral", () => {
  assertEquals(splitModel("mistral-large-latest"), { provider: "mistral", modelId: "mistral-large-latest" });
  assertEquals(splitModel("openai/org/model"), { provider: "openai", modelId: "org/model" });
});

Deno.test("the offline model answers for local names, and for all while no provider has a key", async () => {
  for (
    const [name, env] of [
      ["local/extractive", { OPENAI_API_KEY: "k" }],
      ["mistral-large-latest", {}],
      ["openai/gpt-4o", {}],
      ["unheard-of/model", {}],
    ] as const
  ) {
    assertEquals((await resolveModel(name, env)).provider, "local", name);
  }
});

Deno.test("a provider without a key is not replaced by the offline model while another has one", async () => {
  for (
    const name of ["mistral/mistral-large-latest", "anthropic/claude", "unheard-of/model", "toString/model"]
  ) {
    const problem = await assertRejects(() => resolveModel(name, { OPENAI_API_KEY: "k" }), Problem);
    assertEquals(problem.code, "provider_not_configured", name);
  }
});

for (const provider of ["mistral", "openai"] as const) {
  Deno.test(`a model of ${provider} streams from the configured server with the configured key`, async () => {
    const server = startModelServer();
    try {
      server.play("m", { steps: ["One ", "two"], usage: { prompt_tokens: 5, completion_tokens: 2 } });
      const upper = provider.toUpperCase();
      const env = { [`${upper}_API_KEY`]: "sk-secret", [`${upper}_BASE_URL`]: server.url };
      const { model, ...names } = await resolveModel(`${provider}/m`, env);
      assertEquals(names, { provider, modelId: "m" });
      const { stream } = await model.doStream({ prompt });
      const parts = await Array.fromAsync(stream);
      assertEquals(parts.flatMap((part) => part.type === "text-delta" ? [part.delta] : []), ["One ", "two"]);
      const finish = parts.find((part) => part.type === "finish");
      assertEquals([finish?.usage.inputTokens.total, finish?.usage.outputTokens.total], [5, 2]);
      assertEquals(server.calls[0]!.authorization, "Bearer sk-secret");
    } finally {
      await server.close();
    }
  });
}
