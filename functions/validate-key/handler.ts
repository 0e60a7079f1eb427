import { parseKey } from "../../shared/api-key.ts";
import { type Credential, readCredential, reportGuess } from "../../shared/auth.ts";
import { readJson } from "../../shared/body.ts";
import type { Deps } from "../../shared/deps.ts";
import { problem } from "../../shared/errors.ts";
import { type Handler, json, serve } from "../../shared/http.ts";
import type { ValidKey } from "../../shared/results.ts";
import { ValidateKeyRequest, ValidKeyResponse } from "./schema.ts";

/** The routes of validate-key. */
export function createHandler(
  deps: Pick<Deps, "env" | "rpc" | "log" | "now">,
): (request: Request) => Promise<Response> {
  return serve("validate-key", [{ method: "POST", path: "/", handle: validateKey(deps) }], deps);
}

/** Says whether a key is good and what it opens; a bad key is an answer, not an error. Spends no limit. */
function validateKey(deps: Pick<Deps, "env" | "rpc" | "now">): Handler {
  return async (request) => {
    const { asked, caller } = await readAsked(request, deps);
    const parsed = parseKey(asked);
    if ("code" in parsed) return json({ valid: false, code: "malformed" });
    const origin = request.headers.get("origin");
    const key = await deps.rpc.validateApiKey({ keyHash: parsed.hash, origin }, { signal: request.signal });
    if (!key.valid) {
      if (key.code === "unknown") await reportGuess(request, deps);
      return json({ valid: false, code: key.code });
    }
    const { system_prompt, ...shown } = key;
    return json(ValidKeyResponse.parse(mayReadPrompt(caller, key) ? { ...shown, system_prompt } : shown));
  };
}

/** The key in question, from a header or the body, and who asks besides: nobody, a user or the project. */
async function readAsked(
  request: Request,
  deps: Pick<Deps, "env">,
): Promise<{ asked: string; caller: Credential | null }> {
  const headers = new Headers(request.headers);
  const given = [];
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.get("authorization") ?? "")?.[1];
  // supabase-js without a session repeats the project's key as its Bearer token.
  if (bearer !== undefined && bearer !== headers.get("apikey") && !namesCaller(bearer)) {
    given.push(bearer);
    headers.delete("authorization");
  }
  const header = headers.get("x-api-key");
  if (header !== null) given.push(header);
  headers.delete("x-api-key");
  // The key is what is asked about; whoever asks must still be who they say they are.
  const caller = await readCredential(new Request(request.url, { headers }), deps);
  const { key } = await readJson(request, ValidateKeyRequest, { optional: true });
  if (key !== undefined) given.push(key);
  const [asked, ...others] = new Set(given);
  if (asked === undefined) {
    throw problem(
      "missing_credential",
      "Cannot validate a key: send one as Bearer, as x-api-key or as key in the body",
    );
  }
  if (others.length > 0) throw problem("invalid_credential", "Cannot validate several keys: send one");
  return { asked, caller };
}

/** Whether a token is to say who asks (JWT, CLI token, project key); any other is the key in question, however wrong. */
function namesCaller(token: string): boolean {
  return /^(?:eyJ|ct_|sb_)|^[^.]+\.[^.]+\.[^.]+$/.test(token);
}

function mayReadPrompt(caller: Credential | null, key: ValidKey): boolean {
  return caller?.kind === "secret" || (caller?.kind === "user" && caller.userId === key.owner_id);
}
