import { verifyCredentials } from "@supabase/server/core";
import { addressHash } from "./address.ts";
import { looksLikeKey, parseKey } from "./api-key.ts";
import type { Deps } from "./deps.ts";
import type { Env } from "./env.ts";
import { problem } from "./errors.ts";
import { reportIncident } from "./incidents.ts";
import { type Limit, noteLimits, rateLimited } from "./limits.ts";
import type { ValidKey } from "./results.ts";

/** A credential whose form and signature are right; a key's hash is not looked up yet. */
export type Credential =
  | { kind: "key"; hash: string }
  | { kind: "user"; userId: string; token: string; isAdmin: boolean }
  | { kind: "secret" };

/** A caller who may use the route. */
export type Caller =
  | { kind: "key"; hash: string; key: ValidKey }
  | { kind: "user"; userId: string; token: string; isAdmin: boolean }
  | { kind: "secret" };

/** What a key may be for. */
export type Scope = "chat" | "ingest" | "read";

/** What a route asks of its caller. */
export interface Demand {
  /** The kinds of credential it takes. */
  allow: readonly Credential["kind"][];
  /** The scope a key must have, or several of which one suffices. */
  scope?: Scope | readonly Scope[];
  /** What the call takes from a key's requests per minute; 0 takes and checks nothing. */
  cost?: number;
}

/**
 * Reads the one credential of a request without asking the database. Null when there is none; what is there and
 * wrong throws, as do two different ones, of which nobody could say which counts.
 */
export async function readCredential(request: Request, deps: Pick<Deps, "env">): Promise<Credential | null> {
  const apikey = request.headers.get("apikey");
  const project = apikey === null ? null : await projectKey(apikey, deps.env);
  const bearer = bearerOf(request);
  // supabase-js without a session repeats the project's key as its Bearer token.
  const token = bearer !== null && bearer === apikey ? null : bearer;
  const header = request.headers.get("x-api-key");
  const found: Credential[] = [];
  if (project === "secret") found.push({ kind: "secret" });
  if (header !== null) found.push(agentKey(header));
  if (token !== null && !(looksLikeKey(token) && token === header)) {
    found.push(looksLikeKey(token) ? agentKey(token) : await user(token, deps.env));
  }
  if (found.length > 1) {
    throw problem("invalid_credential", "Cannot tell who is calling: send one credential, not several");
  }
  return found[0] ?? null;
}

/** The caller of a request, or the problem that says why not; spends a key's limit by `cost`. */
export async function authorize(
  request: Request,
  deps: Pick<Deps, "env" | "rpc" | "now">,
  { allow, scope, cost = 1 }: Demand,
): Promise<Caller> {
  const credential = await readCredential(request, deps);
  if (credential === null) throw missing(allow);
  if (!allow.includes(credential.kind)) throw unfit(allow);
  if (credential.kind !== "key") return credential;
  const origin = request.headers.get("origin");
  const key = await deps.rpc.validateApiKey({ keyHash: credential.hash, origin, cost }, {
    signal: request.signal,
  });
  if (!key.valid) {
    if (key.code === "unknown") await reportGuess(request, deps);
    throw refusal(key.code);
  }
  const limits = key.rate ? [keyLimit(key.rate)] : [];
  noteLimits(request, limits, deps.now());
  const scopes = [scope ?? []].flat();
  if (scopes.length > 0 && !scopes.some((each) => key.scopes.includes(each))) {
    throw problem(
      "scope_missing",
      `Cannot use this route with this key: it needs the scope ${scopes.join(" or ")}`,
    );
  }
  if (key.rate && !key.rate.allowed) {
    const { key_id, agent_id } = key;
    await reportIncident(deps, {
      kind: "rate_limit",
      severity: "low",
      subject: `key:${key_id}`,
      agentId: agent_id,
    });
    throw rateLimited(limits, key.rate.retry_after, deps.now());
  }
  return { kind: "key", hash: credential.hash, key };
}

/** The user who calls, where nobody else may. */
export async function authorizeUser(
  request: Request,
  deps: Pick<Deps, "env">,
): Promise<Extract<Caller, { kind: "user" }>> {
  const credential = await readCredential(request, deps);
  if (credential === null) throw missing(["user"]);
  if (credential.kind !== "user") throw unfit(["user"]);
  return credential;
}

