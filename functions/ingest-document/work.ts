import { authorize } from "../../shared/auth.ts";
import { readJson } from "../../shared/body.ts";
import type { Deps } from "../../shared/deps.ts";
import { problem } from "../../shared/errors.ts";
import { type Handler, json } from "../../shared/http.ts";
import type { Work } from "../../shared/results.ts";
import { readBatches } from "./batches.ts";
import { buildVectors, type EmbeddingOutcome } from "./embeddings.ts";
import { mediaTypes } from "./media-type.ts";
import { Meter } from "./meter.ts";
import { forgetDeleted, originalOf } from "./original.ts";
import { leaseSeconds, type Outcome, runRound } from "./round.ts";
import { WorkRequest } from "./schema.ts";

type Needed = Pick<Deps, "env" | "log" | "rpc" | "storage" | "now" | "embed">;

/** What a call of the scheduler did; `more` asks for another call. */
export interface Done {
  done: number;
  failed: number;
  more: boolean;
}

/** The scheduler's call: works on due documents for a while. */
export function workOnDocuments(deps: Needed): Handler {
  return async (request) => {
    await authorize(request, deps, { allow: ["secret"] });
    const { budget_ms: budgetMs } = await readJson(request, WorkRequest, { optional: true });
    return json(await workFor(budgetMs, deps));
  };
}

/**
 * Takes due documents, and then vectors to be built for another model, one owner after the other, until nothing is due or
 * the time or the meter is used up.
 */
export async function workFor(budgetMs: number, deps: Needed): Promise<Done> {
  const end = deps.now().getTime() + budgetMs;
  const meter = new Meter();
  const isOver = () => meter.exhausted || deps.now().getTime() >= end;
  const result: Done = { done: 0, failed: 0, more: true };
  do {
    const outcome = await nextDocument(meter, deps) ?? await nextVectors(meter, isOver, deps);
    if (outcome === null) {
      result.more = false;
      break;
    }
    if (outcome === "ready" || outcome === "switched") result.done++;
    if (outcome === "failed" || outcome === "retry") result.failed++;
  } while (!isOver());
  // What cannot be cleaned up now waits for the next call; the work that was done counts.
  await forgetDeleted(deps).catch((error) => deps.log.error("deleted_files_left", error));
  return result;
}

/** Works on the next due document; null when none is due. */
async function nextDocument(meter: Meter, deps: Needed): Promise<Outcome["outcome"] | null> {
  const [work] = await deps.rpc.claimWork({ kind: "documents", maxItems: 1, leaseSeconds });
  return work === undefined ? null : (await continueDocument(work, meter, deps)).outcome;
}

/** Works on the next due set of vectors; null when none is due. */
async function nextVectors(
  meter: Meter,
  isOver: () => boolean,
  deps: Needed,
): Promise<EmbeddingOutcome | null> {
  const [work] = await deps.rpc.claimWork({ kind: "embeddings", maxItems: 1, leaseSeconds });
  return work === undefined ? null : await buildVectors(work, meter, isOver, deps);
}

async function continueDocument(work: Work, meter: Meter, deps: Needed): Promise<Outcome> {
  return await runRound(
    {
      documentId: work.id,
      lease: work.lease,
      embeddingModel: work.embedding_model,
      language: work.language,
      agentLanguage: work.agent_language,
      chunks: work.chunks,
      reusable: new Set(work.reusable),
    },
    async () => {
      const original = await originalOf(work.id, deps);
      const mimeType = mediaTypes.find((type) => type === original?.mimeType);
      if (!original || !mimeType) {
        throw problem("not_found", "Cannot read the document: its original is gone");
      }
      return await meter.measure(() => readBatches({ ...original, mimeType, state: work.state }));
    },
    meter,
    deps,
  );
}
