import { z } from "zod";
import { splitModel } from "../../shared/models.ts";

/** How long a model may be silent, in milliseconds. */
export interface Timeouts {
  firstTokenMs: number;
  betweenTokensMs: number;
}

/** What an agent's `config` says about its turns. */
export interface TurnSettings {
  /** The timeouts of one of its models, by `provider/model`. */
  timeoutsOf(model: string): Timeouts;
  /** How often a model that failed is tried again before the next one is. */
  retries: number;
  /** The most that the first wait before another try may take; it doubles with each. */
  retryDelayMs: number;
  /** The first token must have come within so long, all tries counted; a stream that began may take longer. */
  firstTokenWithinMs: number;
  /** How many tokens the prompt may have: instructions, facts, sources, history and question. */
  promptTokens: number;
}

/** A model that is silent for so long before its first token has failed. */
const FIRST_TOKEN_MS = 30_000;
/** A model that is silent for so long between two tokens has failed. */
const BETWEEN_TOKENS_MS = 20_000;
/** A hosted function has 150 seconds for its first byte, and so has an answer as JSON. */
const TURN_MS = 120_000;
/** Fits the usual models with room for the answer, and keeps a turn's price in bounds. */
const PROMPT_TOKENS = 16_000;

// Nobody waits for a model for longer than a turn may take.
const milliseconds = z.number().int().min(50).max(120_000);
const whole = (least: number, most: number) => z.number().int().min(least).max(most);

const ModelTimeouts = z.object({
  first_token_timeout_ms: milliseconds.optional().catch(undefined),
  token_timeout_ms: milliseconds.optional().catch(undefined),
});

// A value that is no setting must not take the agent down: the default counts then.
const Config = z.object({
  first_token_timeout_ms: milliseconds.catch(FIRST_TOKEN_MS),
  token_timeout_ms: milliseconds.catch(BETWEEN_TOKENS_MS),
  model_timeouts: z.record(z.string(), ModelTimeouts.catch({})).catch({}),
  max_retries: whole(0, 5).catch(2),
  retry_delay_ms: whole(1, 10_000).catch(500),
  turn_timeout_ms: whole(1000, 140_000).catch(TURN_MS),
  prompt_tokens: whole(1000, 200_000).catch(PROMPT_TOKENS),
});

/** Reads the turn's settings from an agent's `config`; what is missing or no valid value has its default. */
export function turnSettings(config: Record<string, unknown>): TurnSettings {
  const parsed = Config.parse(config);
  const ofModel = new Map(
    Object.entries(parsed.model_timeouts).map(([name, timeouts]) => [splitModel(name).name, timeouts]),
  );
  return {
    timeoutsOf: (model) => {
      const own = ofModel.get(model);
      return {
        firstTokenMs: own?.first_token_timeout_ms ?? parsed.first_token_timeout_ms,
        betweenTokensMs: own?.token_timeout_ms ?? parsed.token_timeout_ms,
      };
    },
    retries: parsed.max_retries,
    retryDelayMs: parsed.retry_delay_ms,
    firstTokenWithinMs: parsed.turn_timeout_ms,
    promptTokens: parsed.prompt_tokens,
  };
}
