import { retryAfterMs } from "../../../shared/retry.ts";
import type { ModelEnd } from "./model-stream.ts";

/** What went wrong with a call before anything of its answer was passed on. */
export interface ProviderFault {
  /** The provider's HTTP status, if it answered with one. */
  status: number | null;
  /** A short name for the record: the status, the provider's own name for it, `timeout` or `connection`. */
  name: string;
  /** Whether it may go well the next time: too many calls, a provider that is down, a broken connection, silence. */
  isOutage: boolean;
  /** The wait that the provider asks for, in milliseconds; 0 when it asks for none. */
  retryAfterMs: number;
}

// Errors of the AI SDK and of the own wire name these alike; what a provider sends in its stream may be no error at all.
interface Reported {
  statusCode?: unknown;
  code?: unknown;
  responseHeaders?: Record<string, string>;
}

/** The fault of a call that failed. A request that the provider refuses (400, 401, 403, 404 …) is no outage. */
export function faultOf({ code, cause }: Extract<ModelEnd, { kind: "failed" }>, now: Date): ProviderFault {
  if (code === "provider_timeout") {
    return { status: null, name: "timeout", isOutage: true, retryAfterMs: 0 };
  }
  const { statusCode, code: reported, responseHeaders = {} }: Reported = Object(cause);
  const status = typeof statusCode === "number" ? statusCode : null;
  return {
    status,
    name: String(status ?? (typeof reported === "string" ? reported : "connection")).slice(0, 64),
    isOutage: status === null ? !isOurs(cause) : status === 408 || status === 429 || status >= 500,
    retryAfterMs: retryAfterMs({ get: (name) => responseHeaders[name] ?? null }, now),
  };
}

/** Whether it was thrown on this side, before or without a word of the provider: calling again would change nothing. */
function isOurs(cause: unknown): boolean {
  return cause instanceof TypeError || (cause instanceof Error && cause.name === "RefusedAddress");
}
