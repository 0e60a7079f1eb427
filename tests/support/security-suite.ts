import { assert, assertEquals, assertMatch } from "@std/assert";
import { brokenKey, madeUpKey } from "./keys.ts";
import type { TestStack } from "./stack.ts";

/** One endpoint as the suite needs to know it. */
export interface Endpoint {
  /** How the tests call it, such as `POST ingest-document`. */
  name: string;
  method: string;
  /** Below `/functions/v1/`; `{agent}` stands for the agent's id where a user or the project calls. */
  path: string;
  /** A good JSON body for a key, or none. The suite adds `agent_id` for users and the project. */
  body?: Record<string, unknown>;
  /** Where `agent_id` goes when it is not a key that calls. */
  agentIn?: "body" | "query";
  /** The credentials it takes. */
  takes: ("key" | "user" | "secret")[];
  /** The scope a key needs. */
  scope?: "chat" | "ingest" | "read";
  /** Further methods that the path takes. */
  also?: string[];
  /** The size above which a body is refused. */
  maxBytes?: number;
  /** Whether a request without a body is a good one. */
  emptyBody?: boolean;
  /** `result`: a bad key is answered with 200, as validate-key does. */
  badKey?: "problem" | "result";
  /** `openai`: errors are told in OpenAI's form. */
  errors?: "problem" | "openai";
}

