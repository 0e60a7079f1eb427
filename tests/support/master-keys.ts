import type { MasterKey } from "../../shared/envelope.ts";

/** Master keys with these ids, each of its own random bytes. */
export function masterKeys(...ids: string[]): MasterKey[] {
  return ids.map((id) => ({ id, key: crypto.getRandomValues(new Uint8Array(32)) }));
}

/** Master keys as `PROVIDER_KEY_SECRETS` holds them. */
export function masterKeysText(keys: readonly MasterKey[]): string {
  return JSON.stringify(keys.map(({ id, key }) => ({ id, key: btoa(String.fromCharCode(...key)) })));
}
