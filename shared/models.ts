import type { LanguageModelV4 } from "@ai-sdk/provider";
import type { Env } from "./env.ts";
import { problem } from "./errors.ts";
import { createGuardedFetch } from "./outbound.ts";
import { openProviderKey, type SealedProviderKey, vendors } from "./provider-key.ts";
import { wireModel } from "./wire-model.ts";

/** A model that is ready to stream, and what the ledger calls it. */
export interface ResolvedModel {
  model: LanguageModelV4;
  provider: string;
  modelId: string;
  /** The user's own key that pays for it; null for the installation's, and for the offline model. */
  providerKeyId: string | null;
}

type Keys = Pick<
  Env,
  | "MISTRAL_API_KEY"
  | "MISTRAL_BASE_URL"
  | "OPENAI_API_KEY"
  | "OPENAI_BASE_URL"
  | "ANTHROPIC_API_KEY"
  | "ANTHROPIC_BASE_URL"
  | "VANCHIN_BASE_URL"
  | "PROVIDER_KEY_SECRETS"
>;

/** What resolving takes besides the name and the environment. */
export interface ResolveOptions {
  /** The key that the agent names; it serves the models of its own provider alone. */
  providerKey?: SealedProviderKey | null;
  /** Reaches the servers that users name. */
  guardedFetch?: typeof fetch;
}

/** How one model is reached. */
interface Connection {
  provider: string;
  modelId: string;
  apiKey: string;
  baseURL: string;
  /** Guarded where a user chose the server. */
  fetch?: typeof fetch;
}

/** OpenAI's own server, where no other compatible one is configured. */
export const OPENAI_BASE_URL = "https://api.openai.com/v1";

/** Mistral's own server. */
export const MISTRAL_BASE_URL = "https://api.mistral.ai/v1";

const ANTHROPIC_BASE_URL = "https://api.anthropic.com/v1";
const VANCHIN_BASE_URL = "https://vanchin.streamlake.ai/api/gateway/v1/endpoints";

/** The provider and the model of an agent's `model`: `provider/model`, and a bare name is one of Mistral. */
export function splitModel(model: string): { provider: string; modelId: string; name: string } {
  const slash = model.indexOf("/");
  const [provider, modelId] = slash < 0
    ? ["mistral", model]
    : [model.slice(0, slash), model.slice(slash + 1)];
  return { provider, modelId, name: `${provider}/${modelId}` };
}

/**
 * The model an agent names, by the agent's own provider key where that is one of the model's provider, else by the
 * installation's. The offline model answers for `local/…`, and for every name while there is no key of any provider;
 * otherwise a provider without a key is the problem `provider_not_configured`.
 */
export async function resolveModel(
  name: string,
  env: Keys,
  { providerKey = null, guardedFetch = createGuardedFetch() }: ResolveOptions = {},
): Promise<ResolvedModel> {
  const { provider, modelId } = splitModel(name);
  if (provider === "local" || (providerKey === null && !hasAnyKey(env))) {
    const { localModel } = await import("./local-model.ts");
    return { model: localModel, provider: "local", modelId: localModel.modelId, providerKeyId: null };
  }
  const own = providerKey?.provider === provider ? providerKey : null;
  const connection = own
    ? await connectionOfUser(own, modelId, { env, guardedFetch })
    : connectionOfInstallation(provider, modelId, env);
  if (connection === null) {
    throw problem("provider_not_configured", `Cannot use the model ${name}: its provider has no key here`);
  }
  return {
    model: await open(connection),
    provider,
    modelId: connection.modelId,
    providerKeyId: own?.id ?? null,
  };
}

function hasAnyKey(env: Keys): boolean {
  return [env.MISTRAL_API_KEY, env.OPENAI_API_KEY, env.ANTHROPIC_API_KEY].some((key) => key !== undefined);
}

function connectionOfInstallation(provider: string, modelId: string, env: Keys): Connection | null {
  const keys: Record<string, string | undefined> = {
    mistral: env.MISTRAL_API_KEY,
    openai: env.OPENAI_API_KEY,
    anthropic: env.ANTHROPIC_API_KEY,
  };
  const apiKey = Object.hasOwn(keys, provider) ? keys[provider] : undefined;
  const baseURL = baseUrlOf(provider, env);
  return apiKey === undefined || baseURL === null ? null : { provider, modelId, apiKey, baseURL };
}

/** Null when the key's metadata does not say what its provider needs. */
async function connectionOfUser(
  key: SealedProviderKey,
  modelId: string,
  { env, guardedFetch }: { env: Keys; guardedFetch: typeof fetch },
): Promise<Connection | null> {
  const { provider, metadata } = key;
  const given = textOf(metadata.base_url);
  const baseURL = given?.replace(/\/+$/, "") ?? baseUrlOf(provider, env);
  // A key of this provider is one for an endpoint, and the endpoint is the model.
  const model = provider === "vanchin" ? textOf(metadata.endpoint_id) : modelId;
  if (baseURL === null || model === null) return null;
  const apiKey = await openProviderKey(key, env);
  return { provider, modelId: model, apiKey, baseURL, ...(given === null ? {} : { fetch: guardedFetch }) };
}

/** The server of a provider where no user names another: the environment's, else the vendor's. */
function baseUrlOf(provider: string, env: Keys): string | null {
  const servers: Record<(typeof vendors)[number], string> = {
    mistral: env.MISTRAL_BASE_URL ?? MISTRAL_BASE_URL,
    openai: env.OPENAI_BASE_URL ?? OPENAI_BASE_URL,
    anthropic: env.ANTHROPIC_BASE_URL ?? ANTHROPIC_BASE_URL,
    vanchin: env.VANCHIN_BASE_URL ?? VANCHIN_BASE_URL,
  };
  const vendor = vendors.find((each) => each === provider);
  return vendor === undefined ? null : servers[vendor];
}

function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

async function open({ provider, ...connection }: Connection): Promise<LanguageModelV4> {
  if (provider !== "anthropic") {
    return wireModel({ provider, dialect: provider === "mistral" ? "mistral" : "openai", ...connection });
  }
  const { modelId, ...settings } = connection;
  // Imported by the first turn that needs it: it is slow to load.
  return (await import("@ai-sdk/anthropic")).createAnthropic(settings)(modelId);
}
