import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import type { Admitted } from "../admission.ts";
import type { ToolCall } from "./model-stream.ts";

/** What a client asks of the model besides an answer: how to sample, in which form, and which tools there are. */
export interface Wishes extends
  Pick<
    LanguageModelV4CallOptions,
    | "maxOutputTokens"
    | "temperature"
    | "topP"
    | "stopSequences"
    | "seed"
    | "presencePenalty"
    | "frequencyPenalty"
    | "responseFormat"
    | "reasoning"
    | "tools"
    | "toolChoice"
    | "providerOptions"
  > {
  /** One tool at a time. */
  oneToolCall?: boolean;
}

/** The options of a model's call: what the client wishes, as far as the agent's settings go. */
export function callOptions(
  { max_tokens, temperature, top_p }: Pick<Admitted["agent"], "max_tokens" | "temperature" | "top_p">,
  { oneToolCall: _, ...wishes }: Wishes,
): Omit<LanguageModelV4CallOptions, "prompt"> {
  return {
    ...wishes,
    maxOutputTokens: Math.min(max_tokens, wishes.maxOutputTokens ?? max_tokens),
    temperature: Math.min(temperature, wishes.temperature ?? temperature),
    topP: Math.min(top_p, wishes.topP ?? top_p),
  };
}

/** Whether the answer is to be JSON: then it cannot cite, since a number in brackets means something else there. */
export function wantsJson({ responseFormat }: Wishes): boolean {
  return responseFormat?.type === "json";
}

/** Whether the client takes one more tool to call than those the model already wants: only if it offered any. */
export function mayCall({ tools = [], toolChoice, oneToolCall = false }: Wishes, calls: ToolCall[]): boolean {
  return tools.length > 0 && toolChoice?.type !== "none" && !(oneToolCall && calls.length > 0);
}
