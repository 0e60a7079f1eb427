import type { ConversationMessage } from "./conversation.ts";
import type { Wishes } from "./model/wishes.ts";

/** What a request asks of an agent, whatever protocol it came by. */
export interface Ask {
  /** What the client sent of the conversation, oldest first; the last user's message in it is the question. */
  conversation: ConversationMessage[];
  /** The session it goes on with: then what is stored of it counts, not what the client sent. Without, a new one. */
  sessionId?: string;
  /** How many messages at the end of `conversation` the session does not have yet; the question alone without. */
  unsaid?: number;
  /** The agent, where the credential does not name it. */
  agentId?: string;
  visitorId?: string;
  /** Proves the visitor where a browser says who it is. */
  visitorToken?: string;
  metadata?: Record<string, unknown>;
  /** What the client's program adds, for this turn only. */
  notes?: string;
  wishes?: Wishes;
  /** Asks the session's last question again, in place of its last exchange. */
  regenerate?: boolean;
  /** What a session id must have at least with a browser key; 20 characters without. */
  minSessionLength?: number;
  /** Whether the answer is to be told while it is made. */
  isStream: boolean;
}

/** The question of a conversation: its last user's message. */
export function questionOf(conversation: ConversationMessage[]): string {
  return conversation.findLast(isOfUser)?.content ?? "";
}

/** What is to be stored of what the client sent; the last of it is what the turn answers: a question, or a tool's result. */
export function newMessages({ conversation, sessionId, unsaid = 1 }: Ask): ConversationMessage[] {
  return sessionId === undefined ? [conversation.findLast(isOfUser)!] : conversation.slice(-unsaid);
}

function isOfUser({ role }: ConversationMessage): boolean {
  return role === "user";
}
