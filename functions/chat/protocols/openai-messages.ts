import { invalid, unsupported, validate } from "../../../shared/body.ts";
import type { ConversationMessage } from "../conversation.ts";
import type { ToolCall } from "../model/model-stream.ts";
import { paramOfPath } from "./openai-errors.ts";
import type { OpenAIMessage } from "./openai-schema.ts";
import { Message, MESSAGE_CHARACTERS } from "../schema.ts";

/** What the messages of a request come to. */
export interface ReadMessages {
  conversation: ConversationMessage[];
  /** The words of all system and developer messages, wherever they stood; undefined without any. */
  notes: string | undefined;
}

/**
 * Reads the messages of a request. They must end with the user's message or a tool's results, and each result must follow
 * the call it answers; with `hasHistory` the first results may answer a call that only the session has.
 */
export function readMessages(messages: OpenAIMessage[], hasHistory: boolean): ReadMessages {
  const notes: string[] = [];
  const conversation: ConversationMessage[] = [];
  // The calls that results may answer now; null while only the session knows.
  let open: Set<string> | null = hasHistory ? null : new Set();
  for (const [place, message] of messages.entries()) {
    const path = `messages.${place}`;
    const content = wordsOf(message.content, `${path}.content`);
    switch (message.role) {
      case "system":
      case "developer":
        notes.push(content);
        continue;
      case "user":
        conversation.push({ role: "user", content: validate(Message, content, `${path}.content`) });
        break;
      case "assistant": {
        const toolCalls = callsOf(message, path);
        conversation.push({ role: "assistant", content: content || (message.refusal ?? ""), toolCalls });
        open = new Set(toolCalls.map(({ id }) => id));
        continue;
      }
      case "tool": {
        const { tool_call_id: toolCallId } = message;
        if (open && !open.delete(toolCallId)) {
          throw invalid(`${path}.tool_call_id`, "must name a call of the assistant's message before, once");
        }
        conversation.push({ role: "tool", content, toolCallId });
        continue;
      }
    }
    open = new Set();
  }
  checkEnd(conversation, hasHistory);
  return { conversation, notes: joined(notes) };
}

function checkEnd(conversation: ConversationMessage[], hasHistory: boolean): void {
  const isStart = hasHistory && conversation.every(({ role }) => role === "tool");
  if (conversation.length === 0 || (!isStart && conversation.every(({ role }) => role !== "user"))) {
    throw invalid("messages", "must hold a message of the user");
  }
  if (conversation.at(-1)!.role === "assistant") {
    throw invalid("messages", "must end with a message of the user or a tool's result");
  }
}

function joined(notes: string[]): string | undefined {
  const text = notes.filter((note) => note.trim() !== "").join("\n\n");
  if (text.length > MESSAGE_CHARACTERS) {
    throw invalid("messages", `must have at most ${MESSAGE_CHARACTERS} characters of system messages`);
  }
  return text === "" ? undefined : text;
}

/** The words of a content; a part of another kind, such as a picture, is refused by its name. */
export function wordsOf(content: OpenAIMessage["content"], path: string): string {
  if (content === undefined) return "";
  if (typeof content === "string") return content;
  return content.map(({ type, text, refusal }, place) => {
    const words = type === "text" ? text : type === "refusal" ? refusal : undefined;
    if (words !== undefined) return words;
    const param = paramOfPath(`${path}.${place}`);
    throw unsupported(param, `parts of type ${type.slice(0, 40)} are not supported`);
  }).join("");
}

function callsOf(
  { tool_calls = [] }: Extract<OpenAIMessage, { role: "assistant" }>,
  path: string,
): ToolCall[] {
  return tool_calls.map(({ id, function: called }, place) => {
    if (!called) {
      throw unsupported(paramOfPath(`${path}.tool_calls.${place}`), "only functions are supported");
    }
    return { id, name: called.name, arguments: called.arguments };
  });
}
