import type { Caller } from "../../../shared/auth.ts";
import { invalid } from "../../../shared/body.ts";
import type { Deps } from "../../../shared/deps.ts";
import { problem } from "../../../shared/errors.ts";

/** The agent that a caller acts on: a key's own; of a user one that they are a member of, or any for an admin. */
export async function reachAgent(
  caller: Caller,
  agentId: string | undefined,
  deps: Pick<Deps, "rpcAs">,
): Promise<string> {
  if (caller.kind === "key") {
    if (agentId === undefined) return caller.key.agent_id;
    throw invalid("agent_id", "must not be sent with an agent key, which names its agent");
  }
  if (caller.kind !== "user") throw problem("forbidden", "Cannot reach an agent with this credential");
  if (agentId === undefined) throw invalid("agent_id", "must name the agent");
  if (await deps.rpcAs(caller.token).agentAccess({ agentId }) === null) {
    throw problem("not_found", "Cannot find this agent");
  }
  return agentId;
}
