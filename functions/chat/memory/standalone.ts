import { sentencesOf } from "../../../shared/sentences.ts";
import { isTelling } from "../../../shared/stems.ts";
import { wordWeight } from "../../../shared/stop-words.ts";
import { foldedWords } from "../../../shared/words.ts";
import { refersBack } from "./anaphora.ts";

/** A message before the question. */
export interface Said {
  role: string;
  content: string;
  /** A visitor's message as it was rewritten in its turn. */
  standalone?: string | null;
}

// A longer message brings its own context, and so far back people remember what was asked.
const LONGEST_FOLLOW_UP = 200, LOOK_BACK = 6, LONGEST_CONTEXT = 160;

/**
 * A question as it can be understood, and searched for, without what was said before it; the question itself when it
 * stands alone. "And for machines?" after "What is the deposit for a drill?" is "What is the deposit for machines?".
 */
export function standaloneQuestion(question: string, history: readonly Said[]): string {
  const asked = question.trim();
  if (asked.length > LONGEST_FOLLOW_UP) return question;
  const recent = history.slice(-LOOK_BACK);
  if (agrees(asked)) return offeredIn(recent.at(-1)) ?? question;
  const at = recent.findLastIndex((said) => said.role === "user" && asksSomething(said));
  if (at < 0) return question;
  const before = questionOf(recent[at]!);
  const phrase = ellipsis(asked);
  if (phrase !== null) return complete(before, phrase, asked);
  if (isBare(asked)) return `${asked} (${before})`;
  if (!refersBack(asked)) return question;
  return `${asked} (${subjectsOf(before, recent[at + 1]).join(", ")})`;
}

function agrees(text: string): boolean {
  return /^(?:(?:yes|yeah|yep|sure|ok(?:ay)?|please|of course|go on|oui|ouais|volontiers|d['’]accord|bien s[ûu]r|avec plaisir|s['’]il vous pla[iî]t|svp|je veux bien|allez-y)[\s,.!]*)+$/iu
    .test(text);
}

