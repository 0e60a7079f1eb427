import { assertEquals } from "@std/assert";
import { candidatesOf, firstReady, refusalOf } from "../../../functions/chat/model/candidates.ts";
import { problem } from "../../../shared/errors.ts";

const key = { id: "k", user_id: "u", provider: "openai", ciphertext: "c", metadata: {} };

function make(
  models: string[],
  { unhealthy = [], ailing = [] }: { unhealthy?: string[]; ailing?: string[] } = {},
) {
  const [model = "", ...fallback_models] = models;
  const resolved: unknown[] = [];
  const candidates = candidatesOf(
    { agent: { model, fallback_models }, unhealthy, ailing, provider_key: key },
    {
      resolveModel: (name, providerKey) => {
        resolved.push([name, providerKey]);
        if (name.startsWith("none/")) return Promise.reject(problem("provider_not_configured", "no key"));
        return Promise.resolve({ provider: "p", modelId: name, providerKeyId: null, model: {} as never });
      },
    },
  );
  return { candidates, resolved, names: candidates.map(({ name }) => name) };
}

Deno.test("the agent's own model comes first, then its others, each once", () => {
  const { names, candidates } = make(["large", "openai/gpt", "mistral/large", "openai/gpt"]);
  assertEquals(names, ["mistral/large", "openai/gpt"]);
  assertEquals(candidates.map(({ provider, modelId }) => [provider, modelId]), [
    ["mistral", "large"],
    ["openai", "gpt"],
  ]);
});

Deno.test("a model that keeps failing is left out", () => {
  const { names, candidates } = make(["large", "openai/gpt", "openai/x"], {
    unhealthy: ["mistral/large"],
    ailing: ["mistral/large", "openai/x"],
  });
  assertEquals(names, ["openai/gpt", "openai/x"]);
  assertEquals(candidates.map(({ isAiling }) => isAiling), [false, true]);
});

Deno.test("where all keep failing the least bad is tried first", () => {
  const { names } = make(["large", "openai/gpt"], { unhealthy: ["openai/gpt", "other/x", "mistral/large"] });
  assertEquals(names, ["openai/gpt", "mistral/large"]);
});

Deno.test("a model is made ready when it is needed, once, with the agent's key", async () => {
  const { candidates, resolved } = make(["none/a", "openai/gpt", "openai/x"]);
  assertEquals(resolved, []);
  assertEquals((await firstReady(candidates))?.modelId, "openai/gpt");
  assertEquals((await refusalOf(candidates[0]!))?.code, "provider_not_configured");
  assertEquals(await refusalOf(candidates[1]!), null);
  assertEquals(resolved, [["none/a", key], ["openai/gpt", key]]);
  assertEquals(await firstReady(make(["none/a", "none/b"]).candidates), null);
});
