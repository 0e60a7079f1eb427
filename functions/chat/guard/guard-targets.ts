import type { Derived } from "./guard-phrases.ts";
import type { Meaning, Token } from "./guard-sentences.ts";
import { speakers } from "./guard-verbs.ts";

/** What an instruction, a rule, a limit, a prompt or a message is here: the assistant's, or something else. */
export function targetOf(tokens: readonly Token[], at: number): Derived | null {
  const { means } = tokens[at]!;
  const isStrict = means.has("instruction");
  const isPrompt = means.has("prompt");
  const isLoose = means.has("rule") || means.has("limit") || means.has("config");
  if (!isStrict && !isPrompt && !isLoose) return isSystemMessage(tokens, at) ? "systemmessage" : null;
  const before = tokens.slice(Math.max(0, at - 4), at);
  const after = clauseAfter(tokens, at, 3);
  const has = (meaning: Meaning) => before.some((token) => token.means.has(meaning));
  const follows = (meaning: Meaning, words = 3) =>
    after.slice(0, words).some((token) => token.means.has(meaning));
  const isHidden = has("hidden") || follows("hidden", 2);
  const isSystem = before.slice(-2).some((token) => token.means.has("system")) || follows("system", 2);
  const isPrior = before.slice(-2).some((token) => token.means.has("prior")) || follows("prior", 2);
  const isTold = clauseAfter(tokens, at, 8).some((token) => token.means.has("told"));
  const owner = before.findLastIndex((token) => token.means.has("your"));
  const isYours = owner >= 0;
  if (isPrompt) {
    const isStrong = isHidden || isSystem || isPrior || isYours || has("core");
    return promptTarget({ before, after, isStrong });
  }
  if (isVisitors(tokens, at) && !isSystem) return null;
  // "Your return policy", "your washing instructions".
  const isAbout = hasMatter(after) || isYours && !before.slice(owner + 1).every(isPlain);
  if (isStrict && (isSystem && !isAbout || isHidden || isTold)) return "secret";
  if (isStrict && has("internal") && !isAbout) return "secret";
  if (!isStrict && isTold) return "rules";
  if (isYours && !isStrict) return isAbout ? null : "limits";
  if (isYours) return isAbout ? "botrules" : "rules";
  if (isAbout || !isStrict && !means.has("rule") && !means.has("limit")) return null;
  return isPrior || isStrict && has("all") ? "priorrules" : null;
}

/** "Your usual protocols", "les paramètres par défaut": how the assistant works, when nothing else is named. */
export function isHabit(tokens: readonly Token[], at: number): boolean {
  const { means } = tokens[at]!;
  if (!means.has("habit") && !means.has("limit")) return false;
  const before = tokens.slice(Math.max(0, at - 4), at);
  const after = clauseAfter(tokens, at, 6);
  const owner = before.findLast(({ means }) => means.has("my") || means.has("your"));
  // "The default settings of my account": the matter may stand behind the adjective.
  const isAbout = [0, 1, 2].some((skipped) => hasMatter(after.slice(skipped, skipped + 3)));
  if (owner?.means.has("my") || isAbout) return false;
  const isUsual = [...before.slice(-2), ...after.slice(0, 2)].some(({ means }) => means.has("usual"));
  return isUsual || owner !== undefined && before.slice(before.indexOf(owner) + 1).every(isPlain);
}

function promptTarget(
  { before, after, isStrong }: { before: Token[]; after: Token[]; isStrong: boolean },
): Derived | null {
  const previous = before.at(-1);
  // "Your prompt reply", "the command prompt".
  if (after[0]?.means.has("reply") || previous?.means.has("command")) return null;
  if (after[1]?.means.has("command")) return null;
  if (isStrong) return "secret";
  return before.slice(-2).some(({ word }) =>
      ["the", "this", "le", "ce", "du", "full", "entire"].includes(word)
    )
    ? "weakprompt"
    : null;
}

/** "System message", "message du développeur". */
function isSystemMessage(tokens: readonly Token[], at: number): boolean {
  if (!["message", "messages", "text", "texte"].includes(tokens[at]!.word)) return false;
  const next = tokens[at + 1];
  const system = next && ["du", "de", "of"].includes(next.word) ? tokens[at + 2] : next;
  const isBeside = (token: Token | undefined) => token !== undefined && token.means.has("system");
  return isBeside(tokens[at - 1]) || isBeside(system) && !next!.isStart;
}

/** Whether the visitor speaks of their own: "my instructions", "les consignes que je t'ai données". */
function isVisitors(tokens: readonly Token[], at: number): boolean {
  const before = tokens.slice(Math.max(0, at - 3), at);
  const owner = before.findLast((token) => token.means.has("my") || token.means.has("your"));
  if (owner?.means.has("my")) return true;
  return clauseAfter(tokens, at, 3).some(({ word }) => speakers.has(word));
}

/** The words behind a word in its clause, at most so many. */
function clauseAfter(tokens: readonly Token[], at: number, most: number): Token[] {
  const after = tokens.slice(at + 1, at + 1 + most);
  const next = after.findIndex(({ isStart }) => isStart);
  return next < 0 ? after : after.slice(0, next);
}

const plain: Meaning[] = [
  "all",
  "hidden",
  "internal",
  "system",
  "prior",
  "limit",
  "first",
  "exact",
  "new",
  "given",
  "your",
  "usual",
  "core",
];
const plainWords = new Set([
  "own",
  "very",
  "current",
  "content",
  "propres",
  "of",
  "de",
  "actual",
  "stupid",
  "dumb",
]);

/** An adjective that says nothing about a matter: "your own hidden rules". */
function isPlain({ word, means }: Token): boolean {
  return plainWords.has(word) || plain.some((meaning) => means.has(meaning));
}

/** Whether a matter follows: "rules on returns", "consignes de tri"; "for a moment" and "of this chat" are none. */
function hasMatter(after: readonly Token[]): boolean {
  const [link, ...rest] = after;
  if (!link?.means.has("about") || link.isStart) return false;
  if (rest[0]?.means.has("me") || ["en", "in"].includes(link.word) && rest[0]?.word !== "the") return false;
  if (link.word === "dans" && rest[0]?.means.has("article") && !["le", "la", "les"].includes(rest[0].word)) {
    return false;
  }
  // "On my command", "à ma demande".
  if (rest[0]?.means.has("my") && rest.some(({ means }) => means.has("wish"))) return false;
  return !rest.some(({ means }) =>
    ["moment", "system", "prior", "maker", "chat", "aside", "usual"].some((meaning) =>
      means.has(meaning as Meaning)
    )
  );
}
