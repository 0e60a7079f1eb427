import type { Meaning, Sentence, Token } from "./guard-sentences.ts";

interface Step {
  /** How many words may stand before it. */
  gap: number;
  isStart: boolean;
  /** Meanings, and words with a `=` before them. */
  names: string[];
  meanings: Meaning[];
  words: string[];
}

/** A pattern of words, ready to be looked for. */
export type Pattern = readonly Step[];

/** How much was done, to show that it grows with the message and no faster. */
export interface Work {
  steps: number;
}

/**
 * Reads a pattern: steps between spaces, each a list of meanings (`ask|tell`) or words (`=word`) separated by `|`. A
 * number before a step is how many words may stand between it and the one before, `^` asks for a clause's beginning.
 */
export function pattern(source: string): Pattern {
  const steps: Step[] = [];
  let gap = 0;
  for (const part of source.split(" ")) {
    if (/^\d+$/.test(part)) {
      gap = Number(part);
      continue;
    }
    const names = part.replace("^", "").split("|");
    steps.push({
      gap,
      isStart: part.startsWith("^"),
      names,
      meanings: names.filter((name) => !name.startsWith("=")) as Meaning[],
      words: names.filter((name) => name.startsWith("=")).map((name) => name.slice(1)),
    });
    gap = 0;
  }
  return steps;
}

/** Whether a pattern stands in a sentence. */
export function matches(steps: Pattern, { tokens }: Sentence, work: Work): boolean {
  return tokens.some((_, at) => endOf(steps, tokens, { at, step: 0, work }) >= 0);
}

/** What the words of a sentence mean, and the words themselves: most patterns need only a look at it. */
export function contentsOf({ tokens }: Sentence): Set<string> {
  const contents = new Set<string>();
  for (const { word, means } of tokens) {
    contents.add(`=${word}`);
    for (const meaning of means) contents.add(meaning);
  }
  return contents;
}

/** Whether every step of a pattern has something in a sentence that it could be. */
export function mayMatch(steps: Pattern, contents: ReadonlySet<string>): boolean {
  return steps.every(({ names }) => names.some((name) => contents.has(name)));
}

/** Where all occurrences of a pattern begin and end, one for each beginning. */
export function findAll(steps: Pattern, { tokens }: Sentence, work: Work): { start: number; end: number }[] {
  const found: { start: number; end: number }[] = [];
  for (let start = 0; start < tokens.length; start++) {
    const end = endOf(steps, tokens, { at: start, step: 0, work });
    if (end >= 0) found.push({ start, end });
  }
  return found;
}

/** Where the pattern ends when `step` stands at `at`. Gaps are small and steps few, so the work per word is bounded. */
function endOf(
  steps: Pattern,
  tokens: readonly Token[],
  { at, step, work }: { at: number; step: number; work: Work },
): number {
  work.steps++;
  if (!stands(steps[step]!, tokens[at]!)) return -1;
  const next = steps[step + 1];
  if (next === undefined) return at;
  const last = Math.min(tokens.length - 1, at + 1 + next.gap);
  for (let place = at + 1; place <= last; place++) {
    const end = endOf(steps, tokens, { at: place, step: step + 1, work });
    if (end >= 0) return end;
  }
  return -1;
}

function stands({ isStart, meanings, words }: Step, token: Token): boolean {
  if (isStart && !token.isStart) return false;
  return meanings.some((meaning) => token.means.has(meaning)) || words.includes(token.word);
}
