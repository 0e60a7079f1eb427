import type { Fields } from "../../shared/log.ts";
import type { Turn } from "./admission.ts";
import type { Answer } from "./answer.ts";
import type { Attempts } from "./model/attempts.ts";
import type { Verdict } from "./verdict.ts";

/** What is known of a turn at its end. */
export interface EndedTurn {
  turn: Turn;
  answered: Answer;
  attempts: Attempts;
  verdict: Verdict;
  settled: boolean;
}

// Names that OpenTelemetry has given; what it has none for keeps its own.
const providerNames: Record<string, string> = { mistral: "mistral_ai" };

/**
 * The line of a turn: OpenTelemetry's attributes of a model call (semantic conventions for generative AI), the trace, and
 * the milliseconds of each step. Ids, names, counts and times, never what was said.
 */
export function turnFields({ turn, answered, attempts, verdict, settled }: EndedTurn): Fields {
  const { admission, traceContext, timings } = turn;
  const { provider, model, inputTokens, outputTokens } = attempts.used;
  const { last } = attempts;
  const firstToken = attempts.all.at(-1)?.first_token_ms ?? null;
  return {
    trace_id: traceContext.traceId,
    span_id: traceContext.spanId,
    parent_span_id: traceContext.parentId ?? undefined,
    request_id: turn.requestId,
    turn_id: admission.turn_id,
    agent_id: admission.agent.id,
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": providerNames[provider] ?? provider,
    "gen_ai.agent.id": admission.agent.id,
    "gen_ai.conversation.id": admission.conversation_id,
    "gen_ai.request.model": model,
    "gen_ai.request.stream": true,
    "gen_ai.request.max_tokens": admission.agent.max_tokens,
    "gen_ai.response.id": last?.responseId ?? undefined,
    "gen_ai.response.model": last?.responseModel ?? undefined,
    "gen_ai.response.finish_reasons": [verdict.finishReason],
    "gen_ai.response.time_to_first_chunk": firstToken === null ? undefined : firstToken / 1000,
    "gen_ai.usage.input_tokens": inputTokens,
    "gen_ai.usage.output_tokens": outputTokens,
    ...addressOf(last?.url ?? null),
    "error.type": verdict.problem?.code,
    "parley.outcome": verdict.outcome,
    "parley.attempts": attempts.all.length,
    "parley.skipped_models": admission.unhealthy.length,
    "parley.retrieved_chunks": answered.retrieved.length,
    "parley.citations": answered.citations.length,
    "parley.settled": settled,
    ...timings.fields(),
  };
}

function addressOf(url: string | null): Fields {
  if (url === null) return {};
  const { hostname, port, protocol } = new URL(url);
  const usual = protocol === "https:" ? 443 : 80;
  return { "server.address": hostname, "server.port": port === "" ? usual : Number(port) };
}
