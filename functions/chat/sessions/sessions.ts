import { authorize, type Caller } from "../../../shared/auth.ts";
import { validate } from "../../../shared/body.ts";
import type { Deps } from "../../../shared/deps.ts";
import { problem } from "../../../shared/errors.ts";
import { type Handler, json, type RouteContext } from "../../../shared/http.ts";
import { reachAgent } from "./agent-access.ts";
import { AgentQuery, MessagesQuery, SessionPath } from "../schema.ts";

type SessionDeps = Pick<Deps, "env" | "rpc" | "rpcAs" | "now">;

/** The messages of a session, oldest first. */
export function readSession(deps: SessionDeps): Handler {
  return async (request, context) => {
    const { caller, sessionId } = await openSession(request, context, deps);
    const query = validate(MessagesQuery, Object.fromEntries(context.url.searchParams));
    const page = await deps.rpc.sessionMessages({
      agentId: await reachAgent(caller, query.agent_id, deps),
      sessionId,
      maxItems: query.limit,
      before: query.before,
      ...(caller.kind === "user" ? { reader: caller.userId } : {}),
    }, { signal: request.signal });
    if (page === null) throw problem("not_found", "Cannot find the session: this agent has none of that id");
    return json(page);
  };
}

/** Forgets a session: messages, summary, memory and context; usage and bill stay. */
export function resetSession(deps: SessionDeps): Handler {
  return async (request, context) => {
    const { caller, sessionId } = await openSession(request, context, deps);
    const { agent_id: named } = validate(AgentQuery, Object.fromEntries(context.url.searchParams));
    // Both raise not_found when there is no such session; as a user also when they may not write it.
    if (caller.kind === "user") {
      await deps.rpcAs(caller.token).resetChatSession({ sessionId, agentId: named });
    } else {
      await deps.rpc.resetChatSession({ sessionId, agentId: await reachAgent(caller, named, deps) });
    }
    return new Response(null, { status: 204 });
  };
}

/**
 * The session of a path and who opens it. A key of scope `read` opens any session of its agent; with `chat` alone the id
 * itself is the capability, so it must be too long to guess.
 */
async function openSession(
  request: Request,
  { params }: RouteContext,
  deps: SessionDeps,
): Promise<{ caller: Caller; sessionId: string }> {
  const caller = await authorize(request, deps, { allow: ["key", "user"], scope: ["chat", "read"] });
  const { session_id: sessionId } = validate(SessionPath, params);
  const mayAny = caller.kind !== "key" || caller.key.scopes.includes("read");
  if (!mayAny && !/^[A-Za-z0-9_-]{20,}$/.test(sessionId)) {
    throw problem(
      "scope_missing",
      "Cannot open this session with this key: its id has not 20 URL-safe characters, so the key needs the scope read",
    );
  }
  return { caller, sessionId };
}
