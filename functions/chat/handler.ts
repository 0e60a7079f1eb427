import type { Deps } from "../../shared/deps.ts";
import { serve } from "../../shared/http.ts";
import { exchange } from "./exchange.ts";
import { rate } from "./feedback.ts";
import { native } from "./native.ts";
import { readSession, resetSession } from "./sessions.ts";

/** The routes of chat. */
export function createHandler(
  deps: Pick<Deps, "env" | "rpc" | "embed" | "resolveModel" | "log" | "background" | "now">,
): (request: Request) => Promise<Response> {
  return serve("chat", [
    { method: "POST", path: "/", handle: exchange(native, deps) },
    { method: "POST", path: "/feedback", handle: rate(deps) },
    { method: "GET", path: "/sessions/:session_id/messages", handle: readSession(deps) },
    { method: "DELETE", path: "/sessions/:session_id", handle: resetSession(deps) },
  ], deps);
}
