import type { Env } from "./env.ts";
import { unseal } from "./envelope.ts";
import { problem } from "./errors.ts";

/** The providers whose server is known; a key of any other names it in `metadata.base_url`. */
export const vendors = ["mistral", "openai", "anthropic", "vanchin"] as const;

/** A user's key of a model provider as the database keeps it. */
export interface SealedProviderKey {
  id: string;
  user_id: string;
  provider: string;
  /** An envelope that holds the key, bound to the three above. */
  ciphertext: string;
  /** `base_url` leads to the provider, `endpoint_id` is the model of one of `vanchin`; the rest is the user's own. */
  metadata: Record<string, unknown>;
}

/**
 * The key itself. What cannot be opened any more is the problem `provider_not_configured`: its owner has to store it
 * again, and nobody else's key stands in for it.
 */
export async function openProviderKey(
  { id, user_id, provider, ciphertext }: SealedProviderKey,
  { PROVIDER_KEY_SECRETS: secrets }: Pick<Env, "PROVIDER_KEY_SECRETS">,
): Promise<string> {
  try {
    return await unseal(ciphertext, { id, userId: user_id, provider }, secrets ?? []);
  } catch (cause) {
    throw problem("provider_not_configured", `Cannot use the provider key ${id}: it cannot be opened`, {
      cause,
    });
  }
}
