import { z } from "zod";

/** How long a model may be silent, in milliseconds. */
export interface Timeouts {
  firstTokenMs: number;
  betweenTokensMs: number;
}

/** What an agent's `config` says about its turns. */
export interface TurnSettings {
  timeouts: Timeouts;
  /** How many tokens the prompt may have: instructions, facts, sources, history and question. */
  promptTokens: number;
}

/** A model that is silent for so long before its first token has failed. */
const FIRST_TOKEN_MS = 30_000;
/** A model that is silent for so long between two tokens has failed. */
const BETWEEN_TOKENS_MS = 20_000;
/** Fits the usual models with room for the answer, and keeps a turn's price in bounds. */
const PROMPT_TOKENS = 16_000;

// A hosted function has 150 seconds for its first byte, so no model may take longer.
const milliseconds = z.number().int().min(50).max(120_000);

// A value that is no setting must not take the agent down: the default counts then.
const Config = z.object({
  first_token_timeout_ms: milliseconds.catch(FIRST_TOKEN_MS),
  token_timeout_ms: milliseconds.catch(BETWEEN_TOKENS_MS),
  prompt_tokens: z.number().int().min(1000).max(200_000).catch(PROMPT_TOKENS),
});

/** Reads the turn's settings from an agent's `config`; what is missing or no valid value has its default. */
export function turnSettings(config: Record<string, unknown>): TurnSettings {
  const parsed = Config.parse(config);
  return {
    timeouts: { firstTokenMs: parsed.first_token_timeout_ms, betweenTokensMs: parsed.token_timeout_ms },
    promptTokens: parsed.prompt_tokens,
  };
}
