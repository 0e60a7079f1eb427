import { type Env, ownKey } from "./env.ts";

/**
 * The caller's network address as a keyed hash (HMAC-SHA-256 under the project's secret key, hex), so that requests of one
 * address can be counted while the address is stored nowhere. Null when the gateway names none.
 */
export async function addressHash(request: Request, env: Env): Promise<string | null> {
  const address = addressOf(request.headers);
  if (address === null) return null;
  const encoder = new TextEncoder();
  const secret = encoder.encode(ownKey(env.SUPABASE_SECRET_KEYS));
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  const digest = new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(`address:${address}`)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// What stands first in x-forwarded-for is the caller's own claim; the last entry was written by the gateway.
function addressOf(headers: Headers): string | null {
  const address = headers.get("cf-connecting-ip") ?? headers.get("x-forwarded-for")?.split(",").at(-1);
  return address?.trim().toLowerCase() || null;
}
