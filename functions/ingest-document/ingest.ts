import { sha256 } from "../../shared/api-key.ts";
import { authorize, type Caller } from "../../shared/auth.ts";
import type { Deps } from "../../shared/deps.ts";
import { Problem, problem } from "../../shared/errors.ts";
import { type Handler, json } from "../../shared/http.ts";
import type { KeptDocument } from "../../shared/results.ts";
import type { NewChunk } from "../../shared/rpc.ts";
import { type Target, targetOf } from "./agent.ts";
import { type Batch, type Batches, readBatches } from "./batches.ts";
import { unreadable } from "./decode.ts";
import { embedChunks, isInstant } from "./embed-chunks.ts";
import { Meter } from "./meter.ts";
import { forgetDeleted, keepOriginal } from "./original.ts";
import { type Outcome, runRound } from "./round.ts";
import { storeTogether } from "./store-together.ts";
import { readUpload, type Upload } from "./upload.ts";

type Needed = Pick<Deps, "env" | "log" | "rpc" | "rpcAs" | "storage" | "now" | "embed" | "background">;

/** Stores a document: a short one at once (201), a long one in the background (202), a known one not again (200). */
export function ingestDocument(deps: Needed): Handler {
  return async (request) => {
    const caller = await authorize(request, deps, { allow: ["key", "user", "secret"], scope: "ingest" });
    const meter = new Meter();
    const { kept, batches, isWhole, target } = await take(request, caller, meter, deps);
    if (kept.outcome === "created") {
      const round = runRound(leasedBy(kept), () => Promise.resolve(batches), meter, deps);
      if (isWhole) return answer(await round, { kept, target }, deps);
      deps.background(round);
      return accepted(kept.document_id, "processing");
    }
    await batches.close();
    if (kept.outcome === "stored") return stored(kept, deps);
    const { outcome: _, ...known } = kept;
    return json({ ...known, deduplicated: true });
  };
}

/** Reads what was sent and keeps it. Apart from the round, which would else hold the bytes until its end. */
async function take(request: Request, caller: Caller, meter: Meter, deps: Needed) {
  const upload = await readUpload(request);
  const target = await targetOf(caller, upload.agentId, deps, { write: true });
  // Read before anything is stored: what cannot be read leaves no trace.
  const { first, batches } = await meter.measure(() => peek(upload));
  try {
    return { kept: await keep(upload, first, target, { meter, deps }), batches, isWhole: first.done, target };
  } catch (error) {
    await batches.close();
    throw error;
  }
}

/** The answer to work that continues in the background; `Location` says where to ask for it. */
export function accepted(documentId: string, status: "queued" | "processing"): Response {
  const location = `/functions/v1/ingest-document/${documentId}`;
  return json({ document_id: documentId, status }, 202, { location });
}

type Created = Extract<KeptDocument, { outcome: "created" }>;

/** The answer for a document whose only batch was tried at once. */
async function answer(
  round: Outcome,
  { kept, target }: { kept: Created; target: Target },
  deps: Needed,
): Promise<Response> {
  const { document_id } = kept;
  const named = { agentId: target.agentId, documentId: document_id };
  switch (round.outcome) {
    case "ready":
      return stored({ ...kept, ...round }, deps);
    case "failed":
      await deps.rpc.deleteDocument(named);
      throw round.problem;
    case "lost":
      if (await deps.rpc.getDocument(named) === null) {
        throw problem("conflict", "Cannot store the document: a newer one of this source replaced it");
      }
      return accepted(document_id, "processing");
    default:
      // The model could not be reached: the original is kept, and later rounds try again.
      return accepted(document_id, "queued");
  }
}

/** The answer for a document that can be found. */
function stored(
  { document_id, replaces, chunks, tokens }: Pick<Created, "document_id" | "replaces"> & {
    chunks: number;
    tokens: number;
  },
  deps: Needed,
): Response {
  if (replaces !== null) deps.background(forgetDeleted(deps));
  return json({ document_id, status: "ready", chunks, tokens }, 201);
}

/**
 * Keeps the original, and with it all chunks where their vectors cost nothing. Where they do, the database is asked
 * first: of what it knows already, or has no room for, none is bought. What it does not take is not kept either.
 */
async function keep(
  { bytes, agentId: _agent, field: _field, mimeType, ...described }: Upload,
  first: Batch,
  target: Target,
  { meter, deps }: { meter: Meter; deps: Needed },
): Promise<Exclude<KeptDocument, { outcome: "refused" }>> {
  const { agentId, apiKeyId, createdBy } = target;
  const embeddingModel = target.embeddingModel ?? deps.env.EMBEDDING_MODEL;
  const original = await keepOriginal(bytes, { ...target, mimeType }, deps);
  const discard = () => {
    if (original.file_path !== undefined) deps.background(deps.storage.remove([original.file_path]));
  };
  try {
    const kept = await storeTogether(
      {
        ...described,
        ...original,
        mime_type: mimeType,
        content_hash: sha256(bytes),
        size_bytes: bytes.byteLength,
        api_key_id: apiKeyId,
        created_by: createdBy,
        detected_language: first.language,
        chunks: first.done && isInstant(embeddingModel)
          ? await withVectors(first, embeddingModel, meter, deps)
          : undefined,
      },
      { agentId, embeddingModel },
      deps.rpc,
    );
    if (kept.outcome === "refused") throw quotaExceeded(kept);
    if (kept.outcome === "deduplicated") discard();
    return kept;
  } catch (error) {
    discard();
    throw error;
  }
}

async function withVectors(
  { chunks }: Batch,
  model: string,
  meter: Meter,
  deps: Needed,
): Promise<NewChunk[]> {
  const vectors = await embedChunks(chunks, model, meter, deps);
  return chunks.map((chunk, index) => ({ ...chunk, embedding: vectors[index]! }));
}

function quotaExceeded({ limit, used }: { limit: number; used: number }): Error {
  return problem(
    "quota_exceeded",
    `Cannot store the document: ${used} of the plan's ${limit} documents are used`,
    {
      members: { quota: "documents", limit, used },
    },
  );
}

function leasedBy(kept: Created) {
  return {
    documentId: kept.document_id,
    lease: kept.lease,
    embeddingModel: kept.embedding_model,
    language: kept.language,
    agentLanguage: kept.agent_language,
    chunks: 0,
    reusable: new Set(kept.reusable),
  };
}

/** Opens a document and reads its first batch, which `batches` then gives once more. */
async function peek(upload: Upload): Promise<{ first: Batch; batches: Batches }> {
  const rest = await readBatches(upload).catch((error) => refuse(error, upload));
  const first = await rest.next().catch((error) => refuse(error, upload));
  if (first.done && first.chunks.length === 0) refuse(unreadable("it has no text"), upload);
  return { first, batches: withFirst(first, rest) };
}

function withFirst(first: Batch, rest: Batches): Batches {
  let pending: Batch | null = first;
  const next = () => {
    const batch = pending;
    pending = null;
    return batch === null ? rest.next() : Promise.resolve(batch);
  };
  return { next, close: rest.close };
}

/** Says in which field the document came that cannot be read. */
function refuse(error: unknown, { field }: Upload): never {
  if (!(error instanceof Problem) || error.code !== "validation_failed") throw error;
  throw problem(error.code, error.detail, {
    members: { errors: [{ path: field, message: error.detail }] },
    cause: error,
  });
}
