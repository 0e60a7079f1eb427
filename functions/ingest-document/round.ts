import type { Deps } from "../../shared/deps.ts";
import { Problem } from "../../shared/errors.ts";
import type { NewChunk } from "../../shared/rpc.ts";
import type { Batch, Batches } from "./batches.ts";
import { unreadable } from "./decode.ts";
import { embedChunks } from "./embed-chunks.ts";
import type { Meter } from "./meter.ts";

/** A document that this process holds the lease of. */
export interface Leased {
  documentId: string;
  lease: string;
  embeddingModel: string;
  /** As given or detected before; null lets the first batch decide. */
  language: string | null;
  agentLanguage: string;
  /** How many chunks are stored. */
  chunks: number;
  /** Hashes whose vectors the database has already. */
  reusable: ReadonlySet<string>;
}

/** How a round ended: `released` continues later, `lost` went to another process, `retry` waits, `failed` is for good. */
export type Outcome =
  | { outcome: "ready"; chunks: number; tokens: number }
  | { outcome: "released" | "lost" | "retry" }
  | { outcome: "failed"; problem: unknown };

/** Seconds a batch may take before another process may take the document over. */
export const leaseSeconds = 120;

type Needed = Pick<Deps, "rpc" | "embed" | "log">;

/**
 * Stores the batches of a document until it is ready or the meter is exhausted. Whatever goes wrong in between, each
 * batch is stored once: `store_chunks` takes it only under the lease and only where the last one ended.
 */
export async function runRound(
  leased: Leased,
  open: () => Promise<Batches>,
  meter: Meter,
  deps: Needed,
): Promise<Outcome> {
  let batches: Batches | undefined;
  try {
    batches = await open();
    let fromIndex = leased.chunks;
    while (true) {
      const { next } = batches;
      const batch = await meter.measure(next);
      if (batch.done && fromIndex + batch.chunks.length === 0) throw unreadable("it has no text");
      const stored = await store(leased, batch, fromIndex, meter, deps);
      if (stored.outcome === "lost") return stored;
      if (batch.done) return { outcome: "ready", chunks: stored.chunks, tokens: stored.tokens };
      fromIndex = stored.chunks;
      if (meter.exhausted) break;
    }
    await deps.rpc.finishWork({ kind: "documents", id: leased.documentId, lease: leased.lease });
    return { outcome: "released" };
  } catch (error) {
    return await giveUp(leased, error, deps);
  } finally {
    await batches?.close();
  }
}

async function store(leased: Leased, batch: Batch, fromIndex: number, meter: Meter, deps: Needed) {
  const { documentId, lease, reusable } = leased;
  const language = leased.language ?? batch.language ?? leased.agentLanguage;
  const save = async (known: ReadonlySet<string>) => {
    // Before the transaction: a slow model must not hold row locks.
    const chunks = await embedded(batch, known, leased.embeddingModel, meter, deps);
    const { state, progress, done } = batch;
    return await deps.rpc.storeChunks({
      documentId,
      lease,
      fromIndex,
      chunks,
      language,
      state,
      progress,
      done,
      leaseSeconds,
    });
  };
  try {
    return await save(reusable);
  } catch (error) {
    // The document whose vectors were to be taken over is gone: every chunk is embedded.
    if (error instanceof Problem && error.code === "conflict" && reusable.size > 0) {
      return await save(new Set());
    }
    throw error;
  }
}

async function embedded(
  { chunks }: Batch,
  known: ReadonlySet<string>,
  model: string,
  meter: Meter,
  deps: Needed,
): Promise<NewChunk[]> {
  const fresh = chunks.filter(({ hash }) => !known.has(hash));
  const vectors = await embedChunks(fresh, model, meter, deps);
  const byChunk = new Map(fresh.map((chunk, index) => [chunk, vectors[index]!]));
  return chunks.map((chunk) => ({ ...chunk, embedding: byChunk.get(chunk) ?? null }));
}

/** Tells the database that a round failed: to be retried after a growing wait, or for good with its reason. */
async function giveUp(leased: Leased, error: unknown, deps: Needed): Promise<Outcome> {
  if (isOurs(error)) deps.log.error("ingestion_interrupted", error, { document_id: leased.documentId });
  try {
    const { outcome } = await deps.rpc.finishWork({
      kind: "documents",
      id: leased.documentId,
      lease: leased.lease,
      error: faultOf(error),
    });
    return outcome === "failed"
      ? { outcome, problem: error }
      : { outcome: outcome === "released" ? "retry" : outcome };
  } catch (unreachable) {
    // The lease runs out by itself, and then another round takes over.
    deps.log.error("ingestion_not_released", unreachable, { document_id: leased.documentId });
    return { outcome: "retry" };
  }
}

/** What is kept of an error; what went wrong on our side is told by its title alone. */
export function faultOf(error: unknown): { code: string; message: string; retryable: boolean } {
  if (!(error instanceof Problem)) {
    return { code: "internal", message: "The document could not be processed", retryable: true };
  }
  const ours = isOurs(error);
  // A missing key does not come back by waiting.
  const retryable = ours && error.code !== "provider_not_configured";
  return { code: error.code, message: ours ? error.title : error.detail, retryable };
}

/** Whether an error is a fault of ours or of a service we use, not of the document. */
export function isOurs(error: unknown): boolean {
  return !(error instanceof Problem) || error.status >= 500;
}
