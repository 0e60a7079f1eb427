import { createHash } from "node:crypto";

/** What a text is as an agent API key: its stored hash, or `key_malformed`. */
export type ParsedKey = { hash: string } | { code: "key_malformed" };

/** Whether a text claims to be an agent API key. */
export function looksLikeKey(text: string): boolean {
  return text.startsWith("ak_");
}

/**
 * Checks a key's shape and checksum without the database and hashes it as it is stored:
 * `ak_`, 64 hex of randomness, and the first 8 hex of SHA-256 over what stands before them.
 */
export function parseKey(text: string): ParsedKey {
  if (!/^ak_[0-9a-f]{72}$/.test(text)) return { code: "key_malformed" };
  const checksum = sha256(text.slice(0, -8)).slice(0, 8);
  return checksum === text.slice(-8) ? { hash: sha256(text) } : { code: "key_malformed" };
}

/** The lower-case hex SHA-256 of a text's UTF-8 bytes, or of bytes. */
export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
