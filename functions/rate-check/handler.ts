import { authorize, type Caller } from "../../shared/auth.ts";
import { readJson } from "../../shared/body.ts";
import type { Deps } from "../../shared/deps.ts";
import { type Handler, json, serve } from "../../shared/http.ts";
import { limitHeaders } from "../../shared/limits.ts";
import { RateCheckRequest, RateCheckResponse } from "./schema.ts";

/** The routes of rate-check. */
export function createHandler(
  deps: Pick<Deps, "env" | "rpc" | "log" | "now">,
): (request: Request) => Promise<Response> {
  return serve("rate-check", [{ method: "POST", path: "/", handle: rateCheck(deps) }], deps);
}

/** Takes from a bucket the caller names, all or nothing. A refusal is an answer, not an error, and costs nothing. */
function rateCheck(deps: Pick<Deps, "env" | "rpc" | "now">): Handler {
  return async (request) => {
    // The bucket is the limit here: the key's own is not spent on counting somebody else's requests.
    const caller = await authorize(request, deps, { allow: ["key", "secret"], scope: "read", cost: 0 });
    const asked = await readJson(request, RateCheckRequest);
    const rate = await deps.rpc.checkRateLimit({
      key: bucket(caller, asked.key),
      maxRequests: asked.max_requests,
      windowSeconds: asked.window_seconds,
      cost: asked.cost,
      blockSeconds: asked.block_seconds,
    }, { signal: request.signal });
    const limit = { name: "bucket", ...rate, window_seconds: asked.window_seconds };
    return json(RateCheckResponse.parse(rate), 200, limitHeaders([limit], deps.now()));
  };
}

// A namespace per caller: no key reaches another key's buckets, the project's, or the product's own counters.
function bucket(caller: Caller, key: string): string {
  return caller.kind === "key" ? `key:${caller.key.key_id}:bucket:${key}` : `project:${key}`;
}
