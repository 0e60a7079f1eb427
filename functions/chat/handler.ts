import type { Deps } from "../../shared/deps.ts";
import { serve } from "../../shared/http.ts";
import { exchange } from "./exchange.ts";
import { rate } from "./sessions/feedback.ts";
import { listModels } from "./protocols/models.ts";
import { native } from "./protocols/native.ts";
import { openai } from "./protocols/openai.ts";
import { openaiErrors as errors } from "./protocols/openai-errors.ts";
import { resumeTurn } from "./sessions/resume.ts";
import { RunningTurns } from "./running.ts";
import { readSession, resetSession } from "./sessions/sessions.ts";
import { stopTurn } from "./sessions/stop.ts";
import { ui } from "./protocols/ui.ts";

type ChatDeps = Pick<Deps, "env" | "rpc" | "rpcAs" | "embed" | "resolveModel" | "log" | "background" | "now">;

/** The routes of chat. */
export function createHandler(deps: ChatDeps): (request: Request) => Promise<Response> {
  const running = new RunningTurns();
  const complete = exchange(openai, deps, running);
  const models = listModels(deps);
  return serve("chat", [
    { method: "POST", path: "/", handle: exchange(native, deps, running) },
    { method: "GET", path: "/turns/:id/stream", handle: resumeTurn(deps) },
    { method: "POST", path: "/turns/:id/stop", handle: stopTurn(deps, running) },
    { method: "POST", path: "/ui", handle: exchange(ui, deps, running) },
    { method: "POST", path: "/feedback", handle: rate(deps) },
    { method: "GET", path: "/sessions/:session_id/messages", handle: readSession(deps) },
    { method: "DELETE", path: "/sessions/:session_id", handle: resetSession(deps) },
    // An OpenAI SDK adds `/chat/completions` to its base: `…/functions/v1`, `…/functions/v1/chat` or `…/chat/v1`.
    { method: "POST", path: "/completions", handle: complete, errors },
    { method: "POST", path: "/chat/completions", handle: complete, errors },
    { method: "POST", path: "/v1/chat/completions", handle: complete, errors },
    { method: "GET", path: "/models", handle: models, errors },
    { method: "GET", path: "/v1/models", handle: models, errors },
  ], deps);
}
