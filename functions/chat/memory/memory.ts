import type { TurnMemory } from "../../../shared/rpc.ts";
import type { Admitted, Turn } from "../admission.ts";
import { type ConversationMessage, splitAtQuestion } from "../conversation.ts";
import { extractEntities } from "./entities.ts";
import { standaloneQuestion } from "./standalone.ts";
import { rollSummary } from "./summary.ts";
import { nextTopic, type Topic } from "./topic.ts";

/** What a question means in its conversation: worked out without a model, before anything is searched. */
export interface Understanding {
  /** The question by itself, where it was rewritten. */
  standalone: string | null;
  /** What documents and earlier conversations are searched for. */
  query: string;
  topic: Topic | null;
  /** Whether the agent stays on the topic in this turn. */
  isLocked: boolean;
  /** The summary of all that the history does not hold any more. */
  summary: string | null;
}

// So many words of the topic go with a question that says too little.
const TOPIC_WORDS = 4;

/** Reads a question in its conversation. */
export function understand(
  admission: Pick<Admitted, "flags" | "topic" | "summary" | "overflow">,
  question: string,
  conversation: ConversationMessage[],
): Understanding {
  const [past] = splitAtQuestion(conversation);
  const whole = standaloneQuestion(question, past);
  const { flags, topic: before, summary, overflow } = admission;
  const { topic, isLocked, isAmbiguous } = nextTopic(
    before,
    whole,
    flags.topic_lock ? flags.topic_lock_turns : null,
  );
  return {
    standalone: whole === question ? null : whole,
    query: isLocked && isAmbiguous && topic ? withTopic(whole, topic) : whole,
    topic,
    isLocked,
    summary: overflow.length === 0 ? summary : rollSummary(summary, overflow),
  };
}

function withTopic(question: string, { words }: Topic): string {
  const lower = question.toLowerCase();
  const missing = words.filter((word) => !lower.includes(word)).slice(0, TOPIC_WORDS);
  return missing.length === 0 ? question : `${question} (${missing.join(", ")})`;
}

/** What a turn leaves to the memory of its conversation. */
export function memoryOf(
  { admission, question, understood }: Pick<Turn, "admission" | "question" | "understood">,
): TurnMemory {
  const { overflow } = admission;
  const { summary, topic, standalone } = understood;
  return {
    entities: extractEntities(question),
    topic,
    standalone,
    summary: overflow.length === 0 || summary === null ? null : {
      text: summary,
      from: overflow[0]!.id,
      through: overflow.at(-1)!.id,
      continues: admission.summary !== null,
    },
  };
}
