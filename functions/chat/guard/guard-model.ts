import type { LanguageModelV4, LanguageModelV4StreamPart, LanguageModelV4Usage } from "@ai-sdk/provider";
import type { Turn } from "../admission.ts";
import type { Candidate } from "../model/candidates.ts";
import type { Attack } from "./guard.ts";
import { refusal } from "./guard-refusals.ts";

const nothing: LanguageModelV4Usage = {
  inputTokens: { total: 0, noCache: 0, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 0, text: 0, reasoning: undefined },
};
const finishReason = { unified: "content-filter", raw: "content-filter" } as const;

/** What answers an attack, in the place of the agent's models, so that a refusal goes the way of any answer. */
export function refusing(
  { language, admission }: Pick<Turn, "language" | "admission">,
  { kind }: Attack,
): Candidate {
  const named = { provider: "guard", modelId: "guard" };
  const model = guardModel(refusal(kind, language, admission.agent.language));
  return {
    ...named,
    name: "guard/guard",
    isAiling: false,
    ready: () => Promise.resolve({ ...named, providerKeyId: null, model }),
  };
}

/** A model that says one text and uses no tokens. */
function guardModel(text: string): LanguageModelV4 {
  const parts: LanguageModelV4StreamPart[] = [
    { type: "stream-start", warnings: [] },
    { type: "text-start", id: "0" },
    { type: "text-delta", id: "0", delta: text },
    { type: "text-end", id: "0" },
    { type: "finish", finishReason, usage: nothing },
  ];
  return {
    specificationVersion: "v4",
    provider: "guard",
    modelId: "guard",
    supportedUrls: {},
    doGenerate: () =>
      Promise.resolve({ content: [{ type: "text", text }], finishReason, usage: nothing, warnings: [] }),
    doStream: () => Promise.resolve({ stream: ReadableStream.from(parts) }),
  };
}
