import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import { type Env, ownKey } from "./env.ts";
import { type Code, isCode, problem } from "./errors.ts";

/** A client of the project's own gateway that keeps no session; one per key serves the whole process. */
export function createProjectClient(env: Env, key: "secret" | "publishable"): SupabaseClient {
  const keys = key === "secret" ? env.SUPABASE_SECRET_KEYS : env.SUPABASE_PUBLISHABLE_KEYS;
  return createClient(env.SUPABASE_URL, ownKey(keys), {
    // An access token of one's own, though null, spares the Auth client with its timers and storage.
    accessToken: () => Promise.resolve(null),
  });
}

/** A database error that is nobody's outcome but a fault of ours. */
export class DatabaseError extends Error {
  override readonly name = "DatabaseError";
  constructor(message: string, readonly sqlstate?: string) {
    super(message);
  }
}

interface Reported {
  message: string;
  details?: string | null;
  code?: string;
}

/** What a call takes besides its arguments. */
export interface CallOptions {
  signal?: AbortSignal;
}

// A call that a stuck database would hold for longer than PostgREST itself allows is given up.
const timeoutMs = 8000;

interface Query extends PromiseLike<Answer> {
  abortSignal(signal: AbortSignal): this;
  setHeader(name: string, value: string): this;
}

interface Answer {
  data: unknown;
  error: { message: string; details?: string | null; code?: string } | null;
  status: number;
}

/** Runs one query and parses its result; throws what `failure` says, or the reason of `signal`. */
export async function run<T extends z.ZodType>(
  name: string,
  query: Query,
  headers: Record<string, string>,
  result: T,
  { signal }: CallOptions = {},
): Promise<z.infer<T>> {
  signal?.throwIfAborted();
  const own = new AbortController();
  const timer = setTimeout(() => own.abort(), timeoutMs);
  try {
    for (const [header, value] of Object.entries(headers)) query.setHeader(header, value);
    const { data, error, status } = await query.abortSignal(
      signal ? AbortSignal.any([signal, own.signal]) : own.signal,
    );
    if (error) {
      signal?.throwIfAborted();
      throw failure(name, error, status);
    }
    const parsed = result.safeParse(data);
    if (parsed.success) return parsed.data;
    const paths = parsed.error.issues.map((issue) => `${issue.path.join(".")} (${issue.code})`).join(", ");
    throw new DatabaseError(`Cannot read the result of ${name}: ${paths}`);
  } finally {
    clearTimeout(timer);
  }
}

/** What to throw for a failed call: the caller's fault (PT4xx) or an outage as a `Problem`, the rest as a fault. */
export function failure(name: string, error: Reported, status: number): Error {
  const sqlstate = error.code ?? "";
  const refused = /^PT(4\d\d)$/.exec(sqlstate);
  if (refused) {
    const code = isCode(error.message) ? error.message : codeOf[refused[1]!] ?? "validation_failed";
    return problem(code, error.details || `Cannot run ${name}: ${code}`);
  }
  // What comes after a colon in PostgreSQL's message, and its detail and hint, can quote a caller's data.
  const cause = new DatabaseError(
    `Cannot run ${name}: ${error.message.split(":")[0]}`,
    sqlstate || String(status),
  );
  if (isOutage(sqlstate, status)) return problem("unavailable", `Cannot run ${name}`, { cause });
  if (sqlstate === "PGRST301" || sqlstate === "PGRST303") {
    return problem("invalid_credential", "Cannot accept the token: it is not valid any more", { cause });
  }
  return cause;
}

const codeOf: Record<string, Code> = {
  401: "invalid_credential",
  403: "forbidden",
  404: "not_found",
  409: "conflict",
  422: "validation_failed",
  429: "quota_exceeded",
};

// No answer, a connection failure (class 08), resources or limits (53), shutdown (57P), cancelled by the statement
// timeout (57014), a lock or serialization given up (55P03, 40xxx), and PostgREST without its database.
function isOutage(sqlstate: string, status: number): boolean {
  return status === 0 || /^(08|53|57|40)|^55P03$|^PGRST00\d$/.test(sqlstate) ||
    (status >= 500 && sqlstate === "") ||
    [502, 503, 504].includes(status);
}
