import { readBody } from "../../shared/body.ts";
import { problem } from "../../shared/errors.ts";
import { CHAT_BYTES } from "./schema.ts";

/** What makes a request the same as an earlier one: its key, and the hash of what it asks. */
export interface Idempotency {
  key: string;
  /** Lower-case hex SHA-256 of the body. */
  requestHash: string;
}

/** A request whose body was read for its hash and can be read again, and its `Idempotency-Key`, if it has one. */
export async function readIdempotency(
  request: Request,
): Promise<{ request: Request; idempotency: Idempotency | null }> {
  const header = request.headers.get("idempotency-key");
  if (header === null) return { request, idempotency: null };
  const key = keyOf(header);
  const body = await readBody(request, CHAT_BYTES);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
  const requestHash = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const { method, headers, url } = request;
  return { request: new Request(url, { method, headers, body }), idempotency: { key, requestHash } };
}

/** The key of the header: a quoted string of RFC 9651, as the draft has it, or the same bare, as most clients send it. */
function keyOf(header: string): string {
  const text = header.trim();
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(text);
  const key = quoted ? quoted[1]!.replaceAll(/\\(["\\])/g, "$1") : text;
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw problem(
      "validation_failed",
      "Cannot accept the Idempotency-Key: it must have 1 to 255 printable ASCII characters",
    );
  }
  return key;
}
