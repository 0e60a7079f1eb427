import { authorize, type Demand } from "../../shared/auth.ts";
import { validate } from "../../shared/body.ts";
import type { Deps } from "../../shared/deps.ts";
import { problem } from "../../shared/errors.ts";
import { type Handler, json, type RouteContext } from "../../shared/http.ts";
import { type Target, targetOf } from "./agent.ts";
import { accepted } from "./ingest.ts";
import { forgetDeleted, originalOf } from "./original.ts";
import { AgentQuery, isId, ListQuery } from "./schema.ts";
import { workFor } from "./work.ts";

type Needed = Pick<Deps, "env" | "log" | "rpc" | "rpcAs" | "storage" | "now" | "embed" | "background">;

const status: Demand = { allow: ["key", "user", "secret"], scope: ["ingest", "read"] };
const read: Demand = { allow: ["key", "user", "secret"], scope: "read" };
const change: Demand = { allow: ["key", "user", "secret"], scope: "ingest" };

/** The documents of an agent, newest first. */
export function listDocuments(deps: Needed): Handler {
  return async (request, { url }) => {
    const caller = await authorize(request, deps, status);
    const query = validate(ListQuery, Object.fromEntries(url.searchParams));
    const { agentId } = await targetOf(caller, query.agent_id, deps, { write: false });
    const { limit: maxItems, cursor, status: wanted } = query;
    return json(await deps.rpc.listDocuments({ agentId, maxItems, cursor, status: wanted }));
  };
}

/** How far a document is. */
export function getDocument(deps: Needed): Handler {
  return async (request, context) => {
    const { agentId, documentId } = await find(request, context, deps, status);
    return json(await deps.rpc.getDocument({ agentId, documentId }) ?? missing());
  };
}

/** The original, as a download: a browser must never run what somebody uploaded. */
export function getFile(deps: Needed): Handler {
  return async (request, context) => {
    const { agentId, documentId } = await find(request, context, deps, read);
    if (await deps.rpc.getDocument({ agentId, documentId }) === null) missing();
    const { bytes, mimeType, title } = await originalOf(documentId, deps) ?? missing();
    return new Response(bytes, {
      headers: {
        "content-type": mimeType.startsWith("text/") ? `${mimeType}; charset=utf-8` : mimeType,
        "content-disposition": `attachment; filename*=UTF-8''${
          encodeURIComponent(title).replaceAll("'", "%27")
        }`,
        "content-security-policy": "default-src 'none'; sandbox",
        "x-content-type-options": "nosniff",
        "cache-control": "private, no-store",
      },
    });
  };
}

/** Makes a failed document due again. */
export function retryDocument(deps: Needed): Handler {
  return async (request, context) => {
    const { agentId, documentId } = await find(request, context, deps, change, { write: true });
    const { outcome } = await deps.rpc.retryDocument({ agentId, documentId }) ?? missing();
    if (outcome === "conflict") throw problem("conflict", "Cannot retry this document: it did not fail");
    deps.background(workFor(25_000, deps));
    return accepted(documentId, "queued");
  };
}

/** Removes a document with its chunks: the next answer cannot use it. */
export function deleteDocument(deps: Needed): Handler {
  return async (request, context) => {
    const { agentId, documentId } = await find(request, context, deps, change, { write: true });
    const { file_path } = await deps.rpc.deleteDocument({ agentId, documentId }) ?? missing();
    // What cannot be removed from the bucket now is removed by the next call of the scheduler.
    if (file_path !== null) deps.background(forgetDeleted(deps));
    return new Response(null, { status: 204 });
  };
}

/** The agent and document of a path; without `agent_id` the document's own agent, if the caller may see it. */
async function find(
  request: Request,
  { params, url }: RouteContext,
  deps: Needed,
  demand: Demand,
  { write = false }: { write?: boolean } = {},
): Promise<Target & { documentId: string }> {
  const caller = await authorize(request, deps, demand);
  const documentId = params.id!;
  const { agent_id } = validate(AgentQuery, Object.fromEntries(url.searchParams));
  if (!isId(documentId)) missing();
  if (caller.kind === "key" || agent_id !== undefined) {
    return { ...await targetOf(caller, agent_id, deps, { write }), documentId };
  }
  const rpc = caller.kind === "user" ? deps.rpcAs(caller.token) : deps.rpc;
  const agentId = await rpc.documentAgent(documentId) ?? missing();
  return { ...await targetOf(caller, agentId, deps, { write }), documentId };
}

function missing(): never {
  throw problem("not_found", "Cannot find this document");
}
