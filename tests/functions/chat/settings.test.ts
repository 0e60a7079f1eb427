import { assertEquals } from "@std/assert";
import { turnSettings } from "../../../functions/chat/settings.ts";

const read = (config: Record<string, unknown>, model = "openai/gpt") => {
  const { timeoutsOf, ...rest } = turnSettings(config);
  return { ...timeoutsOf(model), ...rest };
};

const defaults = {
  firstTokenMs: 30_000,
  betweenTokensMs: 20_000,
  retries: 2,
  retryDelayMs: 500,
  firstTokenWithinMs: 120_000,
  promptTokens: 16_000,
};

Deno.test("an agent's config sets the limits of its turns", () => {
  assertEquals(read({}), defaults);
  const config = {
    first_token_timeout_ms: 5000,
    token_timeout_ms: 900,
    max_retries: 0,
    retry_delay_ms: 10,
    turn_timeout_ms: 20_000,
    prompt_tokens: 4000,
    widget: {},
  };
  assertEquals(read(config), {
    firstTokenMs: 5000,
    betweenTokensMs: 900,
    retries: 0,
    retryDelayMs: 10,
    firstTokenWithinMs: 20_000,
    promptTokens: 4000,
  });
});

Deno.test("a model may have timeouts of its own", () => {
  const config = {
    first_token_timeout_ms: 5000,
    model_timeouts: { "openai/gpt": { first_token_timeout_ms: 700 }, large: { token_timeout_ms: 800 } },
  };
  const of = (model: string) => turnSettings(config).timeoutsOf(model);
  assertEquals(of("openai/gpt"), { firstTokenMs: 700, betweenTokensMs: 20_000 });
  assertEquals(of("mistral/large"), { firstTokenMs: 5000, betweenTokensMs: 800 });
  assertEquals(of("openai/other"), { firstTokenMs: 5000, betweenTokensMs: 20_000 });
});

Deno.test("what is no setting counts as the default", () => {
  const wrong = {
    first_token_timeout_ms: 0,
    token_timeout_ms: "9",
    max_retries: -1,
    retry_delay_ms: 1.5,
    turn_timeout_ms: 1e9,
    prompt_tokens: null,
    model_timeouts: { "openai/gpt": { first_token_timeout_ms: "soon" }, large: 7 },
  };
  assertEquals(read(wrong), defaults);
  assertEquals(read({ model_timeouts: [] }), defaults);
});
