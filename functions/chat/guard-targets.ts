import { findAll, pattern, type Work } from "./guard-pattern.ts";
import type { Meaning, Sentence, Token } from "./guard-sentences.ts";

/**
 * What a word means where it stands. `secret`: the system prompt; `rules`: the assistant's instructions; `botrules`:
 * the same about some matter, which may be the shop's; `priorrules`: instructions given before, whosever; `weakprompt`:
 * a prompt, whosever; `told`: given to the assistant by others; `whole`: a text, all of it; `command`…: a verb said to
 * the assistant.
 */
export type Derived =
  | "secret"
  | "rules"
  | "botrules"
  | "priorrules"
  | "weakprompt"
  | "systemmessage"
  | "told"
  | "earlier"
  | "announced"
  | "nolimits"
  | "roleplay";

// Looked for in this order; each marks its last word.
const phrases = ([
  ["told", "=you|=u|=youve|=youre 2 =were|=was|=been|=are|=re 1 given"],
  ["told", "=were|=are|=been =you 2 given"],
  ["told", "=you 1 =received|=operate|=work|=follow|=got"],
  ["told", "=t =a|=ont|=avait|=avaient 2 given"],
  ["told", "=on =t|=vous 1 =a|=avait 1 given"],
  ["told", "=tu|=vous|=t =as|=avez|=aviez|=avais =recu|=recus|=recue|=recues"],
  ["told", "=tu|=vous =dois|=devez|=suis|=suivez"],
  // "The text above", "everything before this line", "tout ce qui précède".
  ["earlier", "text|everything 3 above"],
  ["earlier", "=tout|=toute|=integralite 6 above"],
  ["earlier", "=what|=all|=ce|=celui 4 above"],
  ["earlier", "text|everything 6 before 2 anchor"],
  ["earlier", "=tout|=ce 8 before 3 anchor"],
  ["earlier", "first 2 text 4 chat"],
  ["earlier", "first 1 =message|=messages"],
  ["nolimits", "free"],
  ["nolimits", "=non filtered"],
  ["nolimits", "=no|=any|=without|=sans|=aucun|=aucune|=ni|=zero 2 limit|rule|instruction"],
  ["nolimits", "=libre|=free 2 limit|rule|instruction"],
  ["nolimits", "=anything =now"],
  ["roleplay", "pretend"],
  ["roleplay", "=role =play|=playing|=plays"],
  ["roleplay", "play 1 =the|=a|=an|=le|=un|=de 2 role"],
  ["roleplay", "=jeu =de =role"],
  ["roleplay", "=fais|=faites|=faire =comme =si"],
  ["ignore", "not 3 follow"],
  ["ignore", "stop 3 follow"],
] as const).map(([meaning, source]): [Meaning, ReturnType<typeof pattern>] => [meaning, pattern(source)]);

const setAside = pattern("put 5 aside");

/** Marks the words of a sentence with what they mean where they stand. */
export function markTargets(sentence: Sentence, work: Work): void {
  const { tokens } = sentence;
  tokens.forEach((token, at) => {
    if (isNarrated(tokens, at)) token.means = without(token.means, told);
    else if (isQuestionHow(tokens, at)) token.means = without(token.means, [...told, "repeat", "tell"]);
  });
  for (const [meaning, steps] of phrases) {
    for (const { end } of findAll(steps, sentence, work)) mark(tokens[end]!, meaning);
  }
  for (const { start } of findAll(setAside, sentence, work)) mark(tokens[start]!, "ignore");
  tokens.forEach((token, at) => {
    work.steps++;
    if (token.means.has("instruction") || token.means.has("task")) {
      if (tokens.slice(at, at + 4).some(({ hasColon }) => hasColon)) mark(token, "announced");
    }
    const target = targetOf(tokens, at);
    if (target !== null) mark(token, target);
  });
}

const told: Meaning[] = ["ignore", "enable", "pretend", "act", "switch", "follow", "put"];
const speakers = new Set(["i", "we", "je", "j", "nous"]);

/** Whether a verb tells what the visitor or a third person does: "I ignore", "dois-je oublier", "il a ignoré". */
function isNarrated(tokens: readonly Token[], at: number): boolean {
  const { word, isStart } = tokens[at]!;
  if (isStart) return false;
  const [before, earlier] = [tokens[at - 1], tokens[at - 2]];
  if (before?.means.has("you")) return false;
  if ([before, earlier].some((token) => token && speakers.has(token.word))) return true;
  return word.endsWith("e") && [before, earlier].some((token) => token?.means.has("aux"));
}

/** "How do I …", "comment contourner …": a question for a way, not a command. */
function isQuestionHow(tokens: readonly Token[], at: number): boolean {
  const before = tokens.slice(Math.max(0, at - 4), at);
  const how = before.findLastIndex((token) => token.means.has("how"));
  return how >= 0 && !before.slice(how).some((token) => token.means.has("you"));
}

/** What an instruction, a rule, a limit, a prompt or a message is here: the assistant's, or something else. */
function targetOf(tokens: readonly Token[], at: number): Derived | null {
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
  if (isPrompt) return promptTarget({ before, after, isStrong: isHidden || isSystem || isPrior || isYours });
  if (isVisitors(tokens, at) && !isSystem) return null;
  // "Your return policy", "your washing instructions".
  const isAbout = hasMatter(after) || isYours && !before.slice(owner + 1).every(isPlain);
  if (isStrict && (isSystem && !isAbout || isHidden || isTold)) return "secret";
  if (isStrict && has("internal") && !isAbout) return "secret";
  if (!isStrict && isTold) return "rules";
  if (isYours) return isAbout ? (isStrict ? "botrules" : null) : "rules";
  if (!isStrict && !means.has("rule") || isAbout) return null;
  return isPrior || isStrict && has("all") ? "priorrules" : null;
}

function promptTarget(
  { before, after, isStrong }: { before: Token[]; after: Token[]; isStrong: boolean },
): Derived | null {
  const previous = before.at(-1);
  // "Your prompt reply", "the command prompt".
  if (after[0]?.means.has("reply") || previous?.means.has("command")) return null;
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
  return [tokens[at - 1], system].some((token) => token !== undefined && token.means.has("system"));
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
  return !rest.some(({ means }) =>
    ["moment", "system", "prior", "maker", "chat", "aside"].some((meaning) => means.has(meaning as Meaning))
  );
}

function mark(token: Token, meaning: Meaning): void {
  token.means = new Set([...token.means, meaning]);
}

function without(means: ReadonlySet<Meaning>, dropped: readonly Meaning[]): ReadonlySet<Meaning> {
  if (!dropped.some((meaning) => means.has(meaning))) return means;
  return new Set([...means].filter((meaning) => !dropped.includes(meaning)));
}