/** Reports that somebody tried a key that does not exist although its checksum fits: it was made up with care. */
export async function reportGuess(request: Request, deps: Pick<Deps, "env" | "rpc" | "now">): Promise<void> {
  const address = await addressHash(request, deps.env);
  await reportIncident(deps, {
    kind: "key_guessing",
    severity: "medium",
    subject: `address:${address ?? "unknown"}`,
    addressHash: address,
  });
}

/** The problem for a key that the database does not let in. */
export function refusal(
  code: "unknown" | "revoked" | "expired" | "agent_inactive" | "origin_not_allowed",
): Error {
  switch (code) {
    case "agent_inactive":
      return problem(code, "Cannot use this key: its agent is switched off");
    case "origin_not_allowed":
      return problem(code, "Cannot use this key from this origin: it is not among the key's allowed origins");
    default:
      return problem(`key_${code}`, `Cannot use this key: it is ${code}`);
  }
}

/** The problem for a request without a credential. */
export function missing(allow: readonly Credential["kind"][]): Error {
  return problem(
    "missing_credential",
    `Cannot serve the request without a credential: send ${describe(allow)}`,
  );
}

function unfit(allow: readonly Credential["kind"][]): Error {
  return problem("forbidden", `Cannot use this route with this credential: it takes ${describe(allow)}`);
}

const names = {
  key: "an agent API key as Bearer or x-api-key",
  user: "a user's JWT as Bearer",
  secret: "a project secret key as apikey",
};

function describe(allow: readonly Credential["kind"][]): string {
  return allow.map((kind) => names[kind]).join(", or ");
}

function bearerOf(request: Request): string | null {
  const header = request.headers.get("authorization");
  if (header === null) return null;
  const token = /^Bearer +(\S+) *$/i.exec(header)?.[1];
  if (token === undefined) {
    throw problem(
      "invalid_credential",
      "Cannot read the Authorization header: it must be Bearer and one token",
    );
  }
  return token;
}

function agentKey(text: string): Credential {
  const parsed = parseKey(text);
  if ("code" in parsed) throw problem(parsed.code, "Cannot use this key: its form or checksum is wrong");
  return { kind: "key", hash: parsed.hash };
}

async function projectKey(apikey: string, env: Env): Promise<"secret" | "publishable"> {
  // Compares in constant time with every key of the project.
  const { data, error } = await verify({ token: null, apikey }, ["secret:*", "publishable:*"], env);
  if (error) {
    throw problem("invalid_credential", "Cannot accept the apikey header: it is no key of this project");
  }
  return data.authMode === "secret" ? "secret" : "publishable";
}

async function user(token: string, env: Env): Promise<Credential> {
  const { data, error } = await verify({ token, apikey: null }, ["user"], env);
  if (error && error.status >= 500) {
    throw problem("unavailable", "Cannot verify the token: the signing keys are not at hand", {
      cause: error,
    });
  }
  const claims = data?.userClaims;
  if (!claims || claims.role !== "authenticated") {
    throw problem("invalid_credential", "Cannot accept the token: it is no valid token of a user");
  }
  return { kind: "user", userId: claims.id, token, isAdmin: claims.appMetadata?.role === "admin" };
}

function verify(
  credentials: { token: string | null; apikey: string | null },
  auth: ("user" | "secret:*" | "publishable:*")[],
  env: Env,
) {
  return verifyCredentials(credentials, {
    auth,
    env: {
      url: env.SUPABASE_URL,
      publishableKeys: env.SUPABASE_PUBLISHABLE_KEYS,
      secretKeys: env.SUPABASE_SECRET_KEYS,
      ...(env.SUPABASE_JWKS ? { jwks: env.SUPABASE_JWKS } : {}),
    },
  });
}

function keyLimit(rate: NonNullable<ValidKey["rate"]>): Limit {
  return {
    name: "key",
    limit: rate.limit,
    remaining: rate.remaining,
    reset_at: rate.reset_at,
    window_seconds: 60,
  };
}
