import type { Deps } from "../../shared/deps.ts";
import type { Match } from "../../shared/results.ts";
import type { Turn } from "./admission.ts";

/** How long the question's vector may take; a visitor waits for it, and words alone serve, too. */
const EMBED_MS = 5000;

/** The chunks that fit the question, best first; none when the agent has no knowledge or does not use it. */
export async function retrieve(
  { admission: { agent }, question }: Pick<Turn, "admission" | "question">,
  deps: Pick<Deps, "rpc" | "embed" | "log">,
  signal: AbortSignal,
): Promise<Match[]> {
  if (!agent.rag_enabled || !agent.has_knowledge) return [];
  const embedding = await embedQuestion(agent.embedding_model, question, { deps, signal });
  return await deps.rpc.matchDocuments({
    agentId: agent.id,
    query: question,
    queryEmbedding: embedding,
    matchCount: agent.match_count,
    matchThreshold: agent.match_threshold,
    embeddingModel: embedding === null ? null : agent.embedding_model,
  }, { signal });
}

/** The question's vector, or null when its model cannot be asked: words alone still find most of it. */
async function embedQuestion(
  model: string | null,
  question: string,
  { deps, signal }: { deps: Pick<Deps, "embed" | "log">; signal: AbortSignal },
): Promise<string | null> {
  if (model === null) return null;
  try {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(EMBED_MS)]);
    return (await deps.embed(model, [question], { purpose: "query", signal: bounded }))[0] ?? null;
  } catch (error) {
    signal.throwIfAborted();
    deps.log.error("question_not_embedded", error, { embedding_model: model });
    return null;
  }
}
