import { invalid, readJson, unsupported, validate } from "../../../shared/body.ts";
import type { Ask } from "../ask.ts";
import type { Citation } from "../citations/citations.ts";
import type { EventStream } from "../events.ts";
import type { Exchange, Protocol, TurnWriter } from "../protocol.ts";
import { CHAT_BYTES, Message, SessionHeader, UIRequest, UserParts } from "../schema.ts";

/** The AI SDK's UI message stream, version 1: what `useChat` sends and reads. */
export const ui: Protocol = {
  name: "chat/ui",
  callers: ["key"],
  channel: "widget",
  read,
  write,
  headers: { "x-vercel-ai-ui-message-stream": "v1" },
};

async function read(request: Request): Promise<Ask> {
  const body = await readJson(request, UIRequest, { maxBytes: CHAT_BYTES });
  const header = validate(SessionHeader, { "x-session-id": request.headers.get("x-session-id") });
  return {
    conversation: [{ role: "user", content: questionOf(body) }],
    sessionId: header["x-session-id"] ?? body.id,
    visitorId: body.visitor_id,
    visitorToken: body.visitor_token,
    metadata: body.metadata,
    regenerate: body.trigger === "regenerate-message",
    // As long as the ids that `useChat` makes.
    minSessionLength: 16,
    isStream: true,
  };
}

/** The last user's message; what the session holds is told by the database, not by the client. */
function questionOf({ messages, trigger }: UIRequest): string {
  const place = messages.findLastIndex(({ role }) => role === "user");
  const isAgain = trigger === "regenerate-message";
  if (place < 0 || (!isAgain && place < messages.length - 1)) {
    throw invalid("messages", "must end with a message of the user");
  }
  const path = `messages.${place}.parts`;
  const texts = validate(UserParts, messages[place]!.parts, path).flatMap(({ type, text = "" }, part) => {
    if (type === "file") throw unsupported(`${path}.${part}`, "files are not supported");
    return type === "text" ? [text] : [];
  });
  return validate(Message, texts.join("\n"), path);
}

function write({ turn: { admission }, requestId }: Exchange, events: EventStream): TurnWriter {
  const { turn_id, message_id, session_id, conversation_id } = admission;
  const text = { id: "0" };
  let isOpen = false;
  const close = () => {
    if (isOpen) events.data({ type: "text-end", ...text });
    isOpen = false;
  };
  events.data({
    type: "start",
    messageId: message_id,
    messageMetadata: { turn_id, session_id, conversation_id },
  });
  events.data({ type: "start-step" });
  return {
    delta(delta) {
      if (!isOpen) events.data({ type: "text-start", ...text });
      isOpen = true;
      events.data({ type: "text-delta", ...text, delta });
    },
    citation: (citation) => events.data(sourceOf(citation)),
    // No client of this protocol brings tools.
    toolCall: () => {},
    end({ problem, finishReason, usage, responseTimeMs }) {
      close();
      if (problem) events.data({ type: "error", errorText: String(problem.body(requestId).detail) });
      else if (finishReason === "stopped") events.data({ type: "abort", reason: "stopped" });
      else {
        events.data({ type: "finish-step" });
        const messageMetadata = { usage, response_time_ms: responseTimeMs };
        events.data({ type: "finish", finishReason, messageMetadata });
      }
      events.done();
    },
  };
}

/** A citation as the protocol's source: an address where it has one, else a document, of which the quote is a text. */
function sourceOf({ title, ...citation }: Citation) {
  const { source, marker } = citation;
  const common = { sourceId: String(marker), title, providerMetadata: { parley: citation } };
  return source !== null && /^https?:\/\//i.test(source)
    ? { type: "source-url", url: source, ...common }
    : { type: "source-document", mediaType: "text/plain", ...common };
}
