import { contentsOf, findAll, mayMatch, type Work } from "./guard-pattern.ts";
import { phrases } from "./guard-phrases.ts";
import type { Meaning, Sentence, Token } from "./guard-sentences.ts";
import { isHabit, targetOf } from "./guard-targets.ts";
import { unasked } from "./guard-verbs.ts";

/** Marks the words of a sentence with what they mean where they stand. */
export function markMeanings(sentence: Sentence, work: Work): void {
  const { tokens } = sentence;
  const telling = Array.from(tokens.keys()).filter((at) => tokens[at]!.means.size > 0);
  for (const at of telling) unmark(tokens[at]!, unasked(tokens, at));
  markPhrases(sentence, work);
  for (const at of telling) {
    work.steps++;
    const token = tokens[at]!;
    const isAnnounced = token.means.has("instruction") &&
      tokens.slice(at, at + 4).some(({ hasColon }) => hasColon);
    if (isAnnounced) mark(token, "announced");
    if (isHabit(tokens, at)) mark(token, "habits");
    const target = targetOf(tokens, at);
    if (target !== null) mark(token, target);
  }
  tokens.forEach((token, at) => {
    if (token.isName && at > 0) mark(token, "name");
  });
}

function markPhrases(sentence: Sentence, work: Work): void {
  const { tokens } = sentence;
  const contents = contentsOf(sentence);
  for (const { meaning, place, steps } of phrases) {
    if (!mayMatch(steps, contents)) continue;
    for (const { start, end } of findAll(steps, sentence, work)) {
      contents.add(meaning);
      if (place !== "last") mark(tokens[start]!, meaning);
      if (place !== "first") mark(tokens[end]!, meaning);
    }
  }
}

function mark(token: Token, meaning: Meaning): void {
  token.means = new Set([...token.means, meaning]);
}

function unmark(token: Token, dropped: readonly Meaning[]): void {
  if (dropped.length > 0) {
    token.means = new Set([...token.means].filter((meaning) => !dropped.includes(meaning)));
  }
}
