/** Every code an answer can carry, with its HTTP status and a title that never changes (RFC 9457, section 3.1.3). */
export const codes = {
  malformed_json: [400, "The body is not JSON"],
  bad_signature: [400, "The signature does not fit"],
  missing_credential: [401, "A credential is needed"],
  invalid_credential: [401, "The credential is not valid"],
  key_malformed: [401, "The API key is malformed"],
  key_unknown: [401, "The API key is unknown"],
  key_revoked: [401, "The API key is revoked"],
  key_expired: [401, "The API key has expired"],
  scope_missing: [403, "The API key lacks a scope"],
  origin_not_allowed: [403, "The origin is not allowed"],
  agent_inactive: [403, "The agent is not active"],
  forbidden: [403, "The caller may not do this"],
  not_found: [404, "Not found"],
  method_not_allowed: [405, "The method is not allowed"],
  turn_in_progress: [409, "A turn of this session is in progress"],
  session_full: [409, "The session is full"],
  conflict: [409, "The state does not allow this"],
  body_too_large: [413, "The body is too large"],
  unsupported_media_type: [415, "The media type is not supported"],
  validation_failed: [422, "The request is not valid"],
  idempotency_mismatch: [422, "The idempotency key was used for another body"],
  unsupported_parameter: [422, "A parameter is not supported"],
  rate_limited: [429, "Too many requests"],
  quota_exceeded: [429, "A quota is used up"],
  internal: [500, "Internal error"],
  provider_failed: [502, "The model provider failed"],
  kill_switch: [503, "Answering is switched off"],
  provider_not_configured: [503, "The model provider is not configured"],
  unavailable: [503, "Temporarily unavailable"],
  provider_timeout: [504, "The model provider took too long"],
} as const satisfies Record<string, readonly [number, string]>;

/** One of the contract's error codes. */
export type Code = keyof typeof codes;

/** Whether a text, such as a database error's message, is one of the contract's codes. */
export function isCode(text: string): text is Code {
  return Object.hasOwn(codes, text);
}

/** What a problem may carry besides its code and detail. */
export interface ProblemExtras {
  /** Further members of the body, such as `errors` or `retry_after` (whole seconds, also sent as Retry-After). */
  members?: Record<string, unknown>;
  /** Further response headers. */
  headers?: Record<string, string>;
  /** What caused it, for the log only. */
  cause?: unknown;
}

/** An outcome that ends a request: thrown anywhere, turned into a response at the boundary alone. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  readonly title: string;
  readonly members: Record<string, unknown>;
  readonly headers: Record<string, string>;

  constructor(readonly code: Code, readonly detail: string, extras: ProblemExtras = {}) {
    super(`${code}: ${detail}`, { cause: extras.cause });
    [this.status, this.title] = codes[code];
    this.members = extras.members ?? {};
    this.headers = { ...standingHeaders(code, this.members), ...extras.headers };
  }

  /** The body of RFC 9457; a 5xx tells nothing but the request id. */
  body(requestId: string): Record<string, unknown> {
    const told = this.status < 500;
    return {
      ...(told ? this.members : retryAfterOnly(this.members)),
      type: `urn:parley:${this.code}`,
      title: this.title,
      status: this.status,
      detail: told ? this.detail : `Cannot answer request ${requestId}: its log entry says why`,
      code: this.code,
      request_id: requestId,
    };
  }
}

/** A problem to throw: `throw problem("not_found", "Cannot find document …")`. */
export function problem(code: Code, detail: string, extras?: ProblemExtras): Problem {
  return new Problem(code, detail, extras);
}

/** What was thrown, as the problem to tell. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return problem("internal", "Cannot answer: an unexpected error", { cause: error });
}

// Headers that belong to a code wherever it is thrown, so that no caller can forget them.
function standingHeaders(code: Code, members: Record<string, unknown>): Record<string, string> {
  const headers: Record<string, string> = {};
  if (codes[code][0] === 401) headers["www-authenticate"] = "Bearer";
  // Waiting changes nothing, and SDKs try a 409 or 429 again.
  if (code === "quota_exceeded" || code === "session_full") headers["x-should-retry"] = "false";
  if (typeof members.retry_after === "number") headers["retry-after"] = String(members.retry_after);
  return headers;
}

function retryAfterOnly(members: Record<string, unknown>): Record<string, unknown> {
  return "retry_after" in members ? { retry_after: members.retry_after } : {};
}
