import type { Deps } from "../../../shared/deps.ts";
import { type Handler, json } from "../../../shared/http.ts";
import type { RunningTurns } from "../running.ts";
import { noSuchTurn, reachTurn } from "./turn-access.ts";

/** Asks a running turn to stop: its answer so far is kept and billed. A turn that has ended stays as it is. */
export function stopTurn(deps: Pick<Deps, "env" | "rpc" | "rpcAs" | "now">, running: RunningTurns): Handler {
  return async (request, context) => {
    const turn = await reachTurn(request, context, deps);
    const stopped = await deps.rpc.stopTurn(turn);
    if (stopped === null) throw noSuchTurn();
    running.stop(turn.turnId);
    return json(stopped, 202);
  };
}
