import type { Deps } from "../../shared/deps.ts";
import { serve } from "../../shared/http.ts";
import { exchange } from "./exchange.ts";
import { rate } from "./feedback.ts";
import { native } from "./native.ts";
import { resumeTurn } from "./resume.ts";
import { RunningTurns } from "./running.ts";
import { readSession, resetSession } from "./sessions.ts";
import { stopTurn } from "./stop.ts";

/** The routes of chat. */
export function createHandler(
  deps: Pick<Deps, "env" | "rpc" | "rpcAs" | "embed" | "resolveModel" | "log" | "background" | "now">,
): (request: Request) => Promise<Response> {
  const running = new RunningTurns();
  return serve("chat", [
    { method: "POST", path: "/", handle: exchange(native, deps, running) },
    { method: "GET", path: "/turns/:id/stream", handle: resumeTurn(deps) },
    { method: "POST", path: "/turns/:id/stop", handle: stopTurn(deps, running) },
    { method: "POST", path: "/feedback", handle: rate(deps) },
    { method: "GET", path: "/sessions/:session_id/messages", handle: readSession(deps) },
    { method: "DELETE", path: "/sessions/:session_id", handle: resetSession(deps) },
  ], deps);
}
