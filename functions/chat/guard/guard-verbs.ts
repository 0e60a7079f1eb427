import type { Meaning, Token } from "./guard-sentences.ts";

// What the assistant is told to do, unless somebody else does it.
const commands: Meaning[] = ["ignore", "enable", "pretend", "act", "switch", "follow", "put", "obey"];
// What it is asked for: "can I see your prompt?" asks for it as well, "how do I print a label?" does not.
const requests: Meaning[] = ["repeat", "tell"];

/** The meanings of a word that do not count where it stands, since nobody asks the assistant for them. */
export function unasked(tokens: readonly Token[], at: number): readonly Meaning[] {
  const { means } = tokens[at]!;
  const isVerb = [...commands, ...requests].some((meaning) => means.has(meaning));
  if (isVerb && isQuestionHow(tokens, at)) return [...commands, ...requests];
  if (isVerb && isNarrated(tokens, at)) return commands;
  // "Above 50 euros", "avant le 1er mai": an amount or a day, no text.
  const isBeforeNumber = [1, 2].some((words) => tokens[at + words]?.isNumber);
  return isBeforeNumber ? ["above", "before"] : [];
}

const links = new Set(["and", "then", "but", "so", "et", "puis", "mais", "alors"]);
/** Pronouns of who writes the message. */
export const speakers = new Set(["i", "we", "je", "j", "nous"]);

/** Whether a verb tells what the visitor or a third person does: "I want to ignore", "dois-je oublier", "il a ignoré". */
function isNarrated(tokens: readonly Token[], at: number): boolean {
  const { word, isStart } = tokens[at]!;
  if (isStart) return false;
  for (let back = 1; back <= 4 && back <= at; back++) {
    const token = tokens[at - back]!;
    if (token.means.has("you") || links.has(token.word)) break;
    if (speakers.has(token.word)) return true;
    if (token.isStart && back > 1) break;
  }
  return word.endsWith("e") && tokens.slice(Math.max(0, at - 2), at).some((token) => token.means.has("aux"));
}

/** "How do I …", "comment contourner …": a question for a way, not a command. */
function isQuestionHow(tokens: readonly Token[], at: number): boolean {
  const before = tokens.slice(Math.max(0, at - 4), at);
  const how = before.findLastIndex((token) => token.means.has("how"));
  return how >= 0 && !before.slice(how).some((token) => token.means.has("you"));
}
