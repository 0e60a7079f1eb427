import { isPublicAddress } from "./public-address.ts";

/** An address that this server does not call for a user. */
export class RefusedAddress extends Error {
  override readonly name = "RefusedAddress";
}

/** How a guarded fetch reaches the world; tests bring their own. */
export interface OutboundOptions {
  /** Every address of a name, in any order; empty when it has none. */
  resolve?: (name: string, signal?: AbortSignal) => Promise<string[]>;
  /** Calls an address that may be called. */
  connect?: typeof fetch;
}

const MOST_REDIRECTS = 3;
// Names that a machine or its network resolves by itself, whatever DNS says.
const LOCAL_NAME = /^[^.]*$|(^|\.)(localhost|local|internal|home\.arpa)$/;

/** Why a URL that a user gave may not be called, as far as it tells by itself; null when nothing speaks against it. */
export function faultOfUrl(url: URL): string | null {
  if (url.protocol !== "https:") return "must begin with https://";
  if (url.username !== "" || url.password !== "") return "must not hold a name or password";
  const host = hostOf(url);
  const isFine = isLiteral(host) ? isPublicAddress(host) : !LOCAL_NAME.test(host);
  return isFine ? null : "must be a public address";
}

/**
 * A `fetch` for URLs that users gave: https only, to public addresses only, whatever name they have. URL, every DNS
 * answer and every redirect (3 at most) are checked; elsewhere than refused it behaves like `fetch`, and throws
 * `RefusedAddress`.
 *
 * Between this look-up and the one of the connection a name can change. It leads nowhere: the server it then names has to
 * prove by its certificate that it is the one the user gave, before anything is sent.
 */
export function createGuardedFetch(
  { resolve = resolveName, connect = fetch }: OutboundOptions = {},
): typeof fetch {
  return async (input, init = {}) => {
    if (input instanceof Request) throw new TypeError("Cannot call a Request: give its URL and its init");
    let url = new URL(input);
    for (let hop = 0;; hop++) {
      await requirePublic(url, resolve, init.signal ?? undefined);
      const response = await connect(url.href, { ...init, redirect: "manual" });
      const location = isRedirect(response.status) ? response.headers.get("location") : null;
      if (location === null) return response;
      await response.body?.cancel();
      if (hop === MOST_REDIRECTS || !URL.canParse(location, url)) {
        throw new RefusedAddress(`Cannot follow a redirect of ${url.hostname}: it leads nowhere`);
      }
      const next = new URL(location, url);
      init = redirected(init, response.status, next.origin === url.origin);
      url = next;
    }
  };
}

async function requirePublic(
  url: URL,
  resolve: NonNullable<OutboundOptions["resolve"]>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const fault = faultOfUrl(url);
  if (fault !== null) throw new RefusedAddress(`Cannot call ${url.hostname}: its URL ${fault}`);
  const host = hostOf(url);
  if (isLiteral(host)) return;
  const addresses = await resolve(host, signal);
  if (addresses.length === 0) throw new RefusedAddress(`Cannot call ${host}: the name has no address`);
  // One private answer among public ones is enough: the connection may take any of them.
  if (!addresses.every(isPublicAddress)) {
    throw new RefusedAddress(`Cannot call ${host}: it is not a public server`);
  }
}

/** The host in the form that DNS knows: without brackets, and without the dot that ends an absolute name. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "").replace(/\.+$/, "");
}

// The URL parser has already turned every way of writing an IPv4 address into four decimal numbers.
function isLiteral(host: string): boolean {
  return host.includes(":") || /^[\d.]+$/.test(host);
}

function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status);
}

const credentials = ["authorization", "x-api-key", "api-key", "cookie", "proxy-authorization"];

/** What is sent on: without credentials to another origin, and as GET where browsers make it one (Fetch, 4.4). */
function redirected(init: RequestInit, status: number, isSameOrigin: boolean): RequestInit {
  const headers = new Headers(init.headers);
  if (!isSameOrigin) credentials.forEach((name) => headers.delete(name));
  const method = (init.method ?? "GET").toUpperCase();
  const becomesGet = status === 303 ? method !== "HEAD" : [301, 302].includes(status) && method === "POST";
  if (becomesGet) {
    for (const name of ["content-type", "content-length", "content-encoding"]) headers.delete(name);
    return { ...init, method: "GET", body: null, headers };
  }
  if (init.body instanceof ReadableStream) {
    throw new RefusedAddress("Cannot follow a redirect: the body was a stream and is spent");
  }
  return { ...init, headers };
}

/** Every IPv4 and IPv6 address that DNS has for a name. */
export async function resolveName(
  name: string,
  signal?: AbortSignal,
  { resolveDns }: { resolveDns?: typeof Deno.resolveDns } = Deno,
): Promise<string[]> {
  // Without it nobody could tell where a name leads, so nothing is called.
  if (!resolveDns) throw new RefusedAddress(`Cannot call ${name}: this runtime cannot look names up`);
  const types = ["A", "AAAA"] as const;
  const answers = types.map(async (type) => {
    try {
      // The dot at the end keeps the machine's own search domains out.
      return await resolveDns(`${name}.`, type, { signal });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  });
  return (await Promise.all(answers)).flat();
}
