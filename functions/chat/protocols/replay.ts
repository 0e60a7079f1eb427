import { z } from "zod";
import { isCode, type Problem, problem } from "../../../shared/errors.ts";
import type { Replay } from "../../../shared/results.ts";
import type { Citation } from "../citations/citations.ts";
import { storedConversation } from "../conversation.ts";
import type { Told } from "../protocol.ts";
import type { TurnEnd } from "../turn.ts";

// Stored by this product in this very form.
const Citations = z.array(z.custom<Citation>((value) => typeof value === "object" && value !== null));

/** An answer that was given before, as a protocol tells it: by whom, and what the turn came to. */
export function replayed(replay: Replay): { told: Told; end: TurnEnd } {
  const { turn_id, message_id, session_id, conversation_id, agent_id } = replay;
  const [{ toolCalls = [] } = {}] = storedConversation([
    { role: "assistant", content: replay.answer, metadata: replay.metadata },
  ]);
  return {
    told: {
      turn: { admission: { turn_id, message_id, session_id, conversation_id, agent: { id: agent_id } } },
      model: { provider: replay.provider, modelId: replay.model },
    },
    end: {
      problem: problemOf(replay),
      messageId: replay.answer === "" && toolCalls.length === 0 ? null : message_id,
      provider: replay.provider,
      model: replay.model,
      answer: replay.answer,
      citations: Citations.parse(replay.citations),
      toolCalls,
      retrieved: [],
      usage: replay.usage,
      finishReason: replay.finish_reason,
      responseTimeMs: replay.response_time_ms,
      createdAt: replay.created_at,
    },
  };
}

function problemOf({ outcome, error_code }: Replay): Problem | null {
  if (outcome !== "failed") return null;
  const code = error_code !== null && isCode(error_code) ? error_code : "provider_failed";
  return problem(code, "Cannot answer: the first request with this Idempotency-Key failed");
}
