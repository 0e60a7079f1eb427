import { sentencesOf } from "../../../shared/sentences.ts";

/** Longest quote in characters; a longer sentence is cut at a word. */
const LONGEST_QUOTE = 400;

/**
 * The sentence of a stored chunk that best supports what the answer says; always an exact substring of the
 * chunk. Words are compared by weighted Dice overlap, so a long sentence does not win by its length alone. The
 * question breaks ties, and decides when answer and source are in different languages.
 */
export function bestQuote(chunk: string, claim: string, question = ""): string {
  const claimed = weigh(claim);
  const asked = weigh(question);
  let best = "";
  let bestScore = -1;
  for (const sentence of sentencesOf(chunk)) {
    const words = weigh(sentence);
    const score = overlap(words, claimed) + 0.1 * overlap(words, asked);
    if (score > bestScore) [best, bestScore] = [sentence, score];
  }
  return shorten(best);
}

/** Content words with their weights: longer words and numbers say more than articles do. */
function weigh(text: string): Map<string, number> {
  const weights = new Map<string, number>();
  const plain = text.normalize("NFD").replace(/\p{M}+/gu, "").toLowerCase();
  for (const [word] of plain.matchAll(/[\p{L}\p{N}]+/gu)) {
    const isNumber = /^\p{N}/u.test(word);
    if (!isNumber && word.length < 3) continue;
    // Six letters stand for the stem: "rembourser" and "remboursement" meet.
    weights.set(isNumber ? word : word.slice(0, 6), isNumber ? 6 : Math.min(word.length, 8) - 2);
  }
  return weights;
}

function overlap(a: Map<string, number>, b: Map<string, number>): number {
  let shared = 0;
  let total = 0;
  for (const [word, weight] of a) {
    total += weight;
    if (b.has(word)) shared += 2 * weight;
  }
  for (const weight of b.values()) total += weight;
  return total === 0 ? 0 : shared / total;
}

function shorten(sentence: string): string {
  if (sentence.length <= LONGEST_QUOTE) return sentence;
  const space = sentence.lastIndexOf(" ", LONGEST_QUOTE);
  // A text without spaces is cut between characters, never inside a surrogate pair.
  const end = sentence.slice(0, LONGEST_QUOTE).isWellFormed() ? LONGEST_QUOTE : LONGEST_QUOTE - 1;
  return sentence.slice(0, space > 0 ? space : end).trimEnd();
}
