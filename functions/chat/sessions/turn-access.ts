import { z } from "zod";
import { authorize } from "../../../shared/auth.ts";
import { validate } from "../../../shared/body.ts";
import type { Deps } from "../../../shared/deps.ts";
import { type Problem, problem } from "../../../shared/errors.ts";
import type { RouteContext } from "../../../shared/http.ts";

const TurnPath = z.object({ id: z.uuid() });

/** A turn named by a path, and the agent through which the caller may reach it. */
export interface ReachableTurn {
  agentId: string;
  turnId: string;
}

/** The turn of a path: of the key's agent, or one that the user may see. */
export async function reachTurn(
  request: Request,
  { params }: RouteContext,
  deps: Pick<Deps, "env" | "rpc" | "rpcAs" | "now">,
): Promise<ReachableTurn> {
  const caller = await authorize(request, deps, { allow: ["key", "user"], scope: "chat" });
  const { id: turnId } = validate(TurnPath, params);
  if (caller.kind === "key") return { agentId: caller.key.agent_id, turnId };
  if (caller.kind !== "user") throw problem("forbidden", "Cannot reach a turn with this credential");
  const agentId = await deps.rpcAs(caller.token).turnAgent(turnId);
  if (agentId === null) throw noSuchTurn();
  return { agentId, turnId };
}

/** The problem for a turn that is not there, or not the caller's. */
export function noSuchTurn(): Problem {
  return problem("not_found", "Cannot find the turn: there is none of that id here");
}
