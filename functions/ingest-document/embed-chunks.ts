import type { Deps } from "../../shared/deps.ts";
import type { Meter } from "./meter.ts";

/** Whether vectors of a model cost so little that they are made before anybody knows whether they are needed. */
export function isInstant(model: string): boolean {
  return model === "local";
}

/** The vectors of chunks, in order. */
export async function embedChunks(
  chunks: readonly { heading: string | null; content: string }[],
  model: string,
  meter: Meter,
  { embed }: Pick<Deps, "embed">,
): Promise<string[]> {
  if (chunks.length === 0) return [];
  const ask = () => embed(model, chunks.map(embeddingText), { purpose: "document" });
  // A model without a provider computes in this process.
  return model.includes("/") ? await ask() : await meter.measure(ask);
}

// A passage is about what its headings say, also where it does not repeat them.
function embeddingText({ heading, content }: { heading: string | null; content: string }): string {
  return heading === null ? content : `${heading}\n${content}`;
}
