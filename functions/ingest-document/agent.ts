import type { Caller } from "../../shared/auth.ts";
import type { Deps } from "../../shared/deps.ts";
import { problem } from "../../shared/errors.ts";
import { invalid } from "./upload.ts";

/** The agent whose documents a request is about, and who asks. */
export interface Target {
  agentId: string;
  ownerId: string;
  /** The model its owner wants, null before its first document. */
  embeddingModel: string | null;
  apiKeyId: string | null;
  createdBy: string | null;
}

/**
 * The agent a caller acts on: a key's own; for a user one they may see, to write as its owner or editor; for the
 * project any. An agent of somebody else is 404, as if it did not exist.
 */
export async function targetOf(
  caller: Caller,
  agentId: string | undefined,
  deps: Pick<Deps, "rpc" | "rpcAs">,
  { write }: { write: boolean },
): Promise<Target> {
  if (caller.kind === "key") {
    if (agentId !== undefined) {
      throw invalid("agent_id", "must not be given with an agent key, which has its agent");
    }
    const { agent_id, owner_id, embedding_model, key_id } = caller.key;
    return {
      agentId: agent_id,
      ownerId: owner_id,
      embeddingModel: embedding_model,
      apiKeyId: key_id,
      createdBy: null,
    };
  }
  if (agentId === undefined) throw invalid("agent_id", "must name the agent");
  const rpc = caller.kind === "user" ? deps.rpcAs(caller.token) : deps.rpc;
  const access = await rpc.agentAccess({ agentId });
  // An admin who is no member sees that the agent exists, but its documents are its owner's.
  if (access === null || access.role === "admin") throw problem("not_found", "Cannot find this agent");
  if (write && access.role === "viewer") {
    throw problem("forbidden", "Cannot change documents as a viewer of this agent");
  }
  const createdBy = caller.kind === "user" ? caller.userId : null;
  const { owner_id: ownerId, embedding_model: embeddingModel } = access;
  return { agentId, ownerId, embeddingModel, apiKeyId: null, createdBy };
}
