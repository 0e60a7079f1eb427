import { countTokens } from "../../shared/tokens.ts";
import { PARAGRAPH, type Sentence, sentencesOf, trimmed, WORD } from "./chunk-sentences.ts";

/** A piece of text that is not cut further: a sentence, a code block, a table, or a word of a sentence too long. */
export interface Atom extends Sentence {
  /** Those of its text, and one for a line break beside it. */
  tokens: number;
  /** Whether it is code or a table, whose last words say nothing alone. */
  solid: boolean;
}

/** What to take of a text. */
export interface AtomOptions {
  /** No atom has more tokens than this. */
  most: number;
  /** Skips what lies before, without counting it. */
  from: number;
  /** Whether the text may have code between fences and tables. */
  isMarkup: boolean;
}

/** The atoms of `text[start..end]`, in order. */
export function* atomsOf(
  text: string,
  [start, end]: [number, number],
  { most, from, isMarkup }: AtomOptions,
): Generator<Atom> {
  for (const block of blocksOf(text, start, end, isMarkup)) {
    if (block.end <= from) continue;
    const whole = block.solid ? trimmed(text, { ...block, cut: PARAGRAPH }) : null;
    const tokens = whole ? tokensOf(text, whole.start, whole.end) : Infinity;
    if (whole && tokens <= most) {
      yield { ...whole, tokens, solid: true };
      continue;
    }
    for (const sentence of sentencesOf(text, block.start, block.end)) {
      yield* partsOf(text, sentence, most, from);
    }
  }
}

interface Block {
  start: number;
  end: number;
  solid: boolean;
}

const fenceLine = /^ {0,3}(`{3,}|~{3,})/;
const tableLine = /^\s*\|.*\|\s*$/;

/** Paragraphs, tables, and code between fences. */
function* blocksOf(text: string, start: number, end: number, isMarkup: boolean): Generator<Block> {
  let block: Block | null = null, kind = "", fence = "";
  for (let at = start; at < end;) {
    const newline = text.indexOf("\n", at);
    const lineEnd = newline < 0 || newline > end ? end : newline;
    const line = text.slice(at, lineEnd);
    const mark = isMarkup ? fenceLine.exec(line)?.[1] ?? "" : "";
    if (fence !== "" && block) {
      block.end = lineEnd;
      if (mark.startsWith(fence) && line.trim() === mark) fence = kind = "";
    } else {
      const found = line.trim() === ""
        ? ""
        : mark !== ""
        ? "code"
        : isMarkup && tableLine.test(line)
        ? "table"
        : "text";
      if (block && found !== kind) {
        yield block;
        block = null;
      }
      if (found !== "") {
        block ??= { start: at, end: at, solid: found !== "text" };
        block.end = lineEnd;
        fence = mark;
      }
      kind = found;
    }
    at = lineEnd + 1;
  }
  if (block) yield block;
}

/** A sentence from `from` on, or its words when it is longer than `most`. */
function* partsOf(text: string, sentence: Sentence, most: number, from: number): Generator<Atom> {
  if (sentence.end <= from) return;
  const { start, end } = sentence;
  const tokens = tokensOf(text, start, end);
  if (tokens <= most) {
    if (start >= from) yield { ...sentence, tokens, solid: false };
    else yield { ...sentence, start: from, tokens: tokensOf(text, from, end), solid: false };
    return;
  }
  for (const { 0: word, index } of text.slice(start, end).matchAll(/\S+/g)) {
    const at = start + index;
    for (const [first, last] of cutWord(word, most)) {
      if (at + last <= from) continue;
      const cut = at + first === start ? sentence.cut : WORD;
      yield {
        start: at + first,
        end: at + last,
        tokens: countTokens(word.slice(first, last)),
        cut,
        solid: false,
      };
    }
  }
}

/** The tokens of a sentence or block as an atom. */
export function tokensOf(text: string, start: number, end: number): number {
  return countTokens(text.slice(start, end)) + 1;
}

// Chinese, Japanese and Thai have no spaces between words.
const unspaced =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]/u;
const words = new Intl.Segmenter("fr", { granularity: "word" });
const characters = new Intl.Segmenter("fr", { granularity: "grapheme" });
const CONTEXT = 64;

/** A word whole, or cut where it has more than `most` tokens: between the words of scripts without spaces, else between characters. */
function* cutWord(word: string, most: number): Generator<[number, number]> {
  let start = 0;
  // A token is at least one byte, and a code unit at most three.
  while ((word.length - start) * 3 > most) {
    let length = Math.min(word.length - start, 4 * most);
    for (let tokens = Infinity; tokens > most;) {
      tokens = countTokens(word.slice(start, start + length));
      if (tokens > most) length = Math.max(1, Math.floor(length * most / tokens * 0.95));
    }
    if (start + length === word.length) break;
    const end = cutBefore(word, start, start + length);
    yield [start, end];
    start = end;
  }
  yield [start, word.length];
}

/** The last place up to `limit` that is no inside of a character, or of a word of a script without spaces. */
function cutBefore(word: string, start: number, limit: number): number {
  const from = Math.max(start, limit - CONTEXT);
  const near = word.slice(from, limit + CONTEXT);
  const segmenter = unspaced.test(near) ? words : characters;
  const cut = from + segmenter.segment(near).containing(limit - from)!.index;
  // A segment without end (a word of many signs on one letter) is cut all the same, but not inside a code point.
  if (cut > start) return cut;
  return word.slice(start, limit).isWellFormed() || limit - start < 2 ? limit : limit - 1;
}
