import type { LanguageModelV4Prompt } from "@ai-sdk/provider";
import { invalid } from "../../shared/body.ts";
import type { Problem } from "../../shared/errors.ts";
import type { Match, Recalled } from "../../shared/results.ts";
import { renderSources, type Source } from "../../shared/sources.ts";
import { countTokens } from "../../shared/tokens.ts";
import type { Admitted, Turn } from "./admission.ts";
import { type ConversationMessage, modelMessages, splitAtQuestion, wordsOf } from "./conversation.ts";
import { withoutBracketedNumbers } from "./citations/markers.ts";
import type { Understanding } from "./memory/memory.ts";
import { meaning, memoryParts } from "./memory/prompt-memory.ts";
import { type PromptTexts, promptTexts } from "./prompt-texts.ts";
import type { Found } from "./retrieval.ts";
import { wantsJson } from "./model/wishes.ts";

/** What is sent to the model. */
export interface Prompt {
  messages: LanguageModelV4Prompt;
  /** The chunks that had room, in order: chunk `n`, counted from 1, is source `n`. */
  chunks: Match[];
  /** What no answer may quote. */
  instructions: string;
  /** What it may quote though the instructions say it, too: facts, passages, the conversation. */
  open: string[];
}

/** What a prompt takes besides its turn and what was found for it. */
export interface PromptOptions {
  /** The tokens that it may have. */
  budget: number;
  /** Whether the agent is told to keep its role. */
  roleLock: boolean;
  /** The mark of this turn's instructions, which tells when an answer quotes them; null when the guard is off. */
  canary: string | null;
}

// Roles and separators cost a model a few tokens for each message.
const MESSAGE_TOKENS = 4;
// So much of the room that is left may go to what is remembered.
const MEMORY_SHARE = 0.25;
// While there is history, so much of the room that is left may go to sources.
const SOURCES_SHARE = 0.75;

/**
 * The prompt of a turn: one system message (instructions, facts, memory, summary, sources), the client's notes, the
 * history, the question and what was done for it so far. What does not fit `budget` tokens is left out, sources from the
 * worst on, history from the oldest on; instructions, notes and question are always whole.
 */
export function buildPrompt(
  { admission, conversation, understood, notes, language, wishes }: Pick<
    Turn,
    "admission" | "conversation" | "understood" | "notes" | "language" | "wishes"
  >,
  { chunks: found, recalled }: Found,
  { budget, roleLock, canary }: PromptOptions,
): Prompt {
  const texts = promptTexts(language, admission.agent.language);
  const room = new Room(budget);
  const instructions = [
    instructionsOf(admission, texts),
    texts.language,
    ...(roleLock ? [texts.role] : []),
    ...(canary === null ? [] : [texts.confidential]),
  ].join("\n\n");
  // Behind the instructions: providers reuse what they know of a prompt up to its first difference.
  const mark = canary === null ? [] : [texts.canary(canary)];
  const [past, asked] = splitAtQuestion(conversation);
  const form = wantsJson(wishes) ? [texts.json] : [];
  const noted = notes === null ? [] : [texts.notes(notes)];
  const meant = meaning(understood, texts);
  for (
    const text of [instructions, ...mark, texts.sources, ...form, ...noted, ...meant, ...asked.map(wordsOf)]
  ) {
    room.spend(text);
  }
  // A question has its own limit; what a program adds to it could be as long as a request.
  if (room.left < 0 && (noted.length > 0 || asked.length > 1)) throw tooLong(room);
  const known = background(admission, { understood, recalled }, { texts, room });
  const chunks = fitSources(found, room, past.length > 0 ? SOURCES_SHARE : 1);
  const sources = sourcesBlock(admission, chunks, texts);
  const messages: LanguageModelV4Prompt = [
    {
      role: "system",
      content: [instructions, ...mark, ...known, ...sources, ...meant, ...form].join("\n\n"),
    },
    // As a user's words: what a client sends must not have the weight of the agent's instructions.
    ...noted.map((text) => ({ role: "user" as const, content: [{ type: "text" as const, text }] })),
    ...modelMessages([...fitHistory(past, room), ...asked]),
  ];
  return {
    messages,
    chunks,
    instructions,
    open: [
      ...admission.facts.map(({ value }) => value),
      ...chunks.flatMap(({ title, content }) => [title, content]),
      ...known,
      ...meant,
      ...noted,
      ...conversation.map(wordsOf),
    ],
  };
}

