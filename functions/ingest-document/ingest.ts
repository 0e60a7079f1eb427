import { sha256 } from "../../shared/api-key.ts";
import { authorize, type Caller } from "../../shared/auth.ts";
import type { Deps } from "../../shared/deps.ts";
import { Problem, problem } from "../../shared/errors.ts";
import { type Handler, json } from "../../shared/http.ts";
import { type Target, targetOf } from "./agent.ts";
import { type Batch, type Batches, readBatches } from "./batches.ts";
import { unreadable } from "./decode.ts";
import { Meter } from "./meter.ts";
import { forgetDeleted, keepOriginal } from "./original.ts";
import { leaseSeconds, type Outcome, runRound } from "./round.ts";
import { readUpload, type Upload } from "./upload.ts";

type Needed = Pick<Deps, "env" | "log" | "rpc" | "rpcAs" | "storage" | "now" | "embed" | "background">;

/** Stores a document: a short one at once (201), a long one in the background (202), a known one not again (200). */
export function ingestDocument(deps: Needed): Handler {
  return async (request) => {
    const caller = await authorize(request, deps, { allow: ["key", "user", "secret"], scope: "ingest" });
    const meter = new Meter();
    const { begun, batches, isWhole, target } = await take(request, caller, meter, deps);
    if (begun.outcome === "deduplicated") {
      await batches.close();
      const { outcome: _, ...known } = begun;
      return json({ ...known, deduplicated: true });
    }
    const round = runRound(leasedBy(begun), () => Promise.resolve(batches), meter, deps);
    if (isWhole) return answer(await round, { begun, target }, deps);
    deps.background(round);
    return accepted(begun.document_id, "processing");
  };
}

/** Reads what was sent and keeps it. Apart from the round, which would else hold the bytes until its end. */
async function take(request: Request, caller: Caller, meter: Meter, deps: Needed) {
  const upload = await readUpload(request);
  const target = await targetOf(caller, upload.agentId, deps, { write: true });
  // Read before anything is stored: what cannot be read leaves no trace.
  const { first, batches } = await meter.measure(() => peek(upload));
  try {
    return { begun: await begin(upload, target, deps), batches, isWhole: first.done, target };
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

type Begun = Awaited<ReturnType<typeof begin>>;
type Created = Extract<Begun, { outcome: "created" }>;

/** The answer for a document whose only batch was tried at once. */
async function answer(
  round: Outcome,
  { begun, target }: { begun: Created; target: Target },
  deps: Needed,
): Promise<Response> {
  const { document_id, replaces } = begun;
  const named = { agentId: target.agentId, documentId: document_id };
  switch (round.outcome) {
    case "ready":
      if (replaces !== null) deps.background(forgetDeleted(deps));
      return json({ document_id, status: "ready", chunks: round.chunks, tokens: round.tokens }, 201);
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

/** Keeps the original and takes the lease of its ingestion; what the database does not take is not kept either. */
async function begin(
  { bytes, agentId: _agent, field: _field, ...described }: Upload,
  target: Target,
  deps: Needed,
) {
  const kept = await keepOriginal(bytes, { ...target, mimeType: described.mimeType }, deps);
  const discard = () => {
    if (kept.filePath !== undefined) deps.background(deps.storage.remove([kept.filePath]));
  };
  const { agentId, apiKeyId, createdBy } = target;
  try {
    const begun = await deps.rpc.beginDocument({
      ...described,
      ...kept,
      agentId,
      apiKeyId,
      createdBy,
      contentHash: sha256(bytes),
      sizeBytes: bytes.byteLength,
      embeddingModel: deps.env.EMBEDDING_MODEL,
      leaseSeconds,
    });
    if (begun.outcome === "refused") throw quotaExceeded(begun);
    if (begun.outcome === "deduplicated") discard();
    return begun;
  } catch (error) {
    discard();
    throw error;
  }
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

function leasedBy(begun: Created) {
  return {
    documentId: begun.document_id,
    lease: begun.lease,
    embeddingModel: begun.embedding_model,
    language: begun.language,
    agentLanguage: begun.agent_language,
    chunks: 0,
    reusable: new Set(begun.reusable),
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
