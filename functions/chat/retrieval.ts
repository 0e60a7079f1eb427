import type { Deps } from "../../shared/deps.ts";
import type { Match, Recalled } from "../../shared/results.ts";
import type { Turn } from "./admission.ts";
import { recall } from "./memory/recall.ts";

/** How long the question's vector may take; a visitor waits for it, and words alone serve, too. */
const EMBED_MS = 5000;

/** What the model is given to answer from. */
export interface Found {
  /** The chunks that fit the question, best first; none when the agent has no knowledge or does not use it. */
  chunks: Match[];
  /** What earlier conversations of this visitor left. */
  recalled: Recalled | null;
}

/** Nothing was looked for. */
export const nothingFound: Found = { chunks: [], recalled: null };

/** Searches documents and earlier conversations at once, for the question as it stands alone. */
export async function retrieve(
  turn: Pick<Turn, "admission" | "understood" | "visitorId" | "timings">,
  deps: Pick<Deps, "rpc" | "embed" | "log">,
  signal: AbortSignal,
): Promise<Found> {
  const { admission: { agent }, understood: { query }, timings } = turn;
  if (!agent.rag_enabled || !agent.has_knowledge) {
    return { chunks: [], recalled: await recall(turn, null, { deps, signal }) };
  }
  const embedding = await timings.measure(
    "embed",
    () => embedQuestion(agent.embedding_model, query, { deps, signal }),
  );
  const search = () =>
    deps.rpc.matchDocuments({
      agentId: agent.id,
      query,
      queryEmbedding: embedding,
      matchCount: agent.match_count,
      matchThreshold: agent.match_threshold,
      embeddingModel: embedding === null ? null : agent.embedding_model,
    }, { signal });
  const [chunks, recalled] = await Promise.all([
    timings.measure("match", search),
    recall(turn, embedding, { deps, signal }),
  ]);
  return { chunks, recalled };
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
