import { authorize } from "../../../shared/auth.ts";
import type { Deps } from "../../../shared/deps.ts";
import { problem } from "../../../shared/errors.ts";
import { type Handler, json } from "../../../shared/http.ts";

/** The models a key reaches, as OpenAI lists them: its agent, whatever model that has. */
export function listModels(deps: Pick<Deps, "env" | "rpc" | "now">): Handler {
  return async (request) => {
    const caller = await authorize(request, deps, { allow: ["key"], scope: "chat" });
    if (caller.kind !== "key") throw problem("forbidden", "Cannot list models with this credential");
    const { agent_id: id } = caller.key;
    return json({ object: "list", data: [{ id, object: "model", created: 0, owned_by: "parley" }] });
  };
}
