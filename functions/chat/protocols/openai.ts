import { readJson, validate } from "../../../shared/body.ts";
import type { Ask } from "../ask.ts";
import type { Citation } from "../citations/citations.ts";
import type { EventStream } from "../events.ts";
import type { ToolCall } from "../model/model-stream.ts";
import { openaiError } from "./openai-errors.ts";
import { readMessages } from "./openai-messages.ts";
import { ChatCompletionRequest } from "./openai-schema.ts";
import { refuseUnsupported, wishesOf } from "./openai-wishes.ts";
import type { Exchange, Protocol, TurnWriter } from "../protocol.ts";
import { CHAT_BYTES, SessionHeader } from "../schema.ts";
import type { TurnEnd, Usage } from "../turn.ts";

/** What a Chat Completions request asks. */
export interface OpenAIAsk extends Ask {
  /** Whether a stream tells last what was used. */
  includeUsage: boolean;
}

/** The protocol of OpenAI's Chat Completions. */
export const openai: Protocol<OpenAIAsk> = {
  name: "chat/completions",
  callers: ["key"],
  channel: "openai",
  read,
  whole,
  write,
};

async function read(request: Request): Promise<OpenAIAsk> {
  const body = await readJson(request, ChatCompletionRequest, { maxBytes: CHAT_BYTES });
  refuseUnsupported(body);
  const header = validate(SessionHeader, { "x-session-id": request.headers.get("x-session-id") });
  const { session_id, visitor_token, ...kept } = body.metadata ?? {};
  // OpenAI's metadata are texts.
  const metadata = kept.resumable === "true" ? { ...kept, resumable: true } : kept;
  const sessionId = header["x-session-id"] ?? session_id;
  const { conversation, notes } = readMessages(body.messages, sessionId !== undefined);
  return {
    conversation,
    // What stands behind the last answer is what the session does not know yet.
    unsaid: conversation.length - 1 - conversation.findLastIndex(({ role }) => role === "assistant"),
    notes,
    sessionId,
    visitorId: body.user,
    visitorToken: visitor_token,
    metadata: body.metadata && metadata,
    wishes: wishesOf(body),
    isStream: body.stream ?? false,
    includeUsage: body.stream_options?.include_usage ?? false,
  };
}

function whole(exchange: Exchange<OpenAIAsk>, end: TurnEnd): unknown {
  const { answer, citations, toolCalls, finishReason, usage } = end;
  return {
    ...headOf(exchange, "chat.completion"),
    choices: [{
      index: 0,
      message: {
        role: "assistant",
        content: answer === "" && toolCalls.length > 0 ? null : answer,
        refusal: null,
        ...(toolCalls.length > 0 ? { tool_calls: toolCalls.map(callOf) } : {}),
        citations,
      },
      logprobs: null,
      finish_reason: finishOf(finishReason),
    }],
    usage: usageOf(usage),
  };
}

function write(exchange: Exchange<OpenAIAsk>, events: EventStream): TurnWriter {
  const { includeUsage } = exchange.asked;
  const citations: Citation[] = [];
  let calls = 0;
  const head = headOf(exchange, "chat.completion.chunk");
  const chunk = (delta: object, finish_reason: string | null = null, more: object = {}) => {
    const choices = [{ index: 0, delta, logprobs: null, finish_reason }];
    events.data({ ...head, choices, ...(includeUsage ? { usage: null } : {}), ...more });
  };
  chunk({ role: "assistant", content: "", refusal: null });
  return {
    delta: (text) => chunk({ content: text }),
    citation: (citation) => void citations.push(citation),
    toolCall: (call) => chunk({ tool_calls: [{ index: calls++, ...callOf(call) }] }),
    end({ problem, finishReason, usage }) {
      if (problem) events.data(openaiError(problem, exchange.requestId));
      else {
        // In the delta, too: clients put the message together from the deltas.
        chunk({ citations }, finishOf(finishReason), { citations });
        if (includeUsage) events.data({ ...head, choices: [], usage: usageOf(usage) });
      }
      events.done();
    },
  };
}

/** What an answer and each of its chunks begin with; the id holds that of the stored answer, for feedback. */
function headOf({ turn: { admission }, startedAt }: Exchange, object: string) {
  return {
    id: `chatcmpl-${admission.message_id}`,
    object,
    created: Math.floor(startedAt.getTime() / 1000),
    model: admission.agent.id,
  };
}

function callOf({ id, name, arguments: json }: ToolCall) {
  return { id, type: "function", function: { name, arguments: json } };
}

function usageOf({ input_tokens, output_tokens, total_tokens }: Usage) {
  return { prompt_tokens: input_tokens, completion_tokens: output_tokens, total_tokens };
}

/** OpenAI's name of a reason; an answer that was stopped has ended all the same. */
function finishOf(reason: string): string {
  const names: Record<string, string> = {
    "length": "length",
    "content-filter": "content_filter",
    "tool-calls": "tool_calls",
  };
  return names[reason] ?? "stop";
}
