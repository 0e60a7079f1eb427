import { lexicon, type Word } from "./guard-lexicon.ts";

/** What a word may mean; empty for most words. */
export type Meanings = ReadonlySet<Word>;

const NONE: Meanings = new Set();
// The shortest word and the longest stem that are looked up by their beginning.
const SHORTEST_STEM = 4, LONGEST_STEM = 12;
// Shorter words with two letters swapped or one left out are too often other words.
const SHORTEST_SWAPPED = 6, SHORTEST_GAPPED = 9;
// The words that attacks misspell, since filters look for them.
const MISSPELT = new Set<Word>([
  "ignore",
  "instruction",
  "rule",
  "limit",
  "prompt",
  "prior",
  "system",
  "hidden",
  "repeat",
]);
// No word of the lexicon is so long: what is, may be several words without spaces.
const SHORTEST_GLUED = 14, LONGEST_WORD = 16;

interface Vocabulary {
  exact: Map<string, Set<Word>>;
  stems: Map<string, Set<Word>>;
  /** The words by their first letter, their last, and the ones between in any order. */
  misspelt: Map<string, Set<Word>>;
}

let read: Vocabulary | undefined;

/** What a folded word may mean, also when it is slightly misspelt. */
export function meaningsOf(word: string): Meanings {
  const known = knownMeanings(word);
  if (known.size > 0 || word.length < SHORTEST_SWAPPED || word.length > LONGEST_WORD) return known;
  return vocabulary().misspelt.get(signature(word)) ?? NONE;
}

/** What a folded word may mean as it is spelt. */
export function knownMeanings(word: string): Meanings {
  const { exact, stems } = vocabulary();
  let found = exact.get(word) ?? NONE;
  for (let length = Math.min(word.length, LONGEST_STEM); length >= SHORTEST_STEM; length--) {
    const stem = stems.get(word.slice(0, length));
    if (stem) found = found.size === 0 ? stem : new Set([...found, ...stem]);
  }
  return found;
}

/** The words of a text without spaces ("ignoreallrules"), or null when the lexicon does not account for most of it. */
export function unglue(word: string): string[] | null {
  if (word.length < SHORTEST_GLUED) return null;
  const { exact } = vocabulary();
  const words: string[] = [];
  let strange = 0;
  for (let at = 0; at < word.length;) {
    let length = Math.min(LONGEST_WORD, word.length - at);
    while (length > 1 && !exact.has(word.slice(at, at + length))) length--;
    if (length > 1) words.push(word.slice(at, at + length));
    else strange++;
    at += length;
  }
  return words.length > 1 && strange * 5 <= word.length ? words : null;
}

function vocabulary(): Vocabulary {
  return read ??= readVocabulary();
}

function readVocabulary(): Vocabulary {
  const made: Vocabulary = { exact: new Map(), stems: new Map(), misspelt: new Map() };
  for (const [meaning, words] of Object.entries(lexicon) as [Word, string][]) {
    for (const word of words.trim().split(/\s+/)) {
      const stem = word.replace("*", "");
      add(word === stem ? made.exact : made.stems, stem, meaning);
      if (!MISSPELT.has(meaning) || stem.length < SHORTEST_SWAPPED) continue;
      add(made.misspelt, signature(stem), meaning);
      if (stem.length < SHORTEST_GAPPED) continue;
      for (let gap = 1; gap < stem.length - 1; gap++) {
        add(made.misspelt, signature(stem.slice(0, gap) + stem.slice(gap + 1)), meaning);
      }
    }
  }
  return made;
}

function add(words: Map<string, Set<Word>>, word: string, meaning: Word): void {
  const meanings = words.get(word);
  if (meanings) meanings.add(meaning);
  else words.set(word, new Set([meaning]));
}

function signature(word: string): string {
  return word[0] + [...word.slice(1, -1)].sort().join("") + word.at(-1);
}
