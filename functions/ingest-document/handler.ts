import type { Deps } from "../../shared/deps.ts";
import { serve } from "../../shared/http.ts";
import { deleteDocument, getDocument, getFile, listDocuments, retryDocument } from "./documents.ts";
import { ingestDocument } from "./ingest.ts";
import { workOnDocuments } from "./work.ts";

/** The routes of ingest-document. */
export function createHandler(
  deps: Pick<Deps, "env" | "log" | "rpc" | "rpcAs" | "storage" | "now" | "embed" | "background">,
): (request: Request) => Promise<Response> {
  return serve("ingest-document", [
    { method: "POST", path: "/", handle: ingestDocument(deps) },
    { method: "GET", path: "/", handle: listDocuments(deps) },
    { method: "POST", path: "/work", handle: workOnDocuments(deps) },
    { method: "GET", path: "/:id", handle: getDocument(deps) },
    { method: "DELETE", path: "/:id", handle: deleteDocument(deps) },
    { method: "GET", path: "/:id/file", handle: getFile(deps) },
    { method: "POST", path: "/:id/retry", handle: retryDocument(deps) },
  ], deps);
}
