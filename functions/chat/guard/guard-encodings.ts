const BASE64 = /[A-Za-z0-9+/_-]{20,}={0,2}/g;
const HEX = /(?:[\da-fA-F]{2}[ ,:]?){10,}/g;
const PERCENT = /(?:%[\da-fA-F]{2}|[A-Za-z0-9._~-]){6,}/g;
const BINARY = /(?:[01]{8} ?){8,}/g;

/** A text with what can be decoded in it decoded (base64, hexadecimal, binary, URL encoding), or null when nothing can. */
export function decoded(text: string): string | null {
  const plain = text
    .replace(BINARY, (run) => orItself(run, () => bytesOf(run.match(/[01]{8}/g)!, 2)))
    .replace(HEX, (run) => orItself(run, () => bytesOf(run.match(/[\da-fA-F]{2}/g)!, 16)))
    .replace(PERCENT, (run) => run.includes("%") ? orItself(run, () => percentBytes(run)) : run)
    .replace(BASE64, (run) => orItself(run, () => base64Bytes(run)));
  return plain === text ? null : plain;
}

/** A text in rot13. */
export function rotated(text: string): string {
  return text.replace(/[a-z]/gi, (letter) => {
    const base = letter <= "Z" ? 65 : 97;
    return String.fromCharCode((letter.charCodeAt(0) - base + 13) % 26 + base);
  });
}

/** A text from its last character to its first. */
export function reversed(text: string): string {
  return Array.from(text).reverse().join("");
}

/** The text that bytes spell, between spaces, if they spell one: a key or a picture is left as it is. */
function orItself(run: string, bytes: () => Uint8Array | null): string {
  const read = bytes();
  if (read === null) return run;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(read);
    const letters = text.match(/[\p{L}\p{N}\p{P}\s]/gu)?.length ?? 0;
    return letters >= 0.95 * text.length && /\p{L}{2}/u.test(text) ? ` ${text} ` : run;
  } catch {
    // Not UTF-8, so it is no text.
    return run;
  }
}

function bytesOf(digits: string[], radix: number): Uint8Array {
  return Uint8Array.from(digits, (pair) => parseInt(pair, radix));
}

function percentBytes(run: string): Uint8Array {
  const parts = run.match(/%[\da-fA-F]{2}|[^%]/g)!;
  return Uint8Array.from(
    parts,
    (part) => part.length > 1 ? parseInt(part.slice(1), 16) : part.charCodeAt(0),
  );
}

function base64Bytes(run: string): Uint8Array | null {
  const standard = run.replace(/=+$/, "").replaceAll("-", "+").replaceAll("_", "/");
  if (standard.length % 4 === 1) return null;
  return Uint8Array.from(atob(standard), (character) => character.charCodeAt(0));
}
