import { authorize } from "../../shared/auth.ts";
import { readJson } from "../../shared/body.ts";
import type { Deps } from "../../shared/deps.ts";
import { problem } from "../../shared/errors.ts";
import { type Handler, json } from "../../shared/http.ts";
import { FeedbackRequest } from "./schema.ts";

/** Rates an answer, once per message and session; a later rating replaces the earlier one. */
export function rate(deps: Pick<Deps, "env" | "rpc" | "now">): Handler {
  return async (request) => {
    const caller = await authorize(request, deps, { allow: ["key"], scope: "chat" });
    if (caller.kind !== "key") throw problem("forbidden", "Cannot rate an answer with this credential");
    const { message_id: messageId, rating, comment, category } = await readJson(request, FeedbackRequest);
    const saved = await deps.rpc.saveFeedback({
      agentId: caller.key.agent_id,
      messageId,
      rating,
      comment,
      category,
    });
    if (saved === null) {
      throw problem("not_found", "Cannot rate the message: this agent gave no answer of that id");
    }
    return json(saved);
  };
}
