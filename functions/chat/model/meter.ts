import type { LanguageModelV4Prompt } from "@ai-sdk/provider";
import { countTokens } from "../../../shared/tokens.ts";
import type { ModelEnd, TokenCount } from "./model-stream.ts";
import { countPrompt } from "../prompt.ts";

/** Knows what one call of a model has used, during and after it. */
export class Meter {
  readonly #prompt: LanguageModelV4Prompt;
  #promptTokens: number | null = null;
  #received = "";

  /** `prompt` is what is sent. */
  constructor(prompt: LanguageModelV4Prompt) {
    this.#prompt = prompt;
  }

  /** Takes a piece of what came back. */
  receive(text: string): void {
    this.#received += text;
  }

  /** What was used up to now, as counted here; nothing before the first token. */
  soFar(): TokenCount {
    return this.#received === "" ? { input: 0, output: 0 } : this.#count();
  }

  /** What is billed: the provider's own count when it came, else what was sent and received, counted here. */
  bill(end: ModelEnd): TokenCount {
    if (end.kind === "finished" && end.usage) return end.usage;
    // Nothing is charged for a provider that never answered, or failed without a token.
    const isFree = !end.opened || (end.kind === "failed" && this.#received === "");
    return isFree ? { input: 0, output: 0 } : this.#count();
  }

  // Counting costs more than streaming does, so it is done only when somebody asks.
  #count(): TokenCount {
    this.#promptTokens ??= countPrompt(this.#prompt);
    return { input: this.#promptTokens, output: countTokens(this.#received) };
  }
}
