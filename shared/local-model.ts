import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4Prompt,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from "@ai-sdk/provider";
import { detectLanguage } from "./language.ts";
import { sentencesOf } from "./sentences.ts";
import { parseQuestion, parseSources } from "./sources.ts";
import { isTelling, isVague, stemOf, stemsOf } from "./stems.ts";
import { wordWeight } from "./stop-words.ts";
import { countTokens } from "./tokens.ts";
import { foldedWords } from "./words.ts";

/**
 * The offline model: it answers with the sentences of the prompt's sources that fit the question best, each with its
 * marker, in their own words, and says that it does not know when none fits. It writes no sentence of its own about
 * the subject, so it cannot invent one.
 */
export const localModel: LanguageModelV4 = {
  specificationVersion: "v4",
  provider: "local",
  modelId: "extractive",
  supportedUrls: {},
  doGenerate: (options) => {
    options.abortSignal?.throwIfAborted();
    const text = reply(options.prompt);
    return Promise.resolve({
      content: [{ type: "text", text }],
      finishReason: { unified: "stop", raw: "stop" },
      usage: usageOf(options.prompt, text),
      warnings: [],
    });
  },
  doStream: (options) => Promise.resolve({ stream: stream(options) }),
};

function stream(
  { prompt, abortSignal }: LanguageModelV4CallOptions,
): ReadableStream<LanguageModelV4StreamPart> {
  const parts = partsOf(prompt);
  return new ReadableStream<LanguageModelV4StreamPart>({
    pull(controller) {
      if (abortSignal?.aborted) return controller.error(abortSignal.reason);
      const { done, value } = parts.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}

function* partsOf(prompt: LanguageModelV4Prompt): Generator<LanguageModelV4StreamPart> {
  yield { type: "stream-start", warnings: [] };
  const text = reply(prompt);
  yield { type: "text-start", id: "0" };
  for (const [delta] of text.matchAll(/\S+\s*/g)) yield { type: "text-delta", id: "0", delta };
  yield { type: "text-end", id: "0" };
  yield { type: "finish", finishReason: { unified: "stop", raw: "stop" }, usage: usageOf(prompt, text) };
}

function usageOf(prompt: LanguageModelV4Prompt, answer: string): LanguageModelV4Usage {
  const input = prompt.reduce((sum, message) => sum + countTokens(textOf(message)), 0);
  const output = countTokens(answer);
  return {
    inputTokens: { total: input, noCache: input, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: output, text: output, reasoning: undefined },
  };
}

function textOf({ content }: LanguageModelV4Prompt[number]): string {
  if (typeof content === "string") return content;
  return content.map((part) => part.type === "text" ? part.text : "").join("\n");
}

const phrases = {
  fr: {
    unknown: "Je ne sais pas : les documents dont je dispose ne contiennent pas la réponse.",
    greeting: "Bonjour ! Que puis-je faire pour vous ?",
    thanks: "Avec plaisir ! Avez-vous une autre question ?",
  },
  en: {
    unknown: "I do not know: the documents I have do not hold the answer.",
    greeting: "Hello! What can I do for you?",
    thanks: "You are welcome! Is there anything else?",
  },
};

// What a message may consist of that asks nothing: first the words that make it one.
const courtesies = [
  [
    "fr",
    "thanks",
    /^(?:merci|remercie)$/,
    /^(?:beaucoup|bien|vous|je|et|a|au|revoir|bonne|journee|pour|votre|aide)$/,
  ],
  ["en", "thanks", /^thank(?:s|ing)?$/, /^(?:you|very|so|much|a|lot|bye|goodbye|for|your|help)$/],
  ["fr", "greeting", /^(?:bonjour|bonsoir|salut|coucou)$/, /^(?:a|tous|toutes|madame|monsieur)$/],
  ["en", "greeting", /^(?:hello|hi|hey|morning|evening|afternoon)$/, /^(?:good|there|all)$/],
] as const;

/** The reply to a message that only greets or thanks, otherwise undefined. */
function courtesyTo(words: string[]): string | undefined {
  const found = courtesies.find(([, , core, rest]) =>
    words.some((word) => core.test(word)) && words.every((word) => core.test(word) || rest.test(word))
  );
  return found && phrases[found[0]][found[1]];
}

/** The whole answer to a prompt. */
function reply(prompt: LanguageModelV4Prompt): string {
  const asked = textOf(prompt.findLast(({ role }) => role === "user") ?? { role: "user", content: [] });
  const background = prompt.filter(({ role }) => role === "system").map(textOf);
  const sources = background.flatMap(parseSources);
  // A follow-up is answered as it reads with what was said before it.
  const question = background.map(parseQuestion).findLast((found) => found !== null) ?? asked;
  const words = foldedWords(question);
  const courtesy = courtesyTo(words);
  if (courtesy !== undefined) return courtesy;
  const quotes = bestSentences(words, sources);
  if (quotes.length === 0) {
    const language = detectLanguage(question) ??
      detectLanguage(sources.map(({ content }) => content).join("\n"));
    return phrases[language === "fr" || language === null ? "fr" : "en"].unknown;
  }
  return quotes.flatMap(({ text, source }) =>
    sentencesOf(text).map((sentence) => withMarker(sentence, source))
  )
    .join(" ");
}

/** A sentence of a source, as plain text. */
interface Sentence {
  text: string;
  source: number;
  stems: Set<string>;
  /** Stems of the headings above it, which say what it is about. */
  subject: Set<string>;
  /** Its place in the passage, from 0. */
  place: number;
}

// A sentence must hold this share of what the question asks about; measured on questions that two handbooks answer
// and on questions that they do not.
const ENOUGH = 0.4;
// Each further sentence must add this share of it.
const FURTHER = 0.25;
const MOST_SENTENCES = 3;
// Under a heading that names the subject, a sentence need not repeat it.
const HEADING_SHARE = 0.5;
// A word that stands both in the sentence and in its heading is what the sentence is about.
const ON_SUBJECT = 1.15;
// A word that the sources do not have makes it likely that the question is about something else.
const UNKNOWN = 1.6;
// Of equals, the one that stands earlier in its passage is the more general one.
const LATER = 0.005;
// Where the heading alone names what is asked, the passage's beginning answers.
const OPENING = 3;

/** The sentences that together cover the question best, best first; none when nothing covers enough of it. */
function bestSentences(question: string[], sources: ReturnType<typeof parseSources>): Sentence[] {
  const sentences = sources.flatMap(sentencesIn);
  const known = new Set(
    sources.flatMap(({ title, heading, content }) => foldedWords(`${title} ${heading ?? ""} ${content}`)),
  );
  const asked = askedWords(question).map((word) => corrected(word, known));
  const weights = weigh(asked, sentences);
  const telling = new Set(asked.filter(isTelling).map(stemOf));
  const total = sum(weights.values());
  const open = new Map(weights);
  const chosen: Sentence[] = [];
  while (total > 0 && chosen.length < MOST_SENTENCES) {
    const best = sentences.filter(({ stems, subject }) =>
      telling.size === 0 ||
      [...telling].some((stem) => open.has(stem) && (stems.has(stem) || subject.has(stem)))
    ).map((sentence) => ({ sentence, score: score(sentence, open) }))
      .reduce((a, b) => b.score > a.score ? b : a, { sentence: null as Sentence | null, score: 0 });
    if (best.sentence === null || best.score < (chosen.length === 0 ? ENOUGH : FURTHER) * total) break;
    chosen.push(best.sentence);
    for (const stem of best.sentence.stems) open.delete(stem);
    for (const stem of best.sentence.subject) open.delete(stem);
    sentences.splice(sentences.indexOf(best.sentence), 1);
  }
  return chosen;
}

/** The words of a question; one for an amount of money says so by "cost". */
function askedWords(question: string[]): string[] {
  const asksPrice = /\bhow much\b|\bcombien\b(?! de\b)/.test(question.join(" "));
  return asksPrice ? [...question, "cost"] : question;
}

/** A longer word that no source has, as the one known word that a single slip of the keys makes of it. */
function corrected(word: string, known: Set<string>): string {
  if (word.length < 6 || known.has(word)) return word;
  const near = new Set([...known].map(singular).filter((other) => isOneSlip(singular(word), other)));
  return near.size === 1 ? [...near][0]! : word;
}

function singular(word: string): string {
  return word.replace(/s$/, "");
}

/** Whether two words differ by one letter: missing, added, other, or swapped with its neighbour. */
function isOneSlip(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false;
  let start = 0, end = 0;
  while (start < a.length && a[start] === b[start]) start++;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const [left, right] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  return Math.max(left.length, right.length) <= 1 ||
    left.length === 2 && right.length === 2 && left[0] === right[1] && left[1] === right[0];
}

function sentencesIn({ id, title, heading, content }: ReturnType<typeof parseSources>[number]): Sentence[] {
  const subject = stemsOf(`${title} ${heading ?? ""}`);
  const units: { text: string; columns: string }[] = [];
  let columns = "";
  for (const sentence of sentencesOf(content)) {
    if (!sentence.startsWith("|")) columns = "";
    // The line under a table's first row says that this row names the columns.
    else if (/^[|\s:-]+$/.test(sentence)) columns = units.pop()?.text ?? "";
    if (/^#{1,6}\s/.test(sentence) || !/\p{L}{2}/u.test(sentence)) continue;
    const last = units.at(-1);
    if (last && continues.test(sentence)) last.text += ` ${sentence}`;
    else units.push({ text: sentence, columns });
  }
  return units.map((unit, place) => {
    const text = plain(unit.text);
    const stems = stemsOf(`${text} ${unit.columns}`);
    for (const [value, word] of values) if (value.test(text)) stems.add(stemOf(word));
    return { text, source: id, stems, subject, place };
  });
}

// A sentence that begins so speaks of what the one before it names, and is quoted with it.
const continues =
  /^(?:it|they|he|she|this|these|after that|otherwise|il(?! faut| y a)|elle|ils|elles|cela|passé ce délai|sinon)(?!\p{L})/iu;

// What a value is, though the sentence does not say so: "£18" is a cost, "18 ans" an age, nine digits in a row a
// telephone number.
const values: [RegExp, word: string][] = [
  [/[£€$]\s?\d|\d\s?[£€$]/u, "cost"],
  [/(?:\d[ .-]?){9,}/, "phone"],
  [/\d (?:ans|or older)(?!\p{L})/u, "age"],
  [/\S@\S/u, "email"],
  [/\d:\d\d|\d\s?h(?!\p{L})/u, "hours"],
];

/** The stems of a question with their weights: rare ones in these sentences and telling ones weigh more. */
function weigh(question: string[], sentences: Sentence[]): Map<string, number> {
  return new Map(question.map((word) => {
    const stem = stemOf(word);
    const having = sentences.filter(({ stems }) => stems.has(stem)).length;
    const weight = (isVague(word) ? 0.4 : wordWeight(word)) ** 2;
    const rarity = Math.log(1 + (sentences.length + 1) / (Math.max(1, having) + 0.5));
    const isKnown = having > 0 || sentences.some(({ subject }) => subject.has(stem));
    return [stem, weight * rarity * (isKnown || !isTelling(word) ? 1 : UNKNOWN)];
  }));
}

function score({ stems, subject, place }: Sentence, weights: Map<string, number>): number {
  let own = 0, inherited = 0;
  for (const [stem, weight] of weights) {
    if (stems.has(stem)) own += weight * (subject.has(stem) ? ON_SUBJECT : 1);
    else if (subject.has(stem)) inherited += HEADING_SHARE * weight;
  }
  if (own === 0 && place >= OPENING) return 0;
  return (own + inherited) * (1 - LATER * Math.min(place, 20));
}

/** A sentence without the signs of Markdown and without line breaks. */
function plain(sentence: string): string {
  return sentence.replace(/^\s*(?:[-*•]|\d+[.)])\s+/, "").replace(/^\s*\|\s*|\s*\|\s*$/g, "").replace(
    /\s*\|\s*/g,
    ", ",
  )
    .replace(/\*\*|__|`/g, "").replace(/\s+/g, " ").trim();
}

/** Puts the marker before the full stop: "Refunds take thirty days [1]." */
function withMarker(sentence: string, source: number): string {
  const [, text, end] = /^(.*?)([.!?…]*["»”)]*)$/s.exec(sentence)!;
  return `${text} [${source}]${end === "" ? "." : end}`;
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
