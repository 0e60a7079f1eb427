import { z } from "zod";
import { authorizeUser } from "../../shared/auth.ts";
import { readJson } from "../../shared/body.ts";
import type { Deps } from "../../shared/deps.ts";
import { firstOf, keyedHashes, seal } from "../../shared/envelope.ts";
import { problem } from "../../shared/errors.ts";
import { type Handler, json, serve } from "../../shared/http.ts";
import { maskKey } from "./mask.ts";
import { ProviderKeyRequest, ProviderKeyResponse } from "./schema.ts";

type Needed = Pick<Deps, "env" | "log" | "rpc" | "rpcAs">;

/** The routes of provider-keys. */
export function createHandler(deps: Needed): (request: Request) => Promise<Response> {
  return serve("provider-keys", [
    { method: "PUT", path: "/", handle: storeKey(deps) },
    { method: "GET", path: "/", handle: listKeys(deps) },
    { method: "DELETE", path: "/:id", handle: deleteKey(deps) },
  ], deps);
}

/** Keeps a key, encrypted before it leaves this process; the same key again takes the new metadata. */
function storeKey(deps: Needed): Handler {
  return async (request) => {
    const { userId } = await authorizeUser(request, deps);
    const { provider, api_key, metadata } = await readJson(request, ProviderKeyRequest);
    const { PROVIDER_KEY_SECRETS: secrets } = deps.env;
    if (!secrets) {
      throw problem("provider_not_configured", "Cannot keep a key: PROVIDER_KEY_SECRETS is not set");
    }
    // The row is part of what is encrypted, so its id is made here.
    const binding = { id: crypto.randomUUID(), userId, provider };
    const stored = await deps.rpc.storeProviderKey({
      ...binding,
      ciphertext: await seal(api_key, binding, secrets),
      secretId: firstOf(secrets).id,
      keyHashes: await keyedHashes(api_key, binding, secrets),
      maskedKey: maskKey(api_key),
      metadata,
    }, { signal: request.signal });
    return json(ProviderKeyResponse.parse(stored));
  };
}

/** The caller's keys, oldest first. */
function listKeys(deps: Needed): Handler {
  return async (request) => {
    const { token } = await authorizeUser(request, deps);
    const keys = await deps.rpcAs(token).providerKeys({ signal: request.signal });
    return json(z.array(ProviderKeyResponse).parse(keys));
  };
}

/** Deletes a key of the caller; agents that used it have none then. */
function deleteKey(deps: Needed): Handler {
  return async (request, { params }) => {
    const { token } = await authorizeUser(request, deps);
    const id = z.guid().safeParse(params.id);
    if (!id.success || !await deps.rpcAs(token).deleteProviderKey({ id: id.data })) {
      throw problem("not_found", "Cannot find this provider key");
    }
    return new Response(null, { status: 204 });
  };
}
