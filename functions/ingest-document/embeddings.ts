import type { Deps } from "../../shared/deps.ts";
import type { EmbeddingWork } from "../../shared/results.ts";
import { embedChunks } from "./embed-chunks.ts";
import type { Meter } from "./meter.ts";
import { faultOf, isOurs, leaseSeconds } from "./round.ts";

type Needed = Pick<Deps, "rpc" | "embed" | "log">;

/** How a round of a set of vectors ended: `switched` is its last one, `lost` says that another process has it or nobody wants it. */
export type EmbeddingOutcome = "switched" | "released" | "lost" | "retry";

/**
 * Makes the vectors of a model that an agent changes to, until all chunks have one, and then lets that model answer; or
 * until `isOver`. Whatever goes wrong in between, each vector is stored once, and the old ones answer meanwhile.
 */
export async function buildVectors(
  { id, lease, embedding_model: model, agent_id }: EmbeddingWork,
  meter: Meter,
  isOver: () => boolean,
  deps: Needed,
): Promise<EmbeddingOutcome> {
  try {
    do {
      const chunks = await deps.rpc.chunksToEmbed({ id, lease });
      if (chunks === null) return "lost";
      if (chunks.length === 0) {
        const { outcome } = await deps.rpc.switchModel({ id, lease });
        if (outcome !== "more") return outcome;
      } else {
        const made = await embedChunks(chunks, model, meter, deps);
        const vectors = chunks.map((chunk, index) => ({ id: chunk.id, embedding: made[index]! }));
        const { outcome } = await deps.rpc.storeVectors({ id, lease, vectors, leaseSeconds });
        if (outcome === "lost") return "lost";
      }
    } while (!isOver());
    await deps.rpc.finishWork({ kind: "embeddings", id, lease });
    return "released";
  } catch (error) {
    if (isOurs(error)) deps.log.error("embedding_interrupted", error, { agent_id, embedding_model: model });
    // What is not reported now is due again when the lease runs out.
    await deps.rpc.finishWork({ kind: "embeddings", id, lease, error: faultOf(error) })
      .catch((unreachable) => deps.log.error("embedding_not_released", unreachable, { agent_id }));
    return "retry";
  }
}
