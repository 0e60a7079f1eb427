import { sha256 } from "../../shared/api-key.ts";

/** A well-formed agent API key that no database knows, with its hash. */
export function madeUpKey(digit = "a"): { key: string; hash: string } {
  const body = `ak_${digit.repeat(64)}`;
  const key = body + sha256(body).slice(0, 8);
  return { key, hash: sha256(key) };
}

/** The same key with one digit of its checksum changed. */
export function brokenKey(key: string): string {
  return key.slice(0, -1) + (key.endsWith("0") ? "1" : "0");
}
