/** A place in a distributed trace (W3C Trace Context, level 1): this service's own span, below the caller's if it named one. */
export interface TraceContext {
  traceId: string;
  spanId: string;
  /** The caller's span; null when the trace begins here. */
  parentId: string | null;
  /** Two hex digits; 01 means that the trace is recorded. */
  flags: string;
  /** What the vendors on the way wrote down, passed on as it came. */
  state: string | null;
}

/** Continues the trace of a request; begins a new one when its `traceparent` is missing or not valid. */
export function continueTrace(headers: Headers): TraceContext {
  const spanId = hex(8);
  const parent = parseParent(headers.get("traceparent")?.trim() ?? "");
  // A state belongs to its parent: without that one it says nothing (section 3.3).
  if (!parent) return { traceId: hex(16), spanId, parentId: null, flags: "01", state: null };
  return { ...parent, spanId, state: parseState(headers.get("tracestate")) };
}

/** The headers that pass a trace on, this service's span as the parent. */
export function traceHeaders({ traceId, spanId, flags, state }: TraceContext): Record<string, string> {
  return {
    traceparent: `00-${traceId}-${spanId}-${flags}`,
    ...(state === null ? {} : { tracestate: state }),
  };
}

function parseParent(text: string): Pick<TraceContext, "traceId" | "parentId" | "flags"> | null {
  const [, version, traceId = "", parentId = "", flags = "", more] =
    /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/.exec(text) ?? [];
  // Later versions may add to the end, this one may not; ff is none, and zeros are no ids.
  if (version === undefined || version === "ff" || (version === "00" && more !== undefined)) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return null;
  // Only the two lowest bits have a meaning: recorded, and that the id is random.
  return { traceId, parentId, flags: (parseInt(flags, 16) & 3).toString(16).padStart(2, "0") };
}

const member = /^[a-z\d][\w\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

function parseState(text: string | null): string | null {
  const members = (text ?? "").split(",").map((part) => part.trim()).filter((part) => part !== "");
  const isValid = members.length > 0 && members.length <= 32 && members.every((part) => member.test(part));
  return isValid ? members.join(",") : null;
}

function hex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
