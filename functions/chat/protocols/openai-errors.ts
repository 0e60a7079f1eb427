import type { Problem } from "../../../shared/errors.ts";
import type { ErrorFormat } from "../../../shared/http.ts";

/** An error as OpenAI's API tells it. */
export interface OpenAIError {
  error: { message: string; type: string; code: string; param: string | null };
}

/** The errors of the OpenAI routes. */
export const openaiErrors: ErrorFormat = { type: "application/json", body: openaiError };

/** A problem in OpenAI's form; `param` is the member of the request that is wrong, when it is one. */
export function openaiError(problem: Problem, requestId: string): OpenAIError {
  const message = messageOf(problem.body(requestId));
  return { error: { message, type: typeOf(problem), code: problem.code, param: paramOf(problem) } };
}

/** OpenAI's errors have no list of faults, so the message holds them. */
function messageOf({ detail, errors }: Record<string, unknown>): string {
  if (!Array.isArray(errors)) return String(detail);
  const faults = errors.map(({ path, message }) => `${paramOfPath(String(path)) || "the body"} ${message}`);
  return `Cannot accept the request: ${faults.join("; ")}`;
}

function typeOf({ code, status }: Problem): string {
  if (code === "quota_exceeded") return "insufficient_quota";
  if (status === 401) return "authentication_error";
  if (status === 403) return "permission_error";
  if (status === 429) return "rate_limit_error";
  if (status === 503) return "service_unavailable_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

function paramOf({ members }: Problem): string | null {
  if (typeof members.param === "string") return members.param;
  const [first] = Array.isArray(members.errors) ? members.errors : [];
  return typeof first?.path === "string" && first.path !== "" ? paramOfPath(first.path) : null;
}

/** OpenAI writes `messages[0].content` where a path has `messages.0.content`. */
export function paramOfPath(path: string): string {
  return path.replaceAll(/\.(\d+)(?=\.|$)/g, "[$1]");
}
