import { problem } from "../../shared/errors.ts";
import { decodeUtf8 } from "../../shared/utf8.ts";

/** The problem of a document that cannot be taken as it is. */
export function unreadable(detail: string): Error {
  return problem("validation_failed", `Cannot read the document: ${detail}`);
}

/** How to decode. */
export interface DecodeOptions {
  /** The encoding a document names itself, tried when it is no UTF-8. */
  declared?: string | null;
  /** Whether to take what is neither for windows-1252, in which old French documents and tables still are. */
  isLegacyAllowed?: boolean;
}

/**
 * The text of bytes: UTF-16 with a byte order mark, else UTF-8, else what `options` allow. NUL is refused, since no
 * text has it and PostgreSQL does not store it; a half of a surrogate pair cannot be decoded at all.
 */
export function decodeText(bytes: Uint8Array, options: DecodeOptions = {}): string {
  const text = decoded(bytes, options);
  if (text.includes("\0")) throw unreadable("it contains NUL characters, so it is no text");
  return text;
}

function decoded(bytes: Uint8Array, { declared, isLegacyAllowed }: DecodeOptions): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return decodedAs("utf-16le", bytes) ?? refuse("UTF-16");
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return decodedAs("utf-16be", bytes) ?? refuse("UTF-16");
  return decodeUtf8(bytes) ?? (declared ? decodedAs(declared, bytes) : null) ??
    (isLegacyAllowed && isLegacyText(bytes) ? decodedAs("windows-1252", bytes) : null) ?? refuse("UTF-8");
}

function decodedAs(encoding: string, bytes: Uint8Array): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (error) {
    // TypeError: not of that encoding; RangeError: no such encoding.
    if (error instanceof TypeError || error instanceof RangeError) return null;
    throw error;
  }
}

function refuse(encoding: string): never {
  throw unreadable(`it is not valid ${encoding}`);
}

/** Whether no byte is a control character or one that windows-1252 leaves undefined: a picture or archive has many. */
function isLegacyText(bytes: Uint8Array): boolean {
  const undefinedBytes = [0x7f, 0x81, 0x8d, 0x8f, 0x90, 0x9d];
  return bytes.every((byte) => byte >= 32 ? !undefinedBytes.includes(byte) : byte >= 9 && byte <= 13);
}

/**
 * A text as it is stored and cut: composed (NFC, so that "é" is one character however it was typed), one kind of line
 * break, none of the characters that are not seen or end a page, and no more than 40 spaces or two empty lines in a row.
 */
export function cleanText(text: string): string {
  const unified = composed(text).replace(/\r\n?|\u2028|\u2029|\f/g, "\n");
  // Byte order marks and soft hyphens stand in the middle of words.
  const visible = /[\ufeff\u00ad]/.test(unified) ? unified.replace(/[\ufeff\u00ad]/g, "") : unified;
  // deno-lint-ignore no-control-regex
  const printable = visible.replace(/[\x01-\x08\x0b\x0e-\x1f\x7f]/g, " ");
  // Kilobytes of nothing between two words would be stored with them.
  return printable.replace(/[^\S\n]{40,}/g, " ".repeat(40)).replace(/\n(?:[^\S\n]*\n){3,}/g, "\n\n\n");
}

// Below U+0300 nothing is to be composed, and nothing across a line break; a text at once takes four times its size.
const LINES = 65_536;

function composed(text: string): string {
  if (!/[\u0300-\uffff]/.test(text)) return text;
  const pieces: string[] = [];
  let isChanged = false;
  for (let at = 0; at < text.length;) {
    const newline = text.indexOf("\n", at + LINES);
    const piece = text.slice(at, newline < 0 ? text.length : newline + 1);
    pieces.push(piece.normalize("NFC"));
    isChanged ||= pieces.at(-1) !== piece;
    at += piece.length;
  }
  return isChanged ? pieces.join("") : text;
}

/** A text on one line: white space is one space, but for the no-break spaces before French marks and units. */
export function oneLine(text: string): string {
  return text.replace(/[^\S\u00a0\u202f]+/g, " ").trim();
}
