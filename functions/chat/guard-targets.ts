import { contentsOf, findAll, mayMatch, pattern, type Work } from "./guard-pattern.ts";
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
  | "limits"
  | "botrules"
  | "priorrules"
  | "weakprompt"
  | "systemmessage"
  | "told"
  | "earlier"
  | "announced"
  | "nolimits"
  | "roleplay"
  | "ownengine"
  | "source"
  | "habits"
  | "name";

// Looked for in this order. Each marks its first word, its last, or both.
const phrases = ([
  ["told", "last", "=you|=u|=youve|=youre 2 =were|=was|=been|=are|=re 1 given"],
  ["told", "last", "=were|=are|=been =you 2 given"],
  ["told", "last", "given =to|=a|=aux =you|=toi|=vous"],
  ["told", "last", "=you 1 =received|=operate|=work|=follow|=got|=run"],
  ["told", "last", "=guides|=guide|=guident|=drives =you"],
  ["told", "last", "=te|=t|=vous =guide|=guident|=dirige|=dirigent"],
  ["told", "last", "=t =a|=ont|=avait|=avaient 2 given"],
  ["told", "last", "=on =t|=vous 1 =a|=avait 1 given"],
  ["told", "last", "=tu|=vous|=t =as|=avez|=aviez|=avais =recu|=recus|=recue|=recues"],
  ["told", "last", "=tu|=vous =dois|=devez|=suis|=suivez|=operes|=operez|=bases"],
  // "The text above", "everything before this line", "tout ce qui précède".
  ["earlier", "last", "text|everything 3 above"],
  ["earlier", "last", "=tout|=toute|=integralite 6 above"],
  ["earlier", "last", "=what|=ce|=celui 4 above"],
  ["earlier", "last", "text|everything 6 before 2 anchor"],
  ["earlier", "last", "=tout|=ce 8 before 3 anchor"],
  ["earlier", "last", "first 2 text 4 chat"],
  ["nolimits", "both", "free"],
  ["nolimits", "both", "=non filtered"],
  ["nolimits", "both", "=no|=any|=without|=sans|=aucun|=aucune|=ni|=zero 3 limit|rule|instruction"],
  ["nolimits", "both", "=libre|=free 2 limit|rule|instruction"],
  ["nolimits", "both", "limit 3 =off|=disabled|=desactives|=desactive|=bypassed"],
  ["nolimits", "both", "=anything =now"],
  ["roleplay", "last", "pretend"],
  ["roleplay", "last", "=role =play|=playing|=plays"],
  ["roleplay", "last", "play 1 =the|=a|=an|=le|=un|=de 2 role"],
  ["roleplay", "last", "=jeu =de =role"],
  ["roleplay", "last", "=fais|=faites|=faire =comme =si"],
  ["ignore", "last", "act|=push|=go|=step|=opere 3 =beyond|=outside|=against|=counter|=dehors|=dela"],
  ["ignore", "last", "not 3 follow"],
  ["ignore", "last", "stop 3 follow"],
  ["ignore", "first", "put 5 aside"],
  // "The command behind your answers", "l'invite de ta formation".
  ["ownengine", "last", "your 3 engine"],
  ["source", "first", "cue 7 ownengine"],
  ["source", "first", "cue|=question|=request|=requete 6 cause 3 answer"],
  ["source", "first", "core 2 cue 6 told"],
  ["source", "first", "cue 2 core 6 told"],
] as const).map(([meaning, place, source]) => ({ meaning, place, steps: pattern(source) }));

/** Marks the words of a sentence with what they mean where they stand. */
export function markTargets(sentence: Sentence, work: Work): void {
  const { tokens } = sentence;
  tokens.forEach((token, at) => {
    if (isNarrated(tokens, at)) token.means = without(token.means, told);
    // "Above 50 euros", "avant le 1er mai": an amount or a day, no text.
    else if (tokens.slice(at + 1, at + 3).some(({ isNumber }) => isNumber)) {
      token.means = without(token.means, ["above", "before"]);
    } else if (isQuestionHow(tokens, at)) token.means = without(token.means, [...told, "repeat", "tell"]);
  });
  const contents = contentsOf(sentence);
  for (const { meaning, place, steps } of phrases) {
    if (!mayMatch(steps, contents)) continue;
    for (const { start, end } of findAll(steps, sentence, work)) {
      contents.add(meaning);
      if (place !== "last") mark(tokens[start]!, meaning);
      if (place !== "first") mark(tokens[end]!, meaning);
    }
  }
  tokens.forEach((token, at) => {
    work.steps++;
    if (token.means.has("instruction")) {
      if (tokens.slice(at, at + 4).some(({ hasColon }) => hasColon)) mark(token, "announced");
    }
    if (token.means.has("habit") || token.means.has("limit")) markHabit(tokens, at);
    if (token.isName && at > 0) mark(token, "name");
    const target = targetOf(tokens, at);
    if (target !== null) mark(token, target);
  });
}

const told: Meaning[] = ["ignore", "enable", "pretend", "act", "switch", "follow", "put", "obey"];
const links = new Set(["and", "then", "but", "so", "et", "puis", "mais", "alors"]);
const speakers = new Set(["i", "we", "je", "j", "nous"]);

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
function markHabit(tokens: readonly Token[], at: number): void {
  const before = tokens.slice(Math.max(0, at - 4), at);
  const after = clauseAfter(tokens, at, 6);
  const owner = before.findLast(({ means }) => means.has("my") || means.has("your"));
  // "The default settings of my account": the matter may stand behind the adjective.
  if (owner?.means.has("my") || [0, 1, 2].some((skipped) => hasMatter(after.slice(skipped, skipped + 3)))) {
    return;
  }
  const isUsual = [...before.slice(-2), ...after.slice(0, 2)].some(({ means }) => means.has("usual"));
  if (isUsual || owner && before.slice(before.indexOf(owner) + 1).every(isPlain)) mark(tokens[at]!, "habits");
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

function mark(token: Token, meaning: Meaning): void {
  token.means = new Set([...token.means, meaning]);
}

function without(means: ReadonlySet<Meaning>, dropped: readonly Meaning[]): ReadonlySet<Meaning> {
  if (!dropped.some((meaning) => means.has(meaning))) return means;
  return new Set([...means].filter((meaning) => !dropped.includes(meaning)));
}
