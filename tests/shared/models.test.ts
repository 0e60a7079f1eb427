import { assert, assertEquals, assertRejects } from "@std/assert";
import { seal } from "../../shared/envelope.ts";
import { Problem } from "../../shared/errors.ts";
import { resolveModel, splitModel } from "../../shared/models.ts";
import { createGuardedFetch, RefusedAddress } from "../../shared/outbound.ts";
import type { SealedProviderKey } from "../../shared/provider-key.ts";
import { startAnthropicServer } from "../support/anthropic-server.ts";
import { masterKeys } from "../support/master-keys.ts";
import { startModelServer } from "../support/model-server.ts";

const prompt = [{ role: "user" as const, content: [{ type: "text" as const, text: "Hi" }] }];
const secrets = masterKeys("1");

/** A user's key as the database keeps it. */
async function sealed(provider: string, metadata: Record<string, unknown> = {}): Promise<SealedProviderKey> {
  const binding = { id: crypto.randomUUID(), userId: crypto.randomUUID(), provider };
  const ciphertext = await seal("sk-of-the-user", binding, secrets);
  return { id: binding.id, user_id: binding.userId, provider, ciphertext, metadata };
}

async function read({ model }: Awaited<ReturnType<typeof resolveModel>>) {
  const parts = await Array.fromAsync((await model.doStream({ prompt })).stream);
  const finish = parts.find((part) => part.type === "finish");
  return {
    texts: parts.flatMap((part) => part.type === "text-delta" ? [part.delta] : []),
    usage: [finish?.usage.inputTokens.total, finish?.usage.outputTokens.total],
    error: parts.find((part) => part.type === "error")?.error,
  };
}

Deno.test("a bare model name is one of Mistral", () => {
  assertEquals(splitModel("mistral-large"), {
    provider: "mistral",
    modelId: "mistral-large",
    name: "mistral/mistral-large",
  });
  assertEquals(splitModel("openai/org/model"), {
    provider: "openai",
    modelId: "org/model",
    name: "openai/org/model",
  });
});

