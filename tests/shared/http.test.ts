import { assert, assertEquals, assertMatch, assertNotMatch } from "@std/assert";
import { problem } from "../../shared/errors.ts";
import { json, type Route, serve } from "../../shared/http.ts";
import { createLog } from "../../shared/log.ts";

function boundary(routes: Route[]) {
  const lines: string[] = [];
  const fetch = serve("things", routes, { log: createLog((line) => lines.push(line)) });
  return { lines, fetch };
}

const routes: Route[] = [
  { method: "GET", path: "/", handle: () => json({ all: true }) },
  { method: "POST", path: "/", handle: () => json({}, 201) },
  { method: "GET", path: "/:id/file", handle: (_request, { params }) => json(params) },
  {
    method: "POST",
    path: "/fail",
    handle: () => {
      throw new TypeError("sb_secret_hidden broke");
    },
  },
  {
    method: "POST",
    path: "/busy",
    handle: () => {
      throw problem("rate_limited", "Cannot take the request", { members: { retry_after: 7 } });
    },
  },
];
const url = (path: string) => `https://project.supabase.co/things${path}`;

Deno.test("a route is found by method and path, with decoded parameters", async () => {
  const { fetch } = boundary(routes);
  assertEquals(await (await fetch(new Request(url("")))).json(), { all: true });
  assertEquals(await (await fetch(new Request(url("/a%20b/file")))).json(), { id: "a b" });
});

Deno.test("an unknown path is 404, also one that cannot be decoded", async () => {
  const { fetch } = boundary(routes);
  for (const path of ["/a/b/c", "/%E0%A4%A/file", "/../secrets"]) {
    const response = await fetch(new Request(url(path)));
    assertEquals((await response.json()).code, "not_found");
  }
});

Deno.test("a known path with another method is 405 with Allow", async () => {
  const { fetch } = boundary(routes);
  for (const method of ["PUT", "DELETE", "PATCH", "HEAD"]) {
    const response = await fetch(new Request(url("/"), { method }));
    assertEquals([response.status, response.headers.get("allow")], [405, "GET, POST, OPTIONS"]);
    await response.body?.cancel();
  }
});

Deno.test("an error is a problem in the shape of RFC 9457 with the request id", async () => {
  const { fetch } = boundary(routes);
  const response = await fetch(new Request(url("/busy"), { method: "POST" }));
  assertEquals(response.headers.get("content-type"), "application/problem+json; charset=utf-8");
  assertEquals(response.headers.get("retry-after"), "7");
  assertEquals(await response.json(), {
    retry_after: 7,
    type: "urn:parley:rate_limited",
    title: "Too many requests",
    status: 429,
    detail: "Cannot take the request",
    code: "rate_limited",
    request_id: response.headers.get("x-request-id"),
  });
});

Deno.test("an unexpected error tells the caller nothing but the id, and the log its cause without secrets", async () => {
  const { fetch, lines } = boundary(routes);
  const response = await fetch(new Request(url("/fail"), { method: "POST" }));
  const text = await response.text();
  const id = response.headers.get("x-request-id")!;
  assertEquals(response.status, 500);
  assertNotMatch(text, /broke|TypeError|hidden|http\.test/);
  assertEquals(lines.length, 1);
  const entry = JSON.parse(lines[0]!);
  assertEquals([entry.request_id, entry.function, entry.error.cause.name], [id, "things", "TypeError"]);
  assertMatch(entry.error.cause.message, /broke/);
  assertNotMatch(lines[0]!, /hidden/);
});

Deno.test("a refusal of the caller's fault is not logged", async () => {
  const { fetch, lines } = boundary(routes);
  await (await fetch(new Request(url("/busy"), { method: "POST" }))).body?.cancel();
  assertEquals(lines, []);
});

Deno.test("every response, errors too, carries CORS and a request id", async () => {
  const { fetch } = boundary(routes);
  for (
    const [path, method] of [["", "GET"], ["/fail", "POST"], ["/none", "GET"], ["", "PUT"], ["", "OPTIONS"]]
  ) {
    const { headers, body } = await fetch(new Request(url(path!), { method: method! }));
    await body?.cancel();
    assertEquals(headers.get("access-control-allow-origin"), "*");
    assertMatch(headers.get("access-control-expose-headers")!, /x-request-id.*ratelimit/);
    assertMatch(headers.get("x-request-id")!, /^[0-9a-f-]{36}$/);
    assert(!headers.has("access-control-allow-credentials"));
  }
});

Deno.test("a preflight echoes the requested header names and the path's methods", async () => {
  const { fetch } = boundary(routes);
  const response = await fetch(
    new Request(url("/"), {
      method: "OPTIONS",
      headers: {
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-api-key, X-Own ,bad name",
      },
    }),
  );
  assertEquals(response.status, 204);
  assertEquals(response.headers.get("access-control-allow-headers"), "x-api-key, X-Own");
  assertEquals(response.headers.get("access-control-allow-methods"), "GET, POST, OPTIONS");
});

Deno.test("a caller's request id is kept when it is short and plain, else replaced", async () => {
  const { fetch } = boundary(routes);
  const idFor = async (given: string) => {
    const response = await fetch(new Request(url(""), { headers: { "x-request-id": given } }));
    await response.body?.cancel();
    return response.headers.get("x-request-id");
  };
  assertEquals(await idFor("trace-0123456789"), "trace-0123456789");
  for (const bad of ["short", 'a"b,c d e f g', "x".repeat(65)]) {
    assertMatch((await idFor(bad))!, /^[0-9a-f-]{36}$/);
  }
});
