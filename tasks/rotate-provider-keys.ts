// Encrypts the provider keys of users anew, under the first of PROVIDER_KEY_SECRETS, while the functions go on. It needs
// the variables that the functions have, may be stopped at any time, and run again.
import { createDeps } from "../shared/deps.ts";
import { readEnv } from "../shared/env.ts";
import { firstOf, keyedHashes, type MasterKey, seal, unseal } from "../shared/envelope.ts";
import type { StaleProviderKey } from "../shared/results.ts";
import type { ResealedKey, Rpc } from "../shared/rpc.ts";

/** What a rotation did, in keys. */
export interface Rotation {
  resealed: number;
  /** Were deleted or changed between reading and writing. */
  changed: number;
  /** Were changed in the database, or belong to a master key that is not configured; they stay as they are. */
  unreadable: number;
}

/** Encrypts in batches what another master key than the first encrypted; what is done already is not read again. */
export async function rotateProviderKeys(
  rpc: Pick<Rpc, "staleProviderKeys" | "resealProviderKeys">,
  keys: readonly MasterKey[],
  { batch = 100 }: { batch?: number } = {},
): Promise<Rotation> {
  const done: Rotation = { resealed: 0, changed: 0, unreadable: 0 };
  let after: string | undefined;
  while (true) {
    const stale = await rpc.staleProviderKeys({ secretId: firstOf(keys).id, after, maxItems: batch });
    if (stale.length === 0) return done;
    const items = (await Promise.all(stale.map((key) => reseal(key, keys)))).filter((item) => item !== null);
    const resealed = items.length === 0 ? 0 : await rpc.resealProviderKeys({ items });
    done.resealed += resealed;
    done.changed += items.length - resealed;
    done.unreadable += stale.length - items.length;
    // Not from the start: one that cannot be opened would come again and again.
    after = stale.at(-1)!.id;
  }
}

/** Null for one that cannot be opened. */
async function reseal(
  { id, user_id: userId, provider, ciphertext }: StaleProviderKey,
  keys: readonly MasterKey[],
): Promise<ResealedKey | null> {
  const binding = { id, userId, provider };
  const first = firstOf(keys);
  let apiKey: string;
  try {
    apiKey = await unseal(ciphertext, binding, keys);
  } catch {
    return null;
  }
  const [hash] = await keyedHashes(apiKey, binding, [first]);
  return {
    id,
    old_ciphertext: ciphertext,
    ciphertext: await seal(apiKey, binding, keys),
    secret_id: first.id,
    key_hash: hash!,
  };
}

async function main(): Promise<void> {
  const env = readEnv();
  if (!env.PROVIDER_KEY_SECRETS) throw new Error("Cannot rotate: PROVIDER_KEY_SECRETS is not set");
  const { resealed, changed, unreadable } = await rotateProviderKeys(
    createDeps(env).rpc,
    env.PROVIDER_KEY_SECRETS,
  );
  console.log(
    `${resealed} keys encrypted anew, ${changed} deleted or changed meanwhile, ${unreadable} cannot be opened`,
  );
  if (unreadable > 0) Deno.exit(1);
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