function tooLong({ spent, budget }: Room): Problem {
  return invalid(
    "messages",
    `must fit the agent's ${budget} prompt tokens: system messages and tool results make ${spent}`,
  );
}

/** The tokens of a prompt as counted here, for when the provider did not say. */
export function countPrompt(messages: LanguageModelV4Prompt): number {
  const texts = messages.map(({ content }) =>
    typeof content === "string" ? content : content.map(textOf).join("")
  );
  return texts.reduce((tokens, text) => tokens + countTokens(text) + MESSAGE_TOKENS, 0);
}

function textOf(part: Exclude<LanguageModelV4Prompt[number]["content"], string>[number]): string {
  switch (part.type) {
    case "text":
      return part.text;
    case "tool-call":
      return `${part.toolName} ${JSON.stringify(part.input)}`;
    case "tool-result":
      return "value" in part.output ? String(part.output.value) : "";
    default:
      return "";
  }
}

/** Counts what was put into the prompt and knows what is left. */
class Room {
  #spent = 0;
  constructor(readonly budget: number) {}

  get spent(): number {
    return this.#spent;
  }

  get left(): number {
    return this.budget - this.#spent;
  }

  spend(text: string): void {
    this.#spent += countTokens(text) + MESSAGE_TOKENS;
  }

  /** Spends a text's tokens if no more than `left`. */
  fits(text: string, left = this.left): boolean {
    const tokens = countTokens(text) + MESSAGE_TOKENS;
    if (tokens > left) return false;
    this.#spent += tokens;
    return true;
  }
}

function instructionsOf({ agent, prompt }: Admitted, texts: PromptTexts): string {
  if (prompt !== null) return prompt;
  return [texts.identity(agent.name, agent.role), agent.instructions].filter((part) => part !== "").join(
    "\n\n",
  );
}

function background(
  { facts, memory }: Pick<Admitted, "facts" | "memory">,
  told: { understood: Understanding; recalled: Recalled | null },
  { texts, room }: { texts: PromptTexts; room: Room },
): string[] {
  const known = list({ title: texts.facts, lines: facts.map(({ key, value }) => `${key}: ${value}`) }, room);
  const limit = room.spent + room.left * MEMORY_SHARE;
  const remembered = memoryParts({ memory, ...told }, texts).map((part) => list(part, room, limit));
  return [known, ...remembered].filter((part) => part !== "");
}

/** A title and its items, each on one line: what is told is data, and cannot begin a section of its own. */
function list({ title, lines }: { title: string; lines: string[] }, room: Room, limit = room.budget): string {
  const items = lines.map((line) => `- ${line.replaceAll(/\s+/g, " ").trim()}`);
  const kept = items.filter((item) => room.fits(item, limit - room.spent));
  return kept.length === 0 ? "" : [title, ...kept].join("\n");
}

function fitSources(found: Match[], room: Room, share: number): Match[] {
  const limit = room.spent + room.left * share;
  const chunks: Match[] = [];
  for (const chunk of found) {
    if (!room.fits(renderSources([asSource(chunk)]), limit - room.spent)) break;
    chunks.push(chunk);
  }
  return chunks;
}

function asSource({ title, heading, content }: Match): Source {
  return {
    title: withoutBracketedNumbers(title),
    heading: heading === null ? null : withoutBracketedNumbers(heading),
    content: withoutBracketedNumbers(content),
  };
}

function sourcesBlock({ agent }: Admitted, chunks: Match[], texts: PromptTexts): string[] {
  if (chunks.length > 0) return [texts.sources, renderSources(chunks.map(asSource))];
  return agent.rag_enabled && agent.has_knowledge ? [texts.noSources] : [];
}

function fitHistory(past: ConversationMessage[], room: Room): ConversationMessage[] {
  const kept: ConversationMessage[] = [];
  for (const message of past.toReversed()) {
    if (!room.fits(wordsOf(message))) break;
    kept.unshift(message);
  }
  // Models expect a conversation to open with its user.
  while (kept.length > 0 && kept[0]!.role !== "user") kept.shift();
  return kept;
}
