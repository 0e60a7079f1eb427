import type { Recalled } from "../../../shared/results.ts";
import { escapeTags, renderQuestion } from "../../../shared/sources.ts";
import type { Admitted } from "../admission.ts";
import type { Understanding } from "./memory.ts";
import type { PromptTexts } from "../prompt-texts.ts";

type Told = Admitted["memory"];

/** A part of what is remembered: its lines with the most useful first, since the last ones may not have room. */
export interface MemoryPart {
  title: string;
  lines: string[];
}

/** What is remembered, as a prompt shows it: the visitor's words, so nothing in them may pass for a tag of the prompt. */
export function memoryParts(
  { memory, recalled, understood }: { memory: Told; recalled: Recalled | null; understood: Understanding },
  texts: PromptTexts,
): MemoryPart[] {
  const told = newestOfEach([...(recalled?.memory ?? []), ...memory]).toReversed();
  const earlier = recalled?.contexts.flatMap(({ summary }) => summary.split("\n")) ?? [];
  return [
    { title: texts.memory, lines: told.map(({ type, value }) => `${type}: ${value}`) },
    { title: texts.summary, lines: understood.summary?.split("\n") ?? [] },
    { title: texts.recalled, lines: earlier },
  ].map(({ title, lines }) => ({ title, lines: lines.map(escapeTags) }));
}

// A visitor has one of these at a time.
const single = new Set(["name", "email", "phone", "sentiment"]);

/** What was told, oldest first, without what was told anew since: another name, the same wish again. */
function newestOfEach(told: Told): Told {
  const keyOf = ({ type, value }: Told[number]) => single.has(type) ? type : `${type} ${value}`;
  const newest = new Map(told.map((one) => [keyOf(one), one]));
  return told.filter((one) => newest.get(keyOf(one)) === one);
}

/** What helps to read the question: the topic while the agent stays on it, and the question by itself. */
export function meaning({ standalone, topic, isLocked }: Understanding, texts: PromptTexts): string[] {
  return [
    ...(isLocked && topic ? [texts.topic(topic.words)] : []),
    ...(standalone === null ? [] : [`${texts.question}\n${renderQuestion(standalone)}`]),
  ];
}