/** Registers the cases every endpoint must stand; each also sees that a refusal stores nothing. */
export function securitySuite(stack: TestStack, endpoint: Endpoint): void {
  const { name, method, takes, scope } = endpoint;
  const assertError = endpoint.errors === "openai" ? assertOpenAIError : assertProblem;
  const test = (title: string, work: () => Promise<void>) =>
    Deno.test(`${name} ${title}`, async () => {
      const before = await contents(stack);
      await work();
      assertEquals(await contents(stack), before, "a refusal stored something");
    });
  const send = (headers: Record<string, string>, more: Partial<RequestInit> = {}, path = endpoint.path) =>
    fetch(stack.functionUrl(path), {
      method,
      headers: { ...(endpoint.body ? { "content-type": "application/json" } : {}), ...headers },
      ...(endpoint.body ? { body: JSON.stringify(endpoint.body) } : {}),
      ...more,
    });
  const refused = async (response: Response, status: number, code: string) => {
    if (endpoint.badKey === "result" && /^key_|^agent_|^origin_/.test(code)) {
      assertEquals(await response.json(), { valid: false, code: code.replace(/^key_/, "") });
      assertEquals(response.status, 200);
    } else await assertError(response, status, code);
  };
  const prepared = once(() => prepare(stack, scope));

  test("refuses a request without a credential", async () => {
    await assertError(await send({}), 401, "missing_credential");
    await assertError(await send({ apikey: stack.publishableKey }), 401, "missing_credential");
  });

  test("refuses a credential that is present and wrong", async () => {
    const { key } = await prepared();
    const junk = await send({ authorization: "Bearer junk" });
    await refused(junk, 401, endpoint.badKey === "result" ? "key_malformed" : "invalid_credential");
    for (
      const wrong of [
        { authorization: "Basic dTpw" },
        { authorization: `Bearer ${stack.secretKey}` },
        { authorization: `Bearer ct_${"0".repeat(64)}` },
        { apikey: "sb_secret_wrong" },
        { apikey: "sb_secret_wrong", "x-api-key": key },
      ] as Record<string, string>[]
    ) await assertError(await send(wrong), 401, "invalid_credential");
  });

  test("refuses a malformed key, by its checksum too", async () => {
    const { key } = madeUpKey();
    for (const bad of [brokenKey(key), "ak_1", `${key}0`]) {
      await refused(await send({ authorization: `Bearer ${bad}` }), 401, "key_malformed");
      await refused(await send({ "x-api-key": bad }), 401, "key_malformed");
    }
  });

  if (takes.includes("key")) {
    test("refuses an unknown, a revoked and an expired key", async () => {
      const { revoked, expired } = await prepared();
      await refused(await send({ "x-api-key": (madeUpKey("b")).key }), 401, "key_unknown");
      await refused(await send({ "x-api-key": revoked }), 401, "key_revoked");
      await refused(await send({ "x-api-key": expired }), 401, "key_expired");
    });

    test("refuses the key of an agent that is switched off, and a foreign origin", async () => {
      const { inactive, bound } = await prepared();
      await refused(await send({ "x-api-key": inactive }), 403, "agent_inactive");
      if (scope === "read") return;
      await refused(
        await send({ "x-api-key": bound, origin: "https://evil.example" }),
        403,
        "origin_not_allowed",
      );
      await refused(await send({ "x-api-key": bound }), 403, "origin_not_allowed");
    });

    if (scope) {
      test(`refuses a key without the scope ${scope}`, async () => {
        await assertError(await send({ "x-api-key": (await prepared()).scopeless }), 403, "scope_missing");
      });
    }
  } else {
    test("refuses an agent key", async () => {
      await assertError(await send({ "x-api-key": (await prepared()).key }), 403, "forbidden");
    });
  }

  if (!takes.includes("secret") && endpoint.badKey !== "result") {
    test("refuses the project's secret key", async () => {
      await assertError(await send({ apikey: stack.secretKey }), 403, "forbidden");
    });
  }

  if (takes.includes("user") && endpoint.agentIn) {
    test("answers 404 for an agent of somebody else", async () => {
      const { agentId } = await prepared();
      const stranger = await stack.signUp();
      const body = endpoint.agentIn === "body"
        ? { body: JSON.stringify({ ...endpoint.body, agent_id: agentId }) }
        : {};
      const path = endpoint.agentIn === "query" ? `${endpoint.path}?agent_id=${agentId}` : endpoint.path;
      await assertError(
        await send({ authorization: `Bearer ${stranger.token}` }, body, path),
        404,
        "not_found",
      );
    });
  }

  test("answers a method it does not have with 405 and Allow", async () => {
    for (
      const other of ["PATCH", "PUT"].filter((each) => each !== method && !endpoint.also?.includes(each))
    ) {
      const response = await send({}, { method: other });
      assertMatch(response.headers.get("allow") ?? "", new RegExp(`\\b${method}\\b`));
      await assertError(response, 405, "method_not_allowed");
    }
  });

  test("answers an unknown path with 404", async () => {
    // A path below an OpenAI route is one of those; a path that begins otherwise could be any.
    const base = endpoint.errors === "openai" ? endpoint.path : endpoint.path.split("/")[0];
    await assertError(await send({}, {}, `${base}/no/such/path/here`), 404, "not_found");
  });

  test("answers a preflight with the requested header names", async () => {
    const response = await fetch(stack.functionUrl(endpoint.path), {
      method: "OPTIONS",
      headers: {
        origin: "https://shop.example",
        "access-control-request-method": method,
        "access-control-request-headers": "authorization, x-api-key, x-something-new",
      },
    });
    assertEquals([response.status, await response.text()], [204, ""]);
    assertEquals(
      response.headers.get("access-control-allow-headers"),
      "authorization, x-api-key, x-something-new",
    );
    assertMatch(response.headers.get("access-control-allow-methods") ?? "", new RegExp(`\\b${method}\\b`));
    assertEquals(response.headers.get("access-control-allow-origin"), "*");
  });

  if (endpoint.body) {
    test("refuses a body of another content type", async () => {
      for (const type of ["text/plain", "application/x-www-form-urlencoded"]) {
        await assertError(
          await send({ ...await good(), "content-type": type }),
          415,
          "unsupported_media_type",
        );
      }
    });

    test("refuses a body that is not JSON", async () => {
      for (const body of ["{", "", "\xff", '{"a":1,}']) {
        if (body === "" && endpoint.emptyBody) continue;
        await assertError(await send(await good(), { body }), 400, "malformed_json");
      }
    });

    test("refuses a body of the wrong shape", async () => {
      for (const body of ["[]", "null", "7", '"text"']) {
        await assertError(await send(await good(), { body }), 422, "validation_failed");
      }
    });

    test("refuses a body that is too large, declared or not", async () => {
      const size = (endpoint.maxBytes ?? 64 * 1024) + 1;
      const large = new TextEncoder().encode(JSON.stringify({ ...endpoint.body, padding: "x".repeat(size) }));
      await assertError(await send(await good(), { body: large }), 413, "body_too_large");
      const body = new Blob([large]).stream();
      await assertError(
        await send(await good(), { body, duplex: "half" } as RequestInit),
        413,
        "body_too_large",
      );
    });
  }

  async function good(): Promise<Record<string, string>> {
    if (takes.includes("key")) return { "x-api-key": (await prepared()).key };
    if (takes.includes("secret")) return { apikey: stack.secretKey };
    return { authorization: `Bearer ${(await prepared()).token}` };
  }
}

