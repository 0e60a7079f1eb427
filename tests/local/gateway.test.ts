import { assertEquals } from "@std/assert";
import { decodeProtectedHeader, SignJWT } from "jose";
import { createGateway } from "../../local/gateway.ts";
import { createTokens } from "../../local/tokens.ts";

const secret = "a secret of this test that is long enough for HS256";
const info = {
  remoteAddr: { transport: "tcp", hostname: "192.0.2.7", port: 1 } as const,
  completed: Promise.resolve(),
};

/** The request as the function "echo" gets it. */
async function received(request: Request): Promise<Request> {
  let inner: Request | undefined;
  const gateway = createGateway({
    rest: () => Promise.resolve(new Response("rest")),
    functions: new Map([["echo", (given: Request) => {
      inner = given;
      return Promise.resolve(new Response("function"));
    }]]),
    tokens: createTokens(secret),
  });
  assertEquals(await (await gateway(request, info)).text(), "function");
  return inner!;
}

Deno.test("the gateway strips /functions/v1 and keeps query, method, headers and body", async () => {
  const inner = await received(
    new Request("http://localhost/functions/v1/echo/a/b?c=d", {
      method: "POST",
      headers: { "x-own": "1", authorization: "Bearer ak_key" },
      body: "body",
    }),
  );
  assertEquals(new URL(inner.url).pathname + new URL(inner.url).search, "/echo/a/b?c=d");
  assertEquals([inner.method, inner.headers.get("x-own"), await inner.text()], ["POST", "1", "body"]);
  assertEquals(inner.headers.get("authorization"), "Bearer ak_key");
});

Deno.test("a function learns the caller's address from the connection, never from the caller", async () => {
  const inner = await received(
    new Request("http://localhost/functions/v1/echo", {
      headers: {
        "cf-connecting-ip": "203.0.113.1",
        "x-forwarded-for": "203.0.113.2",
        forwarded: "for=203.0.113.3",
      },
    }),
  );
  assertEquals(inner.headers.get("cf-connecting-ip"), null);
  assertEquals(inner.headers.get("x-forwarded-for"), "192.0.2.7");
  assertEquals(inner.headers.get("forwarded"), null);
});

Deno.test("a leaving client's signal reaches the function", async () => {
  const leaving = new AbortController();
  const inner = await received(new Request("http://localhost/functions/v1/echo", { signal: leaving.signal }));
  leaving.abort();
  assertEquals(inner.signal.aborted, true);
});

Deno.test("a user's valid token arrives with a key id, any other as it was sent", async () => {
  const sign = (key: string) =>
    new SignJWT({ sub: "somebody" }).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(key));
  const arriving = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    const inner = await received(new Request("http://localhost/functions/v1/echo", { headers }));
    return inner.headers.get("authorization")!.slice("Bearer ".length);
  };
  assertEquals(decodeProtectedHeader(await arriving(await sign(secret))).kid, "local");
  const forged = await sign("another secret, of somebody else altogether");
  assertEquals(await arriving(forged), forged);
  assertEquals(await arriving("eyJ.not.a.token"), "eyJ.not.a.token");
});

Deno.test("what is neither REST, Auth nor a function of the project is not found", async () => {
  const gateway = createGateway({
    rest: () => Promise.resolve(new Response("rest")),
    functions: new Map(),
    tokens: createTokens(secret),
  });
  const statusOf = async (path: string) =>
    (await gateway(new Request(`http://localhost${path}`), info)).status;
  for (
    const path of ["/", "/_system/config", "/storage/v1/object", "/functions/v1/unknown", "/functions/v1/"]
  ) {
    assertEquals([path, await statusOf(path)], [path, 404]);
  }
  for (const path of ["/rest/v1/agents", "/auth/v1/user"]) assertEquals(await statusOf(path), 200);
});
