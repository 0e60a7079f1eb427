import { reportGuess } from "../../shared/auth.ts";
import type { Deps } from "../../shared/deps.ts";
import { isCode, type Problem, problem } from "../../shared/errors.ts";
import { reportIncident } from "../../shared/incidents.ts";
import { limitHeaders } from "../../shared/limits.ts";
import type { Admission } from "../../shared/results.ts";

/** The answer of an admission that let nobody in. */
export type Denied = Extract<Admission, { admitted: false }>;

/** The problem for a denied turn, with the wait and the limits it was counted against. */
export function denial(denied: Denied, now: Date): Problem {
  if (!isCode(denied.code)) {
    throw new Error(`Cannot tell why the turn was denied: unknown code ${denied.code}`);
  }
  return problem(denied.code, denied.detail, {
    members: {
      ...(typeof denied.retry_after === "number" ? { retry_after: denied.retry_after } : {}),
      ...(denied.rule ? { rule: denied.rule } : {}),
    },
    headers: limitHeaders(denied.limits, now),
  });
}

/** Where a denied request came from. */
export interface Origin {
  request: Request;
  address: string | null;
  sessionId: string | undefined;
  /** The user, when it was one. */
  userId: string | undefined;
}

/** Reports a denial that may be an attack: a key that was made up, or a limit that was run into. */
export async function reportDenial(
  { code, rule, key_id, agent_id }: Denied,
  deps: Pick<Deps, "env" | "rpc" | "now">,
  { request, address, sessionId, userId }: Origin,
): Promise<void> {
  // The leftover key of a deleted agent has an id: nobody made it up.
  if (code === "key_unknown" && !key_id) return await reportGuess(request, deps);
  if (code !== "rate_limited") return;
  const subjects: Record<string, string> = {
    key: `key:${key_id}`,
    user: `user:${userId}`,
    session: `session:${agent_id}:${sessionId}`,
    address: `address:${agent_id}:${address}`,
  };
  await reportIncident(deps, {
    kind: "rate_limit",
    severity: "low",
    subject: subjects[rule ?? ""] ?? `agent:${agent_id}`,
    agentId: agent_id,
    sessionId,
    addressHash: address,
  });
}
