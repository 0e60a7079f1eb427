import { z } from "zod";
import { jsonObject, optional, text } from "../../shared/fields.ts";

/** The largest body of a chat route in bytes. */
export const CHAT_BYTES = 256 * 1024;

/** The most characters of a message. */
export const MESSAGE_CHARACTERS = 32_000;

/** What a user says. */
export const Message = text({ min: 1, max: MESSAGE_CHARACTERS });

/** The name of a session. */
export const sessionId = text({ min: 1, max: 200 })
  // As a segment of a path these two are no name: such a session could be started, but never read or reset.
  .refine((id) => id !== "." && id !== "..", "must not be . or ..");

/** Who asks, in the client's words. */
export const visitorId = text({ min: 1, max: 200 });

/** The proof that a visitor is who they are said to be. */
export const visitorToken = text({ min: 1, max: 200 });

/** The session that a header names. */
export const SessionHeader = z.object({ "x-session-id": optional(sessionId) });

/** The body of `POST /chat`. Without `session_id` a session is started and returned. */
export const ChatRequest = z.object({
  message: Message,
  session_id: optional(sessionId),
  visitor_id: optional(visitorId),
  visitor_token: optional(visitorToken),
  stream: optional(z.boolean()),
  metadata: optional(jsonObject()),
  agent_id: optional(z.uuid()),
});

/** The body of `POST /chat`. */
export type ChatRequest = z.infer<typeof ChatRequest>;

/** The body of `POST /chat/feedback`. */
export const FeedbackRequest = z.object({
  message_id: z.uuid(),
  rating: z.union([z.literal(-1), z.literal(1)]),
  comment: optional(text({ max: 4000 })),
  category: optional(text({ min: 1, max: 100 })),
  agent_id: optional(z.uuid()),
});

/** The session named by a path. */
export const SessionPath = z.object({ session_id: sessionId });

/** The query of routes that a user calls for an agent. */
export const AgentQuery = z.object({ agent_id: z.uuid().optional() });

/** The query of `GET /chat/sessions/{session_id}/messages`. */
export const MessagesQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  before: z.uuid().optional(),
  agent_id: z.uuid().optional(),
});

/** The body that `useChat` sends, as far as it is read; `id` is the chat's. */
export const UIRequest = z.looseObject({
  id: optional(sessionId),
  messages: z.array(z.looseObject({ role: z.string() })).min(1, { error: "must not be empty" }),
  trigger: optional(z.enum(["submit-message", "regenerate-message"])),
  visitor_id: optional(visitorId),
  visitor_token: optional(visitorToken),
  metadata: optional(jsonObject()),
});

/** The body that `useChat` sends. */
export type UIRequest = z.infer<typeof UIRequest>;

/** The parts of a user's message, of which the texts are read. */
export const UserParts = z.array(
  z.looseObject({ type: z.string(), text: optional(text({ max: 256 * 1024 })) }),
);
