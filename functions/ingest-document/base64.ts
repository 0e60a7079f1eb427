import { Buffer } from "node:buffer";

// By Buffer, since the platform's runtime has no Uint8Array.fromBase64 yet, and btoa takes five times as long.

/** Writes the bytes of a base64 text to the beginning of `bytes`; returns how many they are. */
export function writeBase64(text: string, bytes: Uint8Array<ArrayBuffer>): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).write(text, "base64");
}

/** The base64 text of bytes. */
export function encodeBase64(bytes: Uint8Array<ArrayBuffer>): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