Deno.test("the offline model answers for local names, and for all while no provider has a key", async () => {
  for (
    const [name, env] of [
      ["local/extractive", { ANTHROPIC_API_KEY: "k" }],
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
    for (const env of [{ OPENAI_API_KEY: "k" }, { OPENAI_API_KEY: "k", PROVIDER_KEY_SECRETS: secrets }]) {
      const problem = await assertRejects(() => resolveModel(name, env), Problem);
      assertEquals(problem.code, "provider_not_configured", name);
    }
  }
});

const vendors = {
  mistral: { key: "MISTRAL_API_KEY", base: "MISTRAL_BASE_URL" },
  openai: { key: "OPENAI_API_KEY", base: "OPENAI_BASE_URL" },
  vanchin: { key: null, base: "VANCHIN_BASE_URL" },
} as const;

for (const [provider, { key, base }] of Object.entries(vendors)) {
  Deno.test(`a model of ${provider} streams from the configured server, by the agent's own key where it has one`, async () => {
    const server = startModelServer();
    try {
      server.play("m", { steps: ["One ", "two"], usage: { prompt_tokens: 5, completion_tokens: 2 } });
      const env = {
        [base]: server.url,
        ...(key ? { [key]: "sk-secret" } : {}),
        PROVIDER_KEY_SECRETS: secrets,
      };
      const own = await sealed(provider, { endpoint_id: "m" });
      for (const providerKey of key ? [null, await sealed("elsewhere"), own] : [own]) {
        const model = await resolveModel(`${provider}/m`, env, { providerKey });
        const isOwn = providerKey === own;
        assertEquals([model.provider, model.modelId, model.providerKeyId], [
          provider,
          "m",
          isOwn ? own.id : null,
        ]);
        assertEquals(await read(model), { texts: ["One ", "two"], usage: [5, 2], error: undefined });
        assertEquals(server.calls.at(-1)?.authorization, `Bearer ${isOwn ? "sk-of-the-user" : "sk-secret"}`);
      }
    } finally {
      await server.close();
    }
  });
}

Deno.test("a model of anthropic streams from the configured server, by the agent's own key where it has one", async () => {
  const server = startAnthropicServer(["One ", "two"]);
  try {
    const env = {
      ANTHROPIC_API_KEY: "sk-secret",
      ANTHROPIC_BASE_URL: server.url,
      PROVIDER_KEY_SECRETS: secrets,
    };
    for (const providerKey of [null, await sealed("anthropic")]) {
      const model = await resolveModel("anthropic/claude", env, { providerKey });
      assertEquals([model.provider, model.modelId], ["anthropic", "claude"]);
      assertEquals(await read(model), { texts: ["One ", "two"], usage: [5, 2], error: undefined });
      assertEquals(server.calls.at(-1)?.key, providerKey ? "sk-of-the-user" : "sk-secret");
      assertEquals(server.calls.at(-1)?.body.model, "claude");
    }
  } finally {
    await server.close();
  }
});

/** A guarded fetch to which every `.example` is a public name of the server, unless it says otherwise. */
function guardedTo(url: string, address = "93.184.215.14") {
  const called: string[] = [];
  const guardedFetch = createGuardedFetch({
    resolve: () => Promise.resolve([address]),
    connect: (input, init) => {
      called.push(String(input));
      return fetch(String(input).replace("https://models.example/v1", url), init);
    },
  });
  return { guardedFetch, called };
}

for (const provider of ["mistral", "openai", "vanchin", "groq"]) {
  Deno.test(`a key of ${provider} for a server of the user's own is sent there and nowhere else`, async () => {
    const server = startModelServer();
    try {
      const { guardedFetch, called } = guardedTo(server.url);
      const env = { MISTRAL_API_KEY: "k", OPENAI_API_KEY: "k", PROVIDER_KEY_SECRETS: secrets };
      const metadata = { base_url: "https://models.example/v1/", endpoint_id: "ep-1" };
      const providerKey = await sealed(provider, metadata);
      const model = await resolveModel(`${provider}/org/m`, env, { providerKey, guardedFetch });
      // The endpoint is the model of a provider that has one for each key.
      const modelId = provider === "vanchin" ? "ep-1" : "org/m";
      assertEquals([model.provider, model.modelId], [provider, modelId]);
      assertEquals((await read(model)).texts, ["Fine."]);
      assertEquals(called, ["https://models.example/v1/chat/completions"]);
      const [call] = server.calls;
      assertEquals([call?.model, call?.authorization], [modelId, "Bearer sk-of-the-user"]);
    } finally {
      await server.close();
    }
  });
}

Deno.test("a server of the user's own that turns out to be private is not called", async () => {
  const { guardedFetch, called } = guardedTo("http://127.0.0.1:1", "10.0.0.1");
  for (const provider of ["mistral", "openai", "anthropic", "vanchin", "groq"]) {
    const metadata = { base_url: "https://models.example/v1", endpoint_id: "ep-1" };
    const options = { providerKey: await sealed(provider, metadata), guardedFetch };
    const { model } = await resolveModel(`${provider}/m`, { PROVIDER_KEY_SECRETS: secrets }, options);
    await assertRejects(async () => await model.doStream({ prompt }), RefusedAddress, "not a public server");
  }
  assertEquals(called, []);
});

Deno.test("an agent's own key counts as a key: the offline model answers for no other provider then", async () => {
  const env = { PROVIDER_KEY_SECRETS: secrets };
  const providerKey = await sealed("mistral");
  assertEquals((await resolveModel("mistral-large-latest", env, { providerKey })).provider, "mistral");
  assertEquals((await resolveModel("local/extractive", env, { providerKey })).provider, "local");
  const problem = await assertRejects(() => resolveModel("openai/m", env, { providerKey }), Problem);
  assertEquals(problem.code, "provider_not_configured");
});

Deno.test("a key that cannot be used is not replaced by the installation's", async () => {
  const env = { MISTRAL_API_KEY: "k", OPENAI_API_KEY: "k" };
  const [mistral, moved] = [await sealed("mistral"), await sealed("openai")];
  const cases: [string, SealedProviderKey, typeof secrets | undefined][] = [
    ["mistral/m", mistral, undefined],
    ["mistral/m", mistral, masterKeys("1")],
    ["mistral/m", mistral, masterKeys("2")],
    ["mistral/m", { ...mistral, user_id: moved.user_id }, secrets],
    ["mistral/m", { ...mistral, ciphertext: moved.ciphertext }, secrets],
    ["vanchin/m", await sealed("vanchin"), secrets],
    ["groq/m", await sealed("groq"), secrets],
    ["constructor/m", await sealed("constructor"), secrets],
  ];
  for (const [name, providerKey, PROVIDER_KEY_SECRETS] of cases) {
    const resolving = () => resolveModel(name, { ...env, PROVIDER_KEY_SECRETS }, { providerKey });
    const problem = await assertRejects(resolving, Problem);
    assertEquals(problem.code, "provider_not_configured", name);
    assert(!problem.message.includes("sk-of-the-user"));
  }
});
