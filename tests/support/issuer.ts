import { SignJWT } from "jose";
import { type Env, readEnv } from "../../shared/env.ts";

const secret = new TextEncoder().encode("a signing secret of the tests, at least 32 bytes long");

/** An environment of its own, without any provider; `SUPABASE_JWKS` verifies what `signToken` signs. */
export function testEnv(overrides: Record<string, string> = {}): Env {
  const variables: Record<string, string> = {
    SUPABASE_URL: "http://127.0.0.1:1",
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: "sb_publishable_test" }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: "sb_secret_test", jobs: "sb_secret_jobs" }),
    SUPABASE_JWKS: JSON.stringify({
      keys: [{ kty: "oct", alg: "HS256", kid: "test", k: base64url(secret) }],
    }),
    ...overrides,
  };
  return readEnv({ get: (name) => variables[name] });
}

/** A user's token as the project's Auth signs it; `claims` override the usual ones. */
export async function signToken(
  userId: string,
  { claims = {}, expires = "1h", kid = "test", key = secret }: {
    claims?: Record<string, unknown>;
    expires?: string | number;
    kid?: string;
    key?: Uint8Array;
  } = {},
): Promise<string> {
  return await new SignJWT({ role: "authenticated", aud: "authenticated", ...claims })
    .setProtectedHeader({ alg: "HS256", typ: "JWT", kid })
    .setSubject(userId).setIssuedAt().setExpirationTime(expires).sign(key);
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_");
}
