import { eachLetter } from "./canary-letters.ts";

/** So many letters in a row are compared at once: fewer are shared by any two texts of a language. */
export const GRAM = 12;

/** The runs of {@link GRAM} letters of a text, hashed. */
export type Grams = ReadonlySet<number>;

// The instructions of the agents used last; an agent's stay the same from turn to turn.
const MOST_KEPT = 64;
const kept = new Map<string, Grams>();

/** The runs of letters that make up instructions. What they have in quotation marks is meant to be said. */
export function secretGrams(instructions: string): Grams {
  const known = kept.get(instructions);
  if (known) return known;
  const grams = gramsOf(instructions.split(/«[^»]{1,300}»|“[^”]{1,300}”|"[^"\n]{1,300}"/));
  if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value!);
  kept.set(instructions, grams);
  return grams;
}

/** The runs of letters of texts, none of which reaches from one text into the next. */
export function gramsOf(texts: readonly string[]): Grams {
  const grams = new Set<number>();
  for (const text of texts) {
    const window = new RollingHash();
    eachLetter(text, (letter) => {
      if (window.add(letter)) grams.add(window.hash);
    });
  }
  return grams;
}

// An odd number makes every letter reach every bit; what leaves the window was multiplied GRAM - 1 times.
const BASE = 0x01000193;
const OLDEST = Array.from({ length: GRAM - 1 }).reduce<number>((power) => Math.imul(power, BASE), 1);

/** A hash of the last {@link GRAM} letters, kept up to date letter by letter. */
export class RollingHash {
  hash = 0;
  readonly #letters = new Uint16Array(GRAM);
  #seen = 0;

  /** Takes the next letter; says whether there were enough for a hash. */
  add(letter: number): boolean {
    const place = this.#seen % GRAM;
    this.hash = Math.imul(this.hash - Math.imul(this.#letters[place]!, OLDEST), BASE) + letter | 0;
    this.#letters[place] = letter;
    return ++this.#seen >= GRAM;
  }
}
