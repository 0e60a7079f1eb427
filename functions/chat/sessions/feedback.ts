import { authorize } from "../../../shared/auth.ts";
import { readJson } from "../../../shared/body.ts";
import type { Deps } from "../../../shared/deps.ts";
import { problem } from "../../../shared/errors.ts";
import { type Handler, json } from "../../../shared/http.ts";
import { reachAgent } from "./agent-access.ts";
import { FeedbackRequest } from "../schema.ts";

/** Rates an answer, once per message and session; a later rating replaces the earlier one. */
export function rate(deps: Pick<Deps, "env" | "rpc" | "rpcAs" | "now">): Handler {
  return async (request) => {
    const caller = await authorize(request, deps, { allow: ["key", "user"], scope: "chat" });
    const { message_id, agent_id, ...rating } = await readJson(request, FeedbackRequest);
    const agentId = await reachAgent(caller, agent_id, deps);
    const saved = await deps.rpc.saveFeedback({ agentId, messageId: message_id, ...rating });
    if (saved === null) {
      throw problem("not_found", "Cannot rate the message: this agent gave no answer of that id");
    }
    return json(saved);
  };
}
