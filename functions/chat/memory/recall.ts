import type { Deps } from "../../../shared/deps.ts";
import type { Recalled } from "../../../shared/results.ts";
import type { Turn } from "../admission.ts";

/**
 * What earlier conversations of this visitor left, where the admission says that there are any; the best for the
 * question's vector, else the newest. An answer does not depend on it: when it cannot be had, there is none.
 */
export async function recall(
  { admission: { agent, conversation_id, recall }, visitorId }: Pick<Turn, "admission" | "visitorId">,
  embedding: string | null,
  { deps, signal }: { deps: Pick<Deps, "rpc" | "log">; signal: AbortSignal },
): Promise<Recalled | null> {
  if (!recall || visitorId === null) return null;
  try {
    return await deps.rpc.recallContexts({
      agentId: agent.id,
      visitorId,
      conversationId: conversation_id,
      queryEmbedding: embedding,
      embeddingModel: embedding === null ? null : agent.embedding_model,
    }, { signal });
  } catch (error) {
    signal.throwIfAborted();
    deps.log.error("not_recalled", error, { conversation_id });
    return null;
  }
}