/** What the assistant asked last: "Would you like to know the delivery prices?". */
function offeredIn(said: Said | undefined): string | null {
  if (said?.role !== "assistant") return null;
  const last = sentencesOf(said.content).at(-1) ?? "";
  return /\?["»”)]*$/u.test(last) && last.length <= LONGEST_FOLLOW_UP ? last : null;
}

function asksSomething({ content }: Said): boolean {
  return foldedWords(content.slice(0, 2000)).some(isTelling);
}

/** The sentence of a message that asks, without its question mark. */
function questionOf({ content, standalone }: Said): string {
  const sentences = sentencesOf((standalone ?? content).slice(-2000));
  const asking = sentences.findLast((sentence) => /\?\W*$/u.test(sentence)) ?? sentences.at(-1) ?? content;
  const whole = asking.replace(/\s+/g, " ").replace(/[\s?!.…]+$/u, "");
  const plain = whole.replace(OPENER, "") || whole;
  return plain.length <= LONGEST_CONTEXT
    ? plain
    : plain.slice(0, LONGEST_CONTEXT).replace(/\s\S*$/u, "").toWellFormed();
}

const OPENER =
  /^(?:(?:ok(?:ay)?|thanks|thank you|merci|bon|well|so|alors)[,.! ]+)*(?:(?:and|et|but|mais|or|ou(?! (?:est|sont|se|puis|peut|[êe]tes|vous|dormir|acheter|rouler|trouver)(?![a-zà-ÿœ]))|sinon)[, ]+)*(?:what about|how about|qu['’]en est-il|(?:the )?same (?:question )?(?=for|with)|(?:la )?même (?:question|chose) (?=pour|avec)|(?:pareil|idem|même) (?=pour|avec|sans|en|à)|even (?=for|with|without|on|at|in))? ?/i;
const OPENS =
  /(?<![a-zà-ÿœ])(?:and|et|but|mais|or|ou|sinon|about|est-il|same|even|même|pareil|idem)(?![a-zà-ÿœ])/i;
const PREPOSITIONS =
  "for|to|in|on|at|with|without|from|by|under|over|after|before|during|pour|à|au|aux|en|dans|sur|avec|sans|chez|après|avant|pendant|depuis|par";
// What a clause of its own begins with; anything else behind an "and" is a part of the question before.
const CLAUSE = new RegExp(
  String
    .raw`^(?:(?:(?:${PREPOSITIONS}|de) )?(?:who|whom|what|which|qui|quoi|quel|quelle|quels|quelles|combien)|whats|when|where|why|how` +
    String
      .raw`|is|are|was|were|do|does|did|can|could|may|must|will|would|should|has|have|had|if|i|you|we|it|they|he|she|there|that` +
    String
      .raw`|que|qu['’]|quand|où|ou|comment|pourquoi|est-|est ce|y a|peut|peux|puis|faut|dois|doit|avez|as-|si|j['’]|je|tu|ils?|elles?` +
    String
      .raw`|on (?:peut|doit|va|a|est|fait|se|ne|me|y|en|l[ae]|les|vous|nous)|nous|vous|c['’]|ça|cela|[a-zà-ÿœ]+-(?:t-)?(?:ils?|elles?|on|vous|je|tu|nous))(?![a-zà-ÿœ])`,
  "i",
);

/** The phrase of a question that consists of nothing else: "and for machines?" → "for machines". */
function ellipsis(question: string): string | null {
  const [opener = ""] = OPENER.exec(question) ?? [];
  const phrase = question.slice(opener.length).replace(/[\s?!.…]+$/u, "");
  if (phrase === "" || CLAUSE.test(phrase) || phrase.split(/\s+/).length > 7) return null;
  return OPENS.test(opener) || (prepositionOf(phrase) !== "" && question.endsWith("?")) ? phrase : null;
}

function prepositionOf(phrase: string): string {
  return new RegExp(`^(?:${PREPOSITIONS})(?![a-zà-ÿœ])`, "i").exec(phrase)?.[0] ?? "";
}

/** The earlier question with the new phrase in the place of its like, else with the whole new one behind it. */
function complete(before: string, phrase: string, asked: string): string {
  const end = /\s\?$/u.test(asked) ? " ?" : "?";
  const preposition = prepositionOf(phrase);
  if (preposition === "") {
    return `${before}, ${asked[0]!.toLowerCase()}${asked.slice(1).replace(/[\s?!.…]+$/u, "")}${end}`;
  }
  // The last "for …" of it, or "of …" in its stead, up to the next preposition or verb.
  const likes = /^(?:for|pour)$/i.test(preposition) ? [preposition, "of|d['’]|de|du|des"] : [preposition];
  const found = likes.flatMap((like) =>
    Array.from(before.matchAll(
      new RegExp(
        `(?<![a-zà-ÿœ])(?:${like})(?: |(?<=['’]))(?:(?!(?:${PREPOSITIONS}|is|are|does|do|est|sont|costs?)(?![a-zà-ÿœ]))[a-zà-ÿœ0-9'’-]+ ?)+`,
        "gi",
      ),
    )).slice(-1)
  )[0];
  if (!found) return `${before} ${phrase[0]!.toLowerCase()}${phrase.slice(1)}${end}`;
  const rest = before.slice(found.index + found[0].length);
  return `${before.slice(0, found.index)}${phrase}${rest === "" ? "" : ` ${rest}`}${end}`;
}

// What a question may ask for without naming what of.
const measures = new Set("hour hours heure heures date dates duree".split(" "));
// Of the agent, of the visitor: nothing said before is meant.
const BY_ITSELF =
  /^(?:(?:who|what|where|how) are you|(?:qui|où|ou) (?:êtes|etes|es)[- ](?:vous|tu)|(?:comment )?ça va|how old|(?:can|may) (?:i|we) pay|(?:puis-je|peut-on|je peux|comment) payer)(?![a-zà-ÿœ])/i;

/** Whether a question names nothing: "how much?", "combien ça coûte ?". */
function isBare(question: string): boolean {
  const words = foldedWords(question);
  const asks = /\?\s*$/u.test(question) || CLAUSE.test(question);
  // A capital inside is a name: "Combien coûte le Grand Large ?".
  return words.length > 0 && asks && !BY_ITSELF.test(question) && !/\s\p{Lu}\p{Ll}/u.test(question) &&
    !words.some((word) => isTelling(word) && !measures.has(word));
}

/** What a question is about, as phrases; where it names little, what the answer says first counts too. */
function subjectsOf(question: string, answer: Said | undefined): string[] {
  const named = phrasesOf(question);
  if (named.length > 1 || answer?.role !== "assistant") return named;
  const [first = ""] = sentencesOf(answer.content.slice(0, 1000));
  return [...new Set([...named, ...phrasesOf(first).slice(0, 4)])];
}

/** Runs of words that tell something: "How much is the floor sander per day" → "floor sander". */
function phrasesOf(text: string): string[] {
  const phrases: string[] = [];
  let last = -1;
  for (const match of text.matchAll(/[\p{L}\p{N}][\p{L}\p{N}\p{M}-]*/gu)) {
    const word = match[0], between = text.slice(last, match.index);
    if (!foldedWords(word).some(isTelling) && !/^\d/.test(word)) continue;
    const joins = last >= 0 &&
      (/^[ ]$/.test(between) || /^ (?:(?:d[eu]|des|of|à|en|pour|for) (?:la |l['’])?|d['’])$/u.test(between));
    if (joins) phrases.push(phrases.pop()! + between + word);
    else phrases.push(word);
    last = match.index + word.length;
  }
  return phrases.filter((phrase) => foldedWords(phrase).some((word) => wordWeight(word) >= 0.5));
}
