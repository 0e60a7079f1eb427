import type { LanguageModelV4Prompt } from "@ai-sdk/provider";
import type { Problem } from "../../../shared/errors.ts";
import type { ResolvedModel } from "../../../shared/models.ts";
import { Meter } from "./meter.ts";
import type { ModelEnd, Reading } from "./model-stream.ts";

/** One call of a model, as the turn's record keeps it; times are milliseconds since the call began. */
export interface Attempt {
  provider: string;
  model: string;
  outcome: "completed" | "failed" | "aborted";
  /** The provider's HTTP status, where it answered with an error. */
  status: number | null;
  error_code: string | null;
  /** How often this model had been called before in this turn. */
  retry: number;
  first_token_ms: number | null;
  duration_ms: number;
  input_tokens: number;
  output_tokens: number;
}

/** Who was called last, and what all calls have used. */
export interface Used {
  provider: string;
  model: string;
  inputTokens: number;
  outputTokens: number;
}

type Named = Pick<ResolvedModel, "provider" | "modelId">;

/** The record of a turn's calls. */
export class Attempts {
  readonly all: Attempt[] = [];
  /** What is sent to the models. */
  prompt: LanguageModelV4Prompt = [];
  /** What the last call told of itself. */
  last: Reading | null = null;
  #meter = new Meter([]);
  #named: Pick<Attempt, "provider" | "model">;

  /** `first` is the model that will be called first, as far as it is known. */
  constructor({ provider, modelId }: Named) {
    this.#named = { provider, model: modelId };
  }

  /** Begins a call. */
  begin({ provider, modelId }: Named): void {
    this.#named = { provider, model: modelId };
    this.#meter = new Meter(this.prompt);
  }

  /** Takes a piece of what came back. */
  receive(text: string): void {
    this.#meter.receive(text);
  }

  /** Ends the call. */
  end(end: ModelEnd, more: Pick<Attempt, "status" | "error_code" | "retry" | "duration_ms">): void {
    const { input, output } = this.#meter.bill(end);
    this.#meter = new Meter([]);
    this.last = end;
    this.all.push({
      ...this.#named,
      outcome: end.kind === "aborted" ? "aborted" : more.error_code === null ? "completed" : "failed",
      first_token_ms: end.firstTokenMs,
      input_tokens: input,
      output_tokens: output,
      ...more,
    });
  }

  /** Records a model that could not be called at all. */
  refuse({ provider, modelId }: Named, { code }: Problem): void {
    this.all.push({
      provider,
      model: modelId,
      outcome: "failed",
      status: null,
      error_code: code,
      retry: 0,
      first_token_ms: null,
      duration_ms: 0,
      input_tokens: 0,
      output_tokens: 0,
    });
  }

  /** Who was called last. */
  get named(): Pick<Attempt, "provider" | "model"> {
    return this.#named;
  }

  /** What was used up to now. */
  get used(): Used {
    const now = this.#meter.soFar();
    const sum = (key: "input_tokens" | "output_tokens") =>
      this.all.reduce((total, attempt) => total + attempt[key], 0);
    return {
      ...this.#named,
      inputTokens: sum("input_tokens") + now.input,
      outputTokens: sum("output_tokens") + now.output,
    };
  }
}
