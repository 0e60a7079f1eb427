import { App } from "@supabase/lite";
import type { LocalDatabase } from "./database.ts";
import type { ProjectKeys } from "./keys.ts";
import { quietConsole, quietly } from "./quiet.ts";
import type { Tokens } from "./tokens.ts";

/** Serves `/rest/v1` and `/auth/v1`; `peer` is the address at the other end of the connection. */
export type RestServer = (request: Request, peer: string) => Promise<Response>;

/** What the server is built on. */
export interface RestOptions {
  database: LocalDatabase;
  keys: ProjectKeys;
  tokens: Tokens;
  /** Where links in mails lead. */
  siteUrl: string;
}

/** The REST and Auth server of the stack on its database; every request needs one of the project's keys. */
export function createRest({ database, keys, tokens, siteUrl }: RestOptions): RestServer {
  quietConsole();
  const app = new App({
    connection: database.connection,
    api: { schemas: ["public"] },
    auth: {
      enabled: true,
      publishable_key: keys.publishableKey,
      secret_key: keys.secretKey,
      jwt_secret: keys.jwtSecret,
      site_url: siteUrl,
      minimum_password_length: 8,
      // There is no mail server here: an account counts as confirmed.
      email: { enable_confirmations: false },
    },
    studio: { enabled: false },
    options: { server: { admin: false, disableStudio: true } },
  });
  return async (request, peer) => {
    const path = new URL(request.url).pathname;
    const response = await quietly(() => app.fetch(request, { peerAddress: peer }));
    return issuesToken.test(path) && response.ok ? completeSession(response, tokens) : response;
  };
}

const issuesToken = /^\/auth\/v1\/(signup|token|verify)$/;

/** Adds the claims that a hosted project puts into a token and the embedded Auth server leaves out. */
async function completeSession(response: Response, tokens: Tokens): Promise<Response> {
  if (!response.headers.get("content-type")?.includes("json")) return response;
  const session = await response.json();
  if (typeof session?.access_token === "string" && session.user) {
    const { app_metadata, user_metadata, is_anonymous } = session.user;
    session.access_token = await tokens.withClaims(session.access_token, {
      app_metadata: app_metadata ?? {},
      user_metadata: user_metadata ?? {},
      is_anonymous: is_anonymous ?? false,
    });
  }
  const headers = new Headers(response.headers);
  headers.delete("content-length");
  return new Response(JSON.stringify(session), { status: response.status, headers });
}
