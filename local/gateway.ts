import type { MountedFunction } from "./functions.ts";
import type { RestServer } from "./rest.ts";
import type { Tokens } from "./tokens.ts";

/** What the gateway leads to. */
export interface Upstreams {
  rest: RestServer;
  functions: Map<string, MountedFunction>;
  tokens: Pick<Tokens, "withKeyId">;
}

/** Answers one request of the stack's port. */
export type Gateway = (request: Request, info: Deno.ServeHandlerInfo<Deno.NetAddr>) => Promise<Response>;

/** Does what the gateway of a hosted project does in front of REST, Auth and the functions. */
export function createGateway({ rest, functions, tokens }: Upstreams): Gateway {
  return async (request, info) => {
    const url = new URL(request.url);
    const peer = info.remoteAddr.hostname;
    if (/^\/(rest|auth)\/v1(\/|$)/.test(url.pathname)) return await rest(request, peer);
    const [, name, path] = /^\/functions\/v1\/([^/]+)(.*)$/.exec(url.pathname) ?? [];
    const mounted = name === undefined ? undefined : functions.get(name);
    if (!mounted) return notFound(name);
    url.pathname = `/${name}${path}`;
    // Built from the request itself, so that the signal of a leaving client arrives.
    const inner = new Request(url, request);
    // Only this server knows the caller's address: what the caller says about it is dropped.
    for (const header of forwarded) inner.headers.delete(header);
    inner.headers.set("x-forwarded-for", peer);
    await giveKeyId(inner, tokens);
    return await mounted(inner);
  };
}

const forwarded = ["cf-connecting-ip", "x-forwarded-for", "x-real-ip", "forwarded", "true-client-ip"];

/** The functions accept tokens that name their key, as a hosted project's do; the embedded Auth server names none. */
async function giveKeyId(request: Request, tokens: Upstreams["tokens"]): Promise<void> {
  const token = /^Bearer (eyJ\S+)$/.exec(request.headers.get("authorization") ?? "")?.[1];
  if (token) request.headers.set("authorization", `Bearer ${await tokens.withKeyId(token)}`);
}

function notFound(name: string | undefined): Response {
  const message = name === undefined
    ? "There is nothing at this path"
    : `Requested function was not found: ${name}`;
  return Response.json({ code: "NOT_FOUND", message }, {
    status: 404,
    headers: { "access-control-allow-origin": "*" },
  });
}
