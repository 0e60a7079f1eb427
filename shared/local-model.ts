import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4Prompt,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from "@ai-sdk/provider";
import { detectLanguage } from "./language.ts";
import { sentencesOf } from "./sentences.ts";
import { parseSources } from "./sources.ts";
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
  },
  en: {
    unknown: "I do not know: the documents I have do not hold the answer.",
    greeting: "Hello! What can I do for you?",
  },
};

const greetings = new Set([
  "bonjour",
  "bonsoir",
  "salut",
  "coucou",
  "hello",
  "hi",
  "hey",
  "good",
  "morning",
  "evening",
  "afternoon",
]);

/** The whole answer to a prompt. */
function reply(prompt: LanguageModelV4Prompt): string {
  const question = textOf(prompt.findLast(({ role }) => role === "user") ?? { role: "user", content: [] });
  const sources = prompt.filter(({ role }) => role === "system").flatMap((message) =>
    parseSources(textOf(message))
  );
  const language = detectLanguage(question) ??
    detectLanguage(sources.map(({ content }) => content).join("\n"));
  const words = foldedWords(question);
  const { unknown, greeting } = phrases[language === "fr" || language === null ? "fr" : "en"];
  if (words.length > 0 && words.every((word) => greetings.has(word))) return greeting;
  const quotes = bestSentences(words, sources);
  if (quotes.length === 0) return unknown;
  return quotes.map(({ text, source }) => withMarker(text, source)).join(" ");
}

/** A sentence of a source, as plain text. */
interface Sentence {
  text: string;
  source: number;
  stems: Set<string>;
  /** Stems of the headings above it, which say what it is about. */
  subject: Set<string>;
}

// A sentence must hold this share of what the question asks about; measured on questions that two handbooks answer
// and on questions that they do not.
const ENOUGH = 0.4;
const MOST_SENTENCES = 3;
// Under a heading that names the subject, a sentence need not repeat it; but a heading alone answers nothing.
const HEADING_SHARE = 0.6;

/** The sentences that together cover the question best, best first; none when nothing covers enough of it. */
function bestSentences(question: string[], sources: ReturnType<typeof parseSources>): Sentence[] {
  const sentences = sources.flatMap(sentencesIn);
  const weights = weigh(question, sentences);
  const total = sum(weights.values());
  const open = new Map(weights);
  const chosen: Sentence[] = [];
  while (total > 0 && chosen.length < MOST_SENTENCES) {
    const best = sentences.map((sentence) => ({ sentence, score: score(sentence, open) }))
      .reduce((a, b) => b.score > a.score ? b : a, { sentence: null as Sentence | null, score: 0 });
    // Each further sentence must add a good part of what is still asked.
    if (best.sentence === null || best.score < (chosen.length === 0 ? ENOUGH : ENOUGH / 2) * total) break;
    chosen.push(best.sentence);
    for (const stem of best.sentence.stems) open.delete(stem);
    for (const stem of best.sentence.subject) open.delete(stem);
    sentences.splice(sentences.indexOf(best.sentence), 1);
  }
  return chosen;
}

function sentencesIn({ id, title, heading, content }: ReturnType<typeof parseSources>[number]): Sentence[] {
  const subject = stemsOf(`${title} ${heading ?? ""}`);
  const units: string[] = [];
  for (const sentence of sentencesOf(content)) {
    if (/^#{1,6}\s/.test(sentence) || !/\p{L}{2}/u.test(sentence)) continue;
    if (units.length > 0 && continues.test(sentence)) units.push(`${units.pop()} ${sentence}`);
    else units.push(sentence);
  }
  return units.map((unit) => {
    const text = plain(unit);
    return { text, source: id, stems: stemsOf(text), subject };
  });
}

// A sentence that begins so speaks of what the one before it names, and is quoted with it.
const continues =
  /^(?:it|they|he|she|this|these|after that|otherwise|il|elle|ils|elles|cela|passé ce délai|sinon)(?!\p{L})/iu;

/** The stems of a question with their weights: rare ones in these sentences and telling ones weigh more. */
function weigh(question: string[], sentences: Sentence[]): Map<string, number> {
  return new Map(question.map((word) => {
    const stem = stemOf(word);
    // A word that none has says no more than one that a single sentence has.
    const having = Math.max(1, sentences.filter(({ stems }) => stems.has(stem)).length);
    return [stem, wordWeight(word) ** 2 * Math.log(1 + (sentences.length + 1) / (having + 0.5))];
  }));
}

function score({ stems, subject }: Sentence, weights: Map<string, number>): number {
  let own = 0, inherited = 0;
  for (const [stem, weight] of weights) {
    if (stems.has(stem)) own += weight;
    else if (subject.has(stem)) inherited += HEADING_SHARE * weight;
  }
  return own === 0 ? 0 : own + inherited;
}

function stemsOf(text: string): Set<string> {
  return new Set(foldedWords(text).map(stemOf));
}

// The beginning stands for the word: "livrer" and "livraison", "cancel" and "cancelling" meet.
function stemOf(word: string): string {
  return word.slice(0, 5).replace(/(?<=^.{3,})(?:es|s|e)$/, "");
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
