import { vocabulary } from "./vocabulary.ts";
import { hashPair, kindOf, LETTER, MARK, NEWLINE, NUMBER, OTHER, SPACE } from "./words.ts";

// A word is never longer than this for the merges, whose cost grows with the square of the length.
const LONGEST_PIECE = 64;

/**
 * The number of tokens of a text in OpenAI's `cl100k_base`, exact but for runs of more than 64 characters
 * without a break. Other vendors' vocabularies differ by some percent, so it serves for budgets and chunk sizes, and a
 * vendor's own count goes before it.
 */
export function countTokens(text: string): number {
  let tokens = 0;
  for (let start = 0; start < text.length;) {
    const end = pieceEnd(text, start);
    tokens += end - start === 1 && text.charCodeAt(start) < 128 ? 1 : countPiece(text, start, end);
    start = end;
  }
  return tokens;
}

/**
 * The end of the piece that begins at `start`. This is the encoding's own pattern, `pat_str` of the ranks, as a
 * scanner: `'(?i:s|t|re|ve|m|ll|d)`, `[^\r\n\p{L}\p{N}]?\p{L}+`, `\p{N}{1,3}`, ` ?[^\s\p{L}\p{N}]+[\r\n]*`,
 * `\s*[\r\n]+`, `\s+(?!\S)`, `\s+`, tried in this order.
 */
function pieceEnd(text: string, start: number): number {
  const kind = kindAt(text, start);
  const next = start + sizeAt(text, start);
  if (kind === OTHER && text.charCodeAt(start) === 39) {
    const contraction = contractionLength(text, next);
    if (contraction > 0) return next + contraction;
  }
  if (kind === LETTER) return runEnd(text, next, LETTER);
  if (kind === NUMBER) return numberEnd(text, start);
  if (kind !== NEWLINE && kindAt(text, next) === LETTER) return runEnd(text, next, LETTER);
  if (kind === OTHER || kind === MARK) return symbolsEnd(text, next);
  const following = kindAt(text, next);
  if (text.charCodeAt(start) === 32 && (following === OTHER || following === MARK)) {
    return symbolsEnd(text, next);
  }
  return whiteSpaceEnd(text, start);
}

function kindAt(text: string, at: number): number {
  if (at >= text.length) return 0;
  const code = text.charCodeAt(at);
  return kindOf(code >= 0xd800 && code < 0xdc00 ? text.codePointAt(at)! : code);
}

function sizeAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code >= 0xd800 && code < 0xdc00 && text.codePointAt(at)! > 0xffff ? 2 : 1;
}

function runEnd(text: string, at: number, kind: number): number {
  while (kindAt(text, at) === kind) at += sizeAt(text, at);
  return at;
}

function numberEnd(text: string, at: number): number {
  for (let digits = 0; digits < 3 && kindAt(text, at) === NUMBER; digits++) at += sizeAt(text, at);
  return at;
}

function symbolsEnd(text: string, at: number): number {
  for (let kind = kindAt(text, at); kind === OTHER || kind === MARK; kind = kindAt(text, at)) {
    at += sizeAt(text, at);
  }
  return runEnd(text, at, NEWLINE);
}

function whiteSpaceEnd(text: string, start: number): number {
  let end = start, afterNewline = start;
  for (let kind = kindAt(text, end); kind === SPACE || kind === NEWLINE; kind = kindAt(text, end)) {
    end++;
    if (kind === NEWLINE) afterNewline = end;
  }
  if (afterNewline > start) return afterNewline;
  // The last space of a run goes with the word behind it.
  return end === text.length || end === start + 1 ? end : end - 1;
}

const contractions = ["s", "t", "re", "ve", "m", "ll", "d"];

function contractionLength(text: string, at: number): number {
  const letters = text.slice(at, at + 2).toLowerCase();
  return contractions.find((contraction) => letters.startsWith(contraction))?.length ?? 0;
}

// Counts of the pieces met last, by two hashes of 32 bits: one says where, both say whether. Words repeat, and neither a
// string nor an entry of a Map has to be made of each; what is new takes the place of what was there.
const PLACES = 1 << 17;
const checks = new Uint32Array(PLACES), furtherChecks = new Uint32Array(PLACES);
const counts = new Uint32Array(PLACES);

const hashes = new Uint32Array(2);

function countPiece(text: string, start: number, end: number): number {
  hashPair(text, start, end, hashes);
  const first = hashes[0]!, second = hashes[1]!;
  const at = first & PLACES - 1;
  if (counts[at] !== 0 && checks[at] === second && furtherChecks[at] === first) return counts[at]!;
  let tokens = 0;
  for (let from = start; from < end; from += LONGEST_PIECE) {
    tokens += encode(text.slice(from, Math.min(end, from + LONGEST_PIECE)));
  }
  checks[at] = second;
  furtherChecks[at] = first;
  return counts[at] = tokens;
}

const utf8 = new TextEncoder();
// Reused: a character of a piece is at most 3 bytes for each of its code units.
const bytes = new Uint8Array(3 * LONGEST_PIECE);
const starts = new Uint8Array(bytes.length + 1);
const merges = new Int32Array(bytes.length);
const NEVER = 0x7fffffff;

/** The number of tokens that byte pair encoding leaves of a piece: the pair of lowest rank is merged until none is known. */
function encode(piece: string): number {
  const length = utf8.encodeInto(piece, bytes).written;
  const tokens = vocabulary();
  if (tokens.rank(bytes, 0, length) >= 0) return 1;
  // Part n is bytes[starts[n]..starts[n + 1]]; merges[n] is the rank of the parts n and n + 1 as one token.
  const rankAt = (n: number) => {
    const rank = n + 2 <= parts ? tokens.rank(bytes, starts[n]!, starts[n + 2]!) : -1;
    return rank < 0 ? NEVER : rank;
  };
  let parts = length;
  for (let n = 0; n <= length; n++) starts[n] = n;
  for (let n = 0; n < length; n++) merges[n] = rankAt(n);
  while (parts > 1) {
    let at = 0;
    for (let n = 1; n < parts; n++) if (merges[n]! < merges[at]!) at = n;
    if (merges[at] === NEVER) break;
    starts.copyWithin(at + 1, at + 2, parts + 1);
    merges.copyWithin(at, at + 1, parts);
    parts--;
    // Only the pairs beside the merged one have changed.
    if (at > 0) merges[at - 1] = rankAt(at - 1);
    merges[at] = rankAt(at);
  }
  return parts;
}
