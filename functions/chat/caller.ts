import { type Credential, missing, readCredential } from "../../shared/auth.ts";
import { invalid } from "../../shared/body.ts";
import type { Deps } from "../../shared/deps.ts";
import { problem } from "../../shared/errors.ts";

/** Who asks: the holder of a key, whose hash is looked up when the turn is admitted, or a user. */
export type ChatCaller = Extract<Credential, { kind: "key" | "user" }>;

/** Who asks, without a look into the database; `allow` names whom the protocol is for. */
export async function callerOf(
  request: Request,
  deps: Pick<Deps, "env">,
  allow: readonly ChatCaller["kind"][],
): Promise<ChatCaller> {
  const credential = await readCredential(request, deps);
  if (credential === null) throw missing(allow);
  if (credential.kind === "secret" || !allow.includes(credential.kind)) {
    const wanted = allow.includes("user") ? "an agent API key or a user's JWT" : "an agent API key";
    throw problem("forbidden", `Cannot chat with this credential: send ${wanted}`);
  }
  return credential;
}

/** Who asks which agent, as `admit_turn` takes it. An admin who names no agent asks the installation's. */
export function identityOf(caller: ChatCaller, agentId: string | undefined) {
  if (caller.kind === "key") {
    if (agentId === undefined) return { keyHash: caller.hash };
    // It would have to be ignored or believed.
    throw invalid("agent_id", "must not be sent with an agent key, which names its agent");
  }
  if (agentId === undefined && !caller.isAdmin) throw invalid("agent_id", "must name the agent");
  return { userId: caller.userId, isAdmin: caller.isAdmin, agentId };
}
