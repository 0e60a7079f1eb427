import { readJson } from "../../../shared/body.ts";
import type { Ask } from "../ask.ts";
import type { EventSink } from "../events.ts";
import type { Exchange, Protocol, TurnWriter } from "../protocol.ts";
import { CHAT_BYTES, ChatRequest } from "../schema.ts";
import type { TurnEnd } from "../turn.ts";

/** The protocol of `POST /chat`: one message in; JSON or numbered, named events out. */
export const native = {
  name: "chat",
  callers: ["key", "user"],
  channel: "api",
  read,
  whole,
  write,
} satisfies Protocol;

async function read(request: Request): Promise<Ask> {
  const body = await readJson(request, ChatRequest, { maxBytes: CHAT_BYTES });
  return {
    conversation: [{ role: "user", content: body.message }],
    agentId: body.agent_id,
    sessionId: body.session_id,
    visitorId: body.visitor_id,
    visitorToken: body.visitor_token,
    metadata: body.metadata,
    isStream: body.stream ?? accepts(request, "text/event-stream"),
  };
}

function whole({ turn }: Exchange, end: TurnEnd): unknown {
  const { turn_id, message_id, session_id, conversation_id } = turn.admission;
  return {
    turn_id,
    message_id,
    session_id,
    conversation_id,
    answer: end.answer,
    citations: end.citations,
    usage: end.usage,
    model: end.model,
    provider: end.provider,
    finish_reason: end.finishReason,
    response_time_ms: end.responseTimeMs,
    created_at: end.createdAt,
    ...retrievedFor(turn, end),
  };
}

/** For the owner and members, who want to see what an answer had to go by. */
function retrievedFor({ admission }: Exchange["turn"], { retrieved }: Pick<TurnEnd, "retrieved">) {
  if (admission.channel !== "dashboard") return {};
  return {
    retrieved: retrieved.map(({ id, title, content, similarity }) => ({
      chunk_id: id,
      title,
      content,
      similarity,
    })),
  };
}

function write({ turn, model, requestId }: Omit<Exchange, "asked">, events: EventSink): TurnWriter {
  const { turn_id, message_id, session_id, conversation_id } = turn.admission;
  const meta = { turn_id, message_id, session_id, conversation_id };
  events.send("meta", { ...meta, model: model.modelId, provider: model.provider });
  return {
    model: (named) => events.send("meta", { ...meta, ...named }),
    delta: (text) => events.send("delta", { text }),
    citation: (citation) => events.send("citation", citation),
    // No client of this protocol brings tools.
    toolCall: () => {},
    end({ problem, usage, finishReason, responseTimeMs, messageId, retrieved }) {
      events.send("usage", usage);
      if (problem) return events.send("error", { ...problem.body(requestId), message_id: messageId });
      events.send("done", {
        finish_reason: finishReason,
        response_time_ms: responseTimeMs,
        ...retrievedFor(turn, { retrieved }),
      });
    },
  };
}

function accepts(request: Request, type: string): boolean {
  const accept = request.headers.get("accept") ?? "";
  return accept.split(",").some((range) => range.split(";")[0]!.trim().toLowerCase() === type);
}
