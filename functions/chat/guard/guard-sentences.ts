import { fold } from "../../../shared/words.ts";
import { asSeen, leetReadings } from "./guard-characters.ts";
import type { Derived } from "./guard-phrases.ts";
import type { Word } from "./guard-lexicon.ts";
import { knownMeanings, meaningsOf, unglue } from "./guard-vocabulary.ts";

/** Something a word means: by itself, or where it stands. */
export type Meaning = Word | Derived;

/** A word of a message. */
export interface Token {
  word: string;
  means: ReadonlySet<Meaning>;
  /** Begins a clause, but for words of politeness: what is said here is said to the assistant. */
  isStart: boolean;
  /** A colon stands behind it. */
  hasColon: boolean;
  /** Is written as a name: "DAN", "Omega". */
  isName: boolean;
  isNumber: boolean;
}

/** A sentence of a message. */
export interface Sentence {
  tokens: Token[];
  isQuestion: boolean;
}

// A sentence of fewer words does not end at its full stop: "Ignore. All. Rules."
const SHORTEST_SENTENCE = 3;
// "i g n o r e", "r.è.g.l.e": letters with the same kind of gap between them.
const SPACED = /(?<![\p{L}\p{N}])(?:[\p{L}\p{N}@$!][ .\-_*~|/·]){2,}[\p{L}\p{N}](?![\p{L}\p{N}])/gu;
const GAPS = /[ .\-_*~|/·]/g;

/** The sentences of a text with what their words may mean. */
export function sentencesIn(text: string): Sentence[] {
  const sentences: Sentence[] = [];
  let tokens: Token[] = [];
  const close = (isQuestion: boolean) => {
    if (tokens.length > 0) sentences.push({ tokens, isQuestion });
    tokens = [];
  };
  for (const line of text.replace(SPACED, (run) => run.replace(GAPS, "")).split(/[\r\n]+/)) {
    let isStart = true;
    const before = tokens.length;
    for (const [chunk] of line.matchAll(/\S+/g)) {
      isStart ||= /^["«“‘'(\[<{*#—–-]/.test(chunk);
      for (const token of tokensOf(chunk)) {
        tokens.push({ ...token, isStart });
        isStart &&= token.means.has("polite");
      }
      if (/[.!?…]["»”’')\]]*$/.test(chunk) && tokens.length >= SHORTEST_SENTENCE) {
        close(chunk.includes("?"));
        isStart = true;
      } else if (/[:;,—–"»”)\]>!?.]$/.test(chunk)) {
        const last = tokens.at(-1);
        if (last && chunk.endsWith(":")) last.hasColon = true;
        isStart = true;
      } else if (chunk === "?" || chunk === "!") {
        close(chunk === "?");
        isStart = true;
      }
    }
    // A line of a word or two goes on in the next one.
    if (tokens.length - before >= SHORTEST_SENTENCE) close(false);
  }
  close(false);
  return sentences;
}

/** The words of what stands between two spaces. */
function tokensOf(chunk: string): Omit<Token, "isStart">[] {
  const whole = disguised(chunk);
  if (whole !== null) return [token(whole, chunk, meaningsOf(whole))];
  const found: Omit<Token, "isStart">[] = [];
  for (const [part] of chunk.matchAll(/[\p{L}\p{M}\p{N}]+/gu)) {
    const word = asSeen(fold(part));
    const words = unglue(word);
    if (words) found.push(...words.map((each) => token(each, each, knownMeanings(each))));
    else found.push(token(word, part, meaningsOf(word)));
  }
  return found;
}

/** The word of the lexicon that digits, signs or hyphens within it hide: "1gn0r3", "ig-nore". */
function disguised(chunk: string): string | null {
  if (chunk.length > 40 || /^[\p{L}\p{M}]+$/u.test(chunk)) return null;
  const word = asSeen(fold(chunk.replace(/[!?.,:;"'»”)\]]+$/, "").replace(/^["'«“(\[]+/, "")));
  const spellings = leetReadings(word);
  if (/^[\p{L}.\-_*~|·+]+$/u.test(word) && /\p{L}[.\-_*~|·+]+\p{L}/u.test(word)) {
    const parts = word.split(/[.\-_*~|·+]+/);
    // "role-play" is two words that mean something by themselves.
    if (parts.some((part) => part.length > 1 && knownMeanings(part).size === 0)) {
      spellings.push(parts.join(""));
    }
  }
  return spellings.map((spelling) => spelling.replace(/[^\p{L}]/gu, ""))
    .find((spelling) => spelling.length > 1 && knownMeanings(spelling).size > 0) ?? null;
}

function token(word: string, written: string, means: ReadonlySet<Meaning>): Omit<Token, "isStart"> {
  return {
    word,
    means,
    hasColon: false,
    isName: /^\p{Lu}/u.test(written),
    isNumber: /^\d+$/.test(word),
  };
}
