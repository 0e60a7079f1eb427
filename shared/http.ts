import { type Problem, problem, toProblem } from "./errors.ts";
import { notedHeaders } from "./limits.ts";
import type { Log } from "./log.ts";

/** What a route is told besides the request. */
export interface RouteContext {
  /** The id under which this request is logged and answered. */
  requestId: string;
  url: URL;
  /** The values of the path's `:names`, decoded. */
  params: Record<string, string>;
}

/** Answers one route; throws a `Problem` for every outcome that is an error. */
export type Handler = (request: Request, context: RouteContext) => Response | Promise<Response>;

/** How errors are told. */
export interface ErrorFormat {
  /** The media type of the body. */
  type: string;
  body(problem: Problem, requestId: string): unknown;
}

/** One route of a function; `path` is relative to the function and may hold `:names`, such as `/:id/file`. */
export interface Route {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  handle: Handler;
  /** How its errors are told, where that is not RFC 9457; also those of unknown paths with the same first segment. */
  errors?: ErrorFormat;
}

const problemJson: ErrorFormat = {
  type: "application/problem+json",
  body: (problem, requestId) => problem.body(requestId),
};

const exposed = [
  "x-request-id",
  "x-turn-id",
  "x-message-id",
  "x-session-id",
  "location",
  "retry-after",
  "ratelimit",
  "ratelimit-policy",
  "x-ratelimit-limit-requests",
  "x-ratelimit-remaining-requests",
  "x-ratelimit-reset-requests",
  "x-should-retry",
  "content-disposition",
  "server-timing",
].join(", ");

/** The boundary of a function: routing, request id, CORS, and the one catch. `name` is the path's first segment. */
export function serve(
  name: string,
  routes: Route[],
  deps: { log: Log },
): (request: Request) => Promise<Response> {
  const table = routes.map((route) => ({ ...route, segments: split(route.path) }));
  return async (request) => {
    const requestId = requestIdOf(request);
    const url = new URL(request.url);
    const path = split(url.pathname);
    if (path[0] === name) path.shift();
    const found = table.flatMap((route) => {
      const params = match(route.segments, path);
      return params ? [{ route, params }] : [];
    });
    let response: Response;
    try {
      response = await dispatch();
    } catch (error) {
      response = refuse(reported(error));
    }
    // Also on an error: the limit is spent all the same.
    for (const [header, value] of Object.entries(notedHeaders(request))) response.headers.set(header, value);
    response.headers.set("x-request-id", requestId);
    response.headers.set("access-control-allow-origin", "*");
    response.headers.set("access-control-expose-headers", exposed);
    // Lets a page read the timings of its requests, as it may read all else of them.
    response.headers.set("timing-allow-origin", "*");
    return response;

    function reported(error: unknown): Problem {
      const fields = { request_id: requestId, function: name, method: request.method };
      if (request.signal.aborted && error === request.signal.reason) {
        // A caller who left reads no answer, and nothing is wrong with us.
        deps.log.info("request_aborted", fields);
        return problem("unavailable", "Cannot answer: the caller left");
      }
      const known = toProblem(error);
      if (known.status >= 500) deps.log.error("request_failed", known, fields);
      return known;
    }

    function refuse(problem: Problem): Response {
      const near = found[0]?.route ??
        table.find(({ segments }) => segments[0] !== undefined && segments[0] === path[0]);
      const { type, body } = near?.errors ?? problemJson;
      const headers = {
        "content-type": `${type}; charset=utf-8`,
        "cache-control": "no-store",
        ...problem.headers,
      };
      return new Response(JSON.stringify(body(problem, requestId)), { status: problem.status, headers });
    }

    function dispatch(): Response | Promise<Response> {
      if (request.method === "OPTIONS") return preflight(request, found.map(({ route }) => route.method));
      if (found.length === 0) throw problem("not_found", `Cannot ${request.method} this path: no such route`);
      const chosen = found.find(({ route }) => route.method === request.method);
      if (chosen) return chosen.route.handle(request, { requestId, url, params: chosen.params });
      const allow = [...new Set(found.map(({ route }) => route.method)), "OPTIONS"].join(", ");
      throw problem("method_not_allowed", `Cannot ${request.method} this path: it takes ${allow}`, {
        headers: { allow },
      });
    }
  };
}

/** A JSON response. */
export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json; charset=utf-8", "cache-control": "no-store", ...headers },
  });
}

// There are no cookies, so any origin may ask with any header: the credential decides, not the browser.
function preflight(request: Request, methods: string[]): Response {
  const asked = request.headers.get("access-control-request-headers") ?? "";
  const names = asked.split(",").map((header) => header.trim()).filter((header) =>
    /^[\w!#$%&'*+.^`|~-]+$/.test(header)
  );
  return new Response(null, {
    status: 204,
    headers: {
      "access-control-allow-methods": [...new Set(methods), "OPTIONS"].join(", "),
      ...(names.length > 0 ? { "access-control-allow-headers": names.join(", ") } : {}),
      "access-control-max-age": "86400",
      vary: "access-control-request-headers",
    },
  });
}

// A caller's own id is kept when it cannot forge a log line or a header; it lets both sides' logs be joined.
function requestIdOf(request: Request): string {
  const given = request.headers.get("x-request-id");
  return given !== null && /^[A-Za-z0-9._-]{8,64}$/.test(given) ? given : crypto.randomUUID();
}

function split(path: string): string[] {
  return path.split("/").filter((segment) => segment !== "");
}

function match(pattern: string[], path: string[]): Record<string, string> | null {
  if (pattern.length !== path.length) return null;
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const actual = path[index]!;
    if (!expected.startsWith(":")) {
      if (expected !== actual) return null;
      continue;
    }
    const value = decode(actual);
    if (value === null) return null;
    params[expected.slice(1)] = value;
  }
  return params;
}

function decode(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
