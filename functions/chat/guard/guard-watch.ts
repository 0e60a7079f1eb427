import type { Deps } from "../../../shared/deps.ts";
import { reportIncident } from "../../../shared/incidents.ts";
import type { Admitted } from "../admission.ts";
import type { ConversationMessage } from "../conversation.ts";
import { type Attack, inspect } from "./guard.ts";

/** Whom an incident is counted against: the session that a client named, else the address it came from. */
export interface Suspect {
  subject: string;
  agentId: string;
  sessionId: string;
  addressHash: string | null;
}

/** The suspect of a turn. A new session for every message must not make an incident of every message. */
export function suspectOf(
  { agent, session_id: sessionId }: Admitted,
  { named, address }: { named: string | undefined; address: string | null },
): Suspect {
  const byAddress = named === undefined && address !== null;
  const subject = byAddress ? `address:${agent.id}:${address}` : `session:${agent.id}:${sessionId}`;
  return { subject, agentId: agent.id, sessionId, addressHash: address };
}

/** What the guard finds in a message; null while it is switched off. */
export function attackIn(
  message: string,
  { conversation_guard, role_lock }: Admitted["flags"],
): Attack | null {
  return conversation_guard ? inspect(message, { roleLock: role_lock }) : null;
}

/**
 * What a client sent of a conversation, without the attacks in it and their answers: nothing says that they were refused
 * when they were new. The question itself is looked at on its own.
 */
export function withoutAttacks(
  conversation: ConversationMessage[],
  flags: Admitted["flags"],
): ConversationMessage[] {
  const question = conversation.findLastIndex(({ role }) => role === "user");
  let isRefused = false;
  return conversation.filter(({ role, content }, place) => {
    // What follows an attack is its answer.
    if (role === "user") isRefused = place !== question && attackIn(content, flags) !== null;
    return !isRefused;
  });
}

/** Records what was found, without what was said. */
export async function reportAttack(
  { kind, severity }: Attack,
  deps: Pick<Deps, "rpc" | "now">,
  { suspect, turnId, where }: { suspect: Suspect; turnId: string; where: "question" | "answer" },
): Promise<void> {
  await reportIncident(deps, { kind, severity, ...suspect, details: { turn_id: turnId, where } });
}
