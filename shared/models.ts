import type { LanguageModelV4 } from "@ai-sdk/provider";
import type { Env } from "./env.ts";
import { problem } from "./errors.ts";

/** A model that is ready to stream, and what the ledger calls it. */
export interface ResolvedModel {
  model: LanguageModelV4;
  provider: string;
  modelId: string;
}

type Keys = Pick<
  Env,
  "MISTRAL_API_KEY" | "MISTRAL_BASE_URL" | "OPENAI_API_KEY" | "OPENAI_BASE_URL"
>;

/** How a provider's models are made; null while its key is missing. */
const providers: Record<string, (modelId: string, env: Keys) => Promise<LanguageModelV4> | null> = {
  mistral: (modelId, { MISTRAL_API_KEY: apiKey, MISTRAL_BASE_URL: baseURL }) =>
    apiKey === undefined
      ? null
      : import("@ai-sdk/mistral").then(({ createMistral }) => createMistral({ apiKey, baseURL })(modelId)),
  openai: (modelId, { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: baseURL }) =>
    apiKey === undefined ? null : import("@ai-sdk/openai-compatible").then(({ createOpenAICompatible }) =>
      // Without `includeUsage` such a server does not say what a stream has used.
      createOpenAICompatible({
        name: "openai",
        apiKey,
        baseURL: baseURL ?? OPENAI_BASE_URL,
        includeUsage: true,
      })(
        modelId,
      )
    ),
};

/** OpenAI's own server, where no other compatible one is configured. */
export const OPENAI_BASE_URL = "https://api.openai.com/v1";

/** Mistral's own server. */
export const MISTRAL_BASE_URL = "https://api.mistral.ai/v1";

/** The provider and the model of an agent's `model`: `provider/model`, and a bare name is one of Mistral. */
export function splitModel(name: string): { provider: string; modelId: string } {
  const slash = name.indexOf("/");
  return slash < 0
    ? { provider: "mistral", modelId: name }
    : { provider: name.slice(0, slash), modelId: name.slice(slash + 1) };
}

/**
 * The model an agent names. The offline model answers for `local/…`, and for every name while no provider at all has a
 * key; otherwise a provider without a key is the problem `provider_not_configured`.
 */
export async function resolveModel(name: string, env: Keys): Promise<ResolvedModel> {
  const { provider, modelId } = splitModel(name);
  if (provider === "local" || !hasAnyKey(env)) {
    const { localModel } = await import("./local-model.ts");
    return { model: localModel, provider: "local", modelId: localModel.modelId };
  }
  const model = Object.hasOwn(providers, provider) ? await providers[provider]!(modelId, env) : null;
  if (model === null) {
    throw problem("provider_not_configured", `Cannot use the model ${name}: its provider has no key here`);
  }
  return { model, provider, modelId };
}

function hasAnyKey(env: Keys): boolean {
  return [env.MISTRAL_API_KEY, env.OPENAI_API_KEY].some((key) => key !== undefined);
}
