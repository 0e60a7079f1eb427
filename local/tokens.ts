import { base64url, jwtVerify, SignJWT } from "jose";

/** What the local gateway does to user tokens so that they look like a hosted project's. */
export interface Tokens {
  /** The public side of the signing key, as `SUPABASE_JWKS`. */
  jwks: { keys: Record<string, string>[] };
  /** The same token with further claims; for tokens that the Auth server has just issued. */
  withClaims(token: string, claims: Record<string, unknown>): Promise<string>;
  /** The same token signed with a `kid`; a token that is not valid comes back as it was. */
  withKeyId(token: string): Promise<string>;
  /** A token of a user that expires within a minute, for the server's own calls. */
  forUser(id: string): Promise<string>;
}

const kid = "local";

/** Tokens signed with the installation's secret by HS256, the one algorithm of the embedded Auth server. */
export function createTokens(secret: string): Tokens {
  const key = new TextEncoder().encode(secret);
  const sign = (claims: Record<string, unknown>, header: { kid?: string } = {}) =>
    new SignJWT(claims).setProtectedHeader({ alg: "HS256", typ: "JWT", ...header }).sign(key);
  const read = async (token: string) => (await jwtVerify(token, key, { algorithms: ["HS256"] })).payload;
  return {
    jwks: { keys: [{ kty: "oct", alg: "HS256", use: "sig", kid, k: base64url.encode(key) }] },
    withClaims: async (token, claims) => sign({ ...await read(token), ...claims }),
    async withKeyId(token) {
      try {
        return await sign(await read(token), { kid });
      } catch {
        // Expired, forged or no JWT at all: the function is to see it and to refuse it.
        return token;
      }
    },
    forUser: (id) => {
      const now = Math.floor(Date.now() / 1000);
      return sign({ sub: id, role: "authenticated", aud: "authenticated", iat: now, exp: now + 60 });
    },
  };
}
