import { sentencesOf } from "../../../shared/sentences.ts";
import { isTelling, stemOf } from "../../../shared/stems.ts";
import { eachWord, fold } from "../../../shared/words.ts";

/** What a conversation is about: the words that say so, and for how many turns it has been. */
export interface Topic {
  words: string[];
  turns: number;
}

/** Where a question leaves the topic. */
export interface TopicTurn {
  /** Null while nothing was asked that has one. */
  topic: Topic | null;
  /** Whether the agent stays on the topic in this turn. */
  isLocked: boolean;
  /** Whether the question says too little to be searched for without the topic. */
  isAmbiguous: boolean;
}

const MOST_WORDS = 8;
// The words a topic began with stay; of those that joined later the newest do.
const FOUNDING = 3;
// So many words that tell something, and none of the topic's, are a change of it.
const CLEAR = 2;

const CHANGE =
  /(?<![a-zà-ÿœ])(?:(?:another|a different|a new|one more|an unrelated) (?:question|topic|subject|thing)|something (?:else|different)|(?:change|changing|switch) (?:the )?(?:subject|topic)|on (?:another|a different) (?:note|subject|topic)|by the way|unrelated|(?:une )?autre (?:question|sujet|chose)|chang(?:er|eons) de sujet|rien à voir|au fait|par ailleurs|sur un autre sujet)(?![a-zà-ÿœ])/i;

/**
 * The topic after a question. A word of the topic keeps it; other words begin another one, at once until the agent has
 * been on it for `lockTurns` turns, and from then on only when they are at least two or the visitor says that they change the
 * subject. `lockTurns` null never locks.
 */
export function nextTopic(previous: Topic | null, question: string, lockTurns: number | null): TopicTurn {
  const change = CHANGE.test(question);
  const words = topicWords(asking(question).replace(CHANGE, " "));
  const isAmbiguous = words.length < CLEAR;
  const fresh = words.length === 0 ? null : { words: words.slice(0, MOST_WORDS), turns: 1 };
  if (previous === null || change) return { topic: fresh, isLocked: false, isAmbiguous };
  const isLocked = lockTurns !== null && previous.turns >= lockTurns;
  const stays = words.length === 0 || sharesWord(words, previous.words) || (isLocked && isAmbiguous);
  if (!stays) return { topic: fresh, isLocked: false, isAmbiguous };
  // "Thanks!" is no turn on the topic.
  const turns = previous.turns + (words.length > 0 || /\?/.test(question) ? 1 : 0);
  return { topic: { words: join(previous.words, words), turns }, isLocked, isAmbiguous };
}

/** The sentences that ask, where there are any: what else a message says need not be its topic. */
function asking(message: string): string {
  const questions = sentencesOf(message.slice(0, 4000)).filter((sentence) => /\?\W*$/u.test(sentence));
  return questions.length === 0 ? message : questions.join(" ");
}

/** The words of a question that tell what it is about, each stem once, in small letters. */
function topicWords(question: string): string[] {
  const words = new Map<string, string>();
  eachWord(question.slice(0, 2000), (start, end) => {
    const word = question.slice(start, end).toLowerCase();
    const folded = fold(word);
    if (word.length < 40 && isTelling(folded) && !/^\d/.test(word)) {
      words.set(stemOf(folded), words.get(stemOf(folded)) ?? word);
    }
  });
  return [...words.values()];
}

function sharesWord(words: string[], others: string[]): boolean {
  const stems = new Set(others.map((word) => stemOf(fold(word))));
  return words.some((word) => stems.has(stemOf(fold(word))));
}

function join(words: string[], added: string[]): string[] {
  const stems = new Set(words.map((word) => stemOf(fold(word))));
  const all = [...words, ...added.filter((word) => !stems.has(stemOf(fold(word))))];
  const surplus = Math.max(0, all.length - MOST_WORDS);
  return [...all.slice(0, FOUNDING), ...all.slice(FOUNDING + surplus)];
}
