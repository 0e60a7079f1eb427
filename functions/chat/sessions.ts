import { authorize } from "../../shared/auth.ts";
import { validate } from "../../shared/body.ts";
import type { Deps } from "../../shared/deps.ts";
import { problem } from "../../shared/errors.ts";
import { type Handler, json, type RouteContext } from "../../shared/http.ts";
import { MessagesQuery, SessionPath } from "./schema.ts";

type SessionDeps = Pick<Deps, "env" | "rpc" | "now">;

/** The messages of a session, oldest first. */
export function readSession(deps: SessionDeps): Handler {
  return async (request, context) => {
    const { agentId, sessionId } = await openSession(request, context, deps);
    const query = validate(MessagesQuery, Object.fromEntries(context.url.searchParams));
    const page = await deps.rpc.sessionMessages({
      agentId,
      sessionId,
      maxItems: query.limit,
      before: query.before,
    }, { signal: request.signal });
    if (page === null) throw problem("not_found", "Cannot find the session: this agent has none of that id");
    return json(page);
  };
}

/** Forgets a session: messages, summary, memory and context; usage and bill stay. */
export function resetSession(deps: SessionDeps): Handler {
  return async (request, context) => {
    const { agentId, sessionId } = await openSession(request, context, deps);
    // Raises not_found when this agent has no such session.
    await deps.rpc.resetChatSession({ sessionId, agentId });
    return new Response(null, { status: 204 });
  };
}

interface OpenSession {
  agentId: string;
  sessionId: string;
}

/**
 * The session of a path, if the key may open it. A key of scope `read` opens any session of its agent; with `chat` alone
 * the id itself is the capability, so it must be too long to guess.
 */
async function openSession(
  request: Request,
  { params }: RouteContext,
  deps: SessionDeps,
): Promise<OpenSession> {
  const caller = await authorize(request, deps, { allow: ["key"], scope: ["chat", "read"] });
  if (caller.kind !== "key") throw problem("forbidden", "Cannot open a session with this credential");
  const { session_id: sessionId } = validate(SessionPath, params);
  const { scopes, agent_id: agentId } = caller.key;
  if (!scopes.includes("read") && !/^[A-Za-z0-9_-]{20,}$/.test(sessionId)) {
    throw problem(
      "scope_missing",
      "Cannot open this session with this key: its id has not 20 URL-safe characters, so the key needs the scope read",
    );
  }
  return { agentId, sessionId };
}
