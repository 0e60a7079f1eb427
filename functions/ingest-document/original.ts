import type { Deps } from "../../shared/deps.ts";
import type { Rpc } from "../../shared/rpc.ts";
import { encodeBase64, writeBase64 } from "./base64.ts";

/** A stored original. */
export interface Original {
  bytes: Uint8Array<ArrayBuffer>;
  mimeType: string;
  title: string;
}

/** Where an original is kept: in the table, or in the bucket under a path. */
export type Kept = { file_base64: string; file_path?: undefined } | {
  file_path: string;
  file_base64?: undefined;
};

/**
 * Puts an original into the bucket where the project has Storage, else makes it ready for the table. The bucket comes
 * before the database, so that no document ever stands there without its original.
 */
export async function keepOriginal(
  bytes: Uint8Array<ArrayBuffer>,
  { ownerId, agentId, mimeType }: { ownerId: string; agentId: string; mimeType: string },
  deps: Pick<Deps, "rpc" | "storage">,
): Promise<Kept> {
  if (await storageMode(deps.rpc) === "table") return { file_base64: encodeBase64(bytes) };
  const filePath = `${ownerId}/${agentId}/${crypto.randomUUID()}`;
  await deps.storage.upload(filePath, bytes, mimeType);
  return { file_path: filePath };
}

/** The original of a document, from the table or the bucket; null when it is gone. */
export async function originalOf(
  documentId: string,
  deps: Pick<Deps, "rpc" | "storage">,
): Promise<Original | null> {
  const file = await deps.rpc.documentFile({ documentId });
  if (file === null) return null;
  const { mime_type: mimeType, title, size, file_path: path } = file;
  const bytes = size !== null
    ? await readParts({ documentId, size, first: file.file_base64 }, deps)
    : path === null
    ? null
    : await deps.storage.download(path);
  return bytes && { bytes, mimeType, title };
}

/** Puts an original together from the parts that the table gives: whole in one answer it takes six times its size. */
async function readParts(
  { documentId, size, first }: { documentId: string; size: number; first: string | null },
  { rpc }: Pick<Deps, "rpc">,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (let part = first; part !== null;) {
    at += writeBase64(part, bytes.subarray(at));
    if (at === size) return bytes;
    part = (await rpc.documentFile({ documentId, fromByte: at }))?.file_base64 ?? null;
  }
  // Deleted meanwhile.
  return null;
}

/** Removes from the bucket what belongs to deleted documents, and then what is left of these in the database. */
export async function forgetDeleted(deps: Pick<Deps, "rpc" | "storage">): Promise<void> {
  if (await storageMode(deps.rpc) === "table") return;
  const deleted = await deps.rpc.deletedFiles({});
  if (deleted.length === 0) return;
  await deps.storage.remove(deleted.map(({ file_path }) => file_path));
  await deps.rpc.forgetDocuments({ documentIds: deleted.map(({ document_id }) => document_id) });
}

// Asked once per process: whether a project has Storage does not change while it runs.
const modes = new WeakMap<Pick<Rpc, "storageMode">, "bucket" | "table">();

async function storageMode(rpc: Rpc): Promise<"bucket" | "table"> {
  const mode = modes.get(rpc) ?? await rpc.storageMode();
  modes.set(rpc, mode);
  return mode;
}
