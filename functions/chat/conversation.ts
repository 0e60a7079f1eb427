import type { LanguageModelV4Message, LanguageModelV4ToolResultPart } from "@ai-sdk/provider";
import { z } from "zod";
import type { Admitted } from "./admission.ts";
import { withoutMarkers } from "./citations/markers.ts";
import type { ToolCall } from "./model/model-stream.ts";

/** One message of a conversation, as it is stored and as a client may bring it along. */
export interface ConversationMessage {
  role: "user" | "assistant" | "tool";
  content: string;
  /** Of an assistant: the tools it wanted called. */
  toolCalls?: ToolCall[];
  /** Of a tool: the call that it answers. */
  toolCallId?: string;
  /** Of a visitor's question: how it was rewritten to stand alone. */
  standalone?: string;
}

// What a stored message's metadata say besides its words.
const Metadata = z.object({
  tool_calls: z.array(z.object({ id: z.string(), name: z.string(), arguments: z.string() })).optional().catch(
    undefined,
  ),
  tool_call_id: z.string().optional().catch(undefined),
  standalone: z.string().optional().catch(undefined),
}).catch({});

/** The stored messages of a session, oldest first. */
export function storedConversation(history: Admitted["history"]): ConversationMessage[] {
  return history.flatMap(({ role, content, metadata }) => {
    if (role !== "user" && role !== "assistant" && role !== "tool") return [];
    const { tool_calls: toolCalls, tool_call_id: toolCallId, standalone } = Metadata.parse(metadata);
    return [{
      role,
      content,
      ...(toolCalls && { toolCalls }),
      ...(toolCallId && { toolCallId }),
      ...(standalone && { standalone }),
    }];
  });
}

/** A message's `metadata` as it is stored. */
export function toolMetadata(
  { toolCalls = [], toolCallId }: Pick<ConversationMessage, "toolCalls" | "toolCallId">,
): Record<string, unknown> {
  return {
    ...(toolCalls.length > 0 ? { tool_calls: toolCalls } : {}),
    ...(toolCallId === undefined ? {} : { tool_call_id: toolCallId }),
  };
}

/** Parts a conversation into what came before and what is asked now: its last question with all that followed. */
export function splitAtQuestion(
  conversation: ConversationMessage[],
): [past: ConversationMessage[], asked: ConversationMessage[]] {
  const place = conversation.findLastIndex(({ role }) => role === "user");
  return [conversation.slice(0, Math.max(0, place)), conversation.slice(Math.max(0, place))];
}

/** All that a message has the model read. */
export function wordsOf({ content, toolCalls = [] }: ConversationMessage): string {
  return [content, ...toolCalls.map((call) => `${call.name} ${call.arguments}`)].join("\n");
}

/**
 * A conversation as a model takes it. Models refuse a call without its result and a result without its call, so both are
 * left out; so are the numbers of earlier answers, which name sources that are not in this prompt.
 */
export function modelMessages(conversation: ConversationMessage[]): LanguageModelV4Message[] {
  const messages: LanguageModelV4Message[] = [];
  for (const [place, message] of conversation.entries()) {
    if (message.role === "user") {
      messages.push({ role: "user", content: [{ type: "text", text: message.content }] });
    } else if (message.role === "assistant") {
      messages.push(...assistantMessages(message, resultsAfter(place, conversation)));
    }
  }
  return messages;
}

/** The results that stand directly behind an assistant's message, by their call. */
function resultsAfter(place: number, conversation: ConversationMessage[]): Map<string, string> {
  const results = new Map<string, string>();
  for (const { role, content, toolCallId } of conversation.slice(place + 1)) {
    if (role !== "tool") break;
    if (toolCallId !== undefined) results.set(toolCallId, content);
  }
  return results;
}

function assistantMessages(
  { content, toolCalls = [] }: ConversationMessage,
  results: Map<string, string>,
): LanguageModelV4Message[] {
  const answered = toolCalls.filter(({ id }) => results.has(id));
  const text = withoutMarkers(content);
  if (text === "" && answered.length === 0) return [];
  const assistant: LanguageModelV4Message = {
    role: "assistant",
    content: [
      ...(text === "" ? [] : [{ type: "text", text } as const]),
      ...answered.map((call) => ({
        type: "tool-call" as const,
        toolCallId: call.id,
        toolName: call.name,
        input: parsed(call.arguments),
      })),
    ],
  };
  if (answered.length === 0) return [assistant];
  const parts = answered.map(({ id, name }): LanguageModelV4ToolResultPart => ({
    type: "tool-result",
    toolCallId: id,
    toolName: name,
    output: { type: "text", value: results.get(id)! },
  }));
  return [assistant, { role: "tool", content: parts }];
}

// A model may have written arguments that are no JSON; it reads them again as it wrote them.
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}