/** Asserts a problem of RFC 9457 with its code, its request id and CORS; returns its body. */
export async function assertProblem(
  response: Response,
  status: number,
  code: string,
): Promise<Record<string, unknown>> {
  const body = await response.json();
  assertEquals([body.code, response.status], [code, status], JSON.stringify(body));
  assertMatch(response.headers.get("content-type") ?? "", /^application\/problem\+json/);
  assertEquals([body.type, body.status], [`urn:parley:${code}`, status]);
  assert(typeof body.title === "string" && typeof body.detail === "string");
  assertEquals(body.request_id, response.headers.get("x-request-id"));
  assertEquals(response.headers.get("access-control-allow-origin"), "*");
  assertMatch(response.headers.get("access-control-expose-headers") ?? "", /x-request-id/);
  if (status === 401) assertEquals(response.headers.get("www-authenticate"), "Bearer");
  return body;
}

/** Asserts an error in OpenAI's form with its code, its request id and CORS; returns what it says. */
export async function assertOpenAIError(
  response: Response,
  status: number,
  code: string,
): Promise<Record<string, unknown>> {
  const body = await response.json();
  const { error } = body;
  assertEquals([error?.code, response.status], [code, status], JSON.stringify(body));
  assertMatch(response.headers.get("content-type") ?? "", /^application\/json/);
  assertEquals([Object.keys(body), Object.keys(error)], [["error"], ["message", "type", "code", "param"]]);
  assert(typeof error.message === "string" && error.message !== "" && /^[a-z_]+$/.test(error.type));
  assert(error.param === null || typeof error.param === "string");
  assertMatch(response.headers.get("x-request-id") ?? "", /^[A-Za-z0-9._-]{8,64}$/);
  assertEquals(response.headers.get("access-control-allow-origin"), "*");
  if (status === 401) assertEquals(response.headers.get("www-authenticate"), "Bearer");
  return error;
}

/** How many rows stand in every table that a request could write, to see that a refusal wrote none. */
export async function contents(stack: TestStack): Promise<Record<string, number>> {
  const tables = [
    "documents",
    "document_files",
    "document_chunks",
    "chunk_terms",
    "conversations",
    "messages",
    "turns",
    "turn_deltas",
    "feedback",
    "usage_logs",
    "provider_keys",
  ];
  const sql = tables.map((table) => `(select count(*) from public.${table})::int as ${table}`).join(", ");
  const [row] = await stack.database.query<Record<string, number>>(`select ${sql}`);
  return row!;
}

async function prepare(stack: TestStack, scope: Endpoint["scope"]) {
  const { token } = await stack.signUp();
  const agent = await stack.createAgent(token);
  const off = await stack.createAgent(token);
  const all = ["chat", "ingest", "read"];
  const make = (agentId: string, options: Record<string, unknown> = {}) =>
    stack.createKey(token, agentId, { scopes: all, requests_per_minute: 10_000, ...options });
  const { key } = await make(agent.id);
  const revoked = await make(agent.id);
  await stack.client(token).rpc("revoke_api_key", { key_id: revoked.id }).throwOnError();
  const expired = await make(agent.id);
  await stack.database.query(
    "update public.api_keys set expires_at = now() - interval '1 minute' where id = $1",
    [
      expired.id,
    ],
  );
  const inactive = await make(off.id);
  await stack.client(token).from("agents").update({ is_active: false }).eq("id", off.id).throwOnError();
  const bound = await make(agent.id, {
    scopes: all.filter((each) => each !== "read"),
    allowed_origins: ["https://shop.example"],
  });
  const scopeless = await make(agent.id, { scopes: all.filter((each) => each !== scope) });
  return {
    agentId: agent.id,
    token,
    key,
    revoked: revoked.key,
    expired: expired.key,
    inactive: inactive.key,
    bound: bound.key,
    scopeless: scopeless.key,
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => made ??= make();
}
