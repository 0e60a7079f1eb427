import { createHash } from "node:crypto";
import { countTokens } from "../../shared/tokens.ts";
import { type Atom, atomsOf, tokensOf } from "./chunk-atoms.ts";
import { sectionsOf, type TextSource } from "./sections.ts";

/** A piece of a document as it is stored and found: `text.slice(char_start, char_end)` is `content`. */
export interface Chunk {
  content: string;
  /** The titles above it, "Guide > Returns". */
  heading: string | null;
  /** The page it begins on, counted from 1, of formats that have pages. */
  page: number | null;
  char_start: number;
  char_end: number;
  tokens: number;
  /** SHA-256 of heading and content, in hex: chunks with the same hash have the same vector. */
  hash: string;
}

/** A chunk's place, and where the text goes on after it. */
export interface Cut {
  start: number;
  end: number;
  heading: string | null;
  /** Where the next chunk begins: what `from` takes to go on there. */
  next: number;
}

/** Tokens a chunk aims at, may have at most, and repeats of the one before it. */
export const TARGET = 320, MOST = 400, OVERLAP = 48;
// A paragraph's end is worth a chunk that is not quite full; a sentence's end too, but never an almost empty one.
const LEAST = 0.6 * TARGET;

/**
 * The chunks of a text, in order, the same for the same text. A chunk belongs to one section, is cut between paragraphs
 * rather than sentences rather than words, and repeats the end of the one before it. `from` goes on where an earlier
 * run left off: at the `next` of its last chunk.
 */
export function* chunkText(source: TextSource, from = 0): Generator<{ chunk: Chunk; next: number }> {
  for (const { start, end, heading, next } of cutText(source, { from, isMarkup: true, isOpen: false })) {
    yield { chunk: toChunk(source.text.slice(start, end), { heading, page: null, start }), next };
  }
}

/** A chunk of its content and place. */
export function toChunk(
  content: string,
  { heading, page, start }: { heading: string | null; page: number | null; start: number },
): Chunk {
  const tokens = countTokens(content);
  const hash = createHash("sha256").update(`${heading ?? ""}\n${content}`).digest("hex");
  return { content, heading, page, char_start: start, char_end: start + content.length, tokens, hash };
}

/** How to cut a text. */
export interface CutOptions {
  /** Where to begin: 0, or the `next` of an earlier cut. */
  from: number;
  /** Whether code and tables are looked for, to be kept whole. */
  isMarkup: boolean;
  /** Whether more is to come: the end is left for then. */
  isOpen: boolean;
}

/** Where to cut a text. */
export function* cutText(source: TextSource, { from, isMarkup, isOpen }: CutOptions): Generator<Cut> {
  const sections = sectionsOf(source);
  for (const [index, section] of sections.entries()) {
    if (section.end <= from) continue;
    const following = sections[index + 1]?.start;
    const atoms = atomsOf(source.text, [section.start, section.end], { most: MOST, from, isMarkup });
    for (const cut of cutSection(source.text, atoms, isOpen && following === undefined)) {
      yield { ...cut, heading: section.heading, next: cut.next ?? following ?? source.text.length };
    }
  }
}

function* cutSection(
  text: string,
  atoms: Generator<Atom>,
  isOpen: boolean,
): Generator<{ start: number; end: number; next: number | null }> {
  // The atoms of the chunk being made, and enough of what follows to know that it is no small rest.
  let held: Atom[] = [];
  while (true) {
    const isLast = !holdMore(held, atoms, isOpen);
    if (isLast && (isOpen || held.length === 0)) return;
    const start = held[0]!.start;
    if (isLast) {
      yield { start, end: held.at(-1)!.end, next: null };
      return;
    }
    const count = bestCut(held);
    const repeated = overlapOf(text, held.slice(0, count), held[count]!);
    yield { start, end: held[count - 1]!.end, next: (repeated[0] ?? held[count]!).start };
    held = [...repeated, ...held.slice(count)];
  }
}

/** Takes atoms until they are more than one chunk may have; false when there are not so many. */
function holdMore(held: Atom[], atoms: Generator<Atom>, isOpen: boolean): boolean {
  let tokens = held.reduce((sum, atom) => sum + atom.tokens, 0);
  // The last atom of an open text may go on, so it decides nothing.
  while (tokens - (isOpen ? held.at(-1)?.tokens ?? 0 : 0) <= MOST) {
    const { value: atom } = atoms.next();
    if (!atom) return false;
    held.push(atom);
    tokens += atom.tokens;
  }
  return true;
}

/** How many of the atoms make the chunk: up to the best cut of those that leave it well filled, else to the last one. */
function bestCut(atoms: Atom[]): number {
  let best = 1, filled = 0;
  for (let count = 1, tokens = 0; count < atoms.length; count++) {
    tokens += atoms[count - 1]!.tokens;
    if (tokens > TARGET && count > 1) break;
    // Of equal cuts the later one; of cuts that leave the chunk too small the last one.
    if (filled < LEAST || tokens >= LEAST && atoms[count]!.cut >= atoms[best]!.cut) {
      [best, filled] = [count, tokens];
    }
  }
  return best;
}

/** The last sentences of a chunk up to OVERLAP tokens, or the end of a long one from a word on. */
function overlapOf(text: string, atoms: Atom[], next: Atom): Atom[] {
  const repeated: Atom[] = [];
  // The next atom must have room beside it, else the overlap would become a chunk of its own.
  let room = Math.min(OVERLAP, TARGET - next.tokens);
  for (const atom of atoms.slice(1).reverse()) {
    if (atom.solid || atom.tokens > room) break;
    repeated.unshift(atom);
    room -= atom.tokens;
  }
  const last = atoms.at(-1)!;
  if (repeated.length > 0 || last.solid) return repeated;
  let start = last.end, tokens = 1;
  for (
    const { 0: word, index } of [...text.slice(last.start, last.end).matchAll(/\S+/g)].slice(1).reverse()
  ) {
    tokens += countTokens(` ${word}`);
    if (tokens > room) break;
    start = last.start + index;
  }
  const part = { ...last, start, tokens: tokensOf(text, start, last.end) };
  return start < last.end && part.tokens <= room ? [part] : [];
}
