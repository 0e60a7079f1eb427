import { detectLanguage } from "../../../shared/language.ts";
import type { Match } from "../../../shared/results.ts";
import { stemOf } from "../../../shared/stems.ts";
import { wordWeight } from "../../../shared/stop-words.ts";
import { fold, foldedWords } from "../../../shared/words.ts";
import { type Claim, claimsOf } from "./claims.ts";

/** What of a retrieved chunk can bear out a claim. */
export type Source = Pick<Match, "title" | "heading" | "content" | "language">;

/** A company fact, as the prompt tells it. */
export type Fact = { key: string; value: string };

/** What the words of a claim must weigh in its sources, as a share of all. */
const ENOUGH = 0.5;

/**
 * The share of an answer's claims that the chunks they cite bear out, 0 to 1; null when it claims nothing. A claim is
 * borne out when the chunks of its markers hold every number in it and at least half of what its words weigh. What the
 * company's facts tell needs no marker and is left out. It is a measure of words: it sees an invented number or another
 * subject, not a "not" too many.
 */
export function supportOf(
  answer: string,
  chunks: readonly Source[],
  facts: readonly Fact[] = [],
): number | null {
  const language = detectLanguage(answer);
  const told = evidence(facts.map(({ key, value }) => `${key.replaceAll("_", " ")}: ${value}`).join("\n"));
  const read = new Map<number, Evidence>();
  const evidenceOf = (n: number) => {
    const chunk = chunks[n - 1];
    if (chunk && !read.has(n)) read.set(n, readChunk(chunk, language));
    return read.get(n) ?? [];
  };
  const judged = claimsOf(answer).map((claim) => {
    if (claim.markers.length === 0) return isSupported(claim, [told]) ? null : false;
    return isSupported(claim, claim.markers.flatMap(evidenceOf));
  }).filter((supported) => supported !== null);
  return judged.length === 0 ? null : judged.filter((supported) => supported).length / judged.length;
}

/** What a chunk says, as far as it can be compared. */
interface Evidence {
  known: Set<string>;
  /** Whether it is in another language than the answer. */
  isForeign: boolean;
}

function readChunk({ title, heading, content, language }: Source, answered: string | null): Evidence {
  const isForeign = answered !== null && language !== null && language !== answered;
  return evidence([title, heading, content].join("\n"), isForeign);
}

function evidence(text: string, isForeign = false): Evidence {
  const known = new Set([
    ...numbersIn(text, SPACED),
    // "In room 12 300 people met": a space need not group.
    ...numbersIn(text, UNSPACED),
    ...foldedWords(text).filter((word) => /\p{L}/u.test(word)).map(keyOf),
  ]);
  return { known, isForeign };
}

/** Null where it cannot be told: words without a number, of a source in another language. */
function isSupported({ text, words }: Claim, cited: Evidence[]): boolean | null {
  const isKnown = (key: string) => cited.some(({ known }) => known.has(key));
  const numbers = numbersIn(text, SPACED);
  if (cited.length === 0 || !numbers.every(isKnown)) return false;
  if (cited.some(({ isForeign }) => isForeign)) return numbers.length > 0 ? true : null;
  let total = 0, found = 0;
  for (const word of words) {
    total += wordWeight(word);
    if (isKnown(keyOf(word))) found += wordWeight(word);
  }
  return found >= ENOUGH * total;
}

// Numbers that are often spelled out; "un", "one" and "neuf" are mostly something else.
const spelled = new Map(
  `2 two deux,3 three trois,4 four quatre,5 five cinq,6 six,7 seven sept,8 eight huit,9 nine,10 ten dix,11 eleven onze,
  12 twelve douze,14 fourteen quatorze,15 fifteen quinze,20 twenty vingt,30 thirty trente,40 forty quarante,50 fifty cinquante,
  60 sixty soixante,90 ninety,100 hundred cent,1000 thousand mille`.split(",").flatMap((line) => {
    const [number = "", ...names] = line.trim().split(" ");
    return names.map((name) => [name, number] as const);
  }),
);

function keyOf(word: string): string {
  return spelled.get(word) ?? stemOf(word);
}

const SPACED = /\d+(?:[., ]\d{3}(?!\d))*(?:[.,]\d+)?/g;
const UNSPACED = /\d+(?:[.,]\d{3}(?!\d))*(?:[.,]\d+)?/g;

/** The numbers in digits, each written plainly: "1 000,50 €" and "1,000.5" are one. */
function numbersIn(text: string, pattern: RegExp): string[] {
  return Array.from(fold(text).matchAll(pattern), ([number]) => {
    const [whole = "", decimals = ""] = number.replace(/[., ](?=\d{3}(?!\d))/g, "").split(/[.,]/);
    const digits = decimals.replace(/0+$/, "");
    return digits === "" ? whole : `${whole}.${digits}`;
  });
}
