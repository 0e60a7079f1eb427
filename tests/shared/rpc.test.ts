import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects } from "@std/assert";
import { createProjectClient, DatabaseError } from "../../shared/database.ts";
import { Problem } from "../../shared/errors.ts";
import { createRpc, createUserRpc } from "../../shared/rpc.ts";
import { testEnv } from "../support/issuer.ts";

interface Asked {
  path: string;
  apikey: string | null;
  authorization: string | null;
  body: unknown;
}

/** A PostgREST that answers every call with one response and remembers what it was asked. */
async function against(
  answer: (request: Request) => Response | Promise<Response>,
  work: (rpc: ReturnType<typeof createRpc>, asked: Asked[], url: string) => Promise<void>,
) {
  const asked: Asked[] = [];
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    const header = (name: string) => request.headers.get(name);
    const body = await request.clone().json();
    asked.push({ path: pathname, apikey: header("apikey"), authorization: header("authorization"), body });
    return answer(request);
  });
  const url = `http://127.0.0.1:${server.addr.port}`;
  await work(createRpc(createProjectClient(testEnv({ SUPABASE_URL: url }), "secret")), asked, url);
}

const failing = (status: number, body: object) => () => Response.json(body, { status });

Deno.test("a call carries the secret key and the arguments under their SQL names", async () => {
  await against(() => Response.json({ outcome: "lost" }), async (rpc, asked) => {
    await rpc.storeChunks({ documentId: "d", lease: "l", fromIndex: 0, chunks: [], language: null });
    assertEquals(asked, [{
      path: "/rest/v1/rpc/store_chunks",
      apikey: "sb_secret_test",
      authorization: "Bearer sb_secret_test",
      body: { document_id: "d", lease: "l", from_index: 0, chunks: [], language: null },
    }]);
  });
});

Deno.test("the functions that were there before keep their p_ names", async () => {
  await against(() => Response.json({ valid: false, code: "unknown" }), async (rpc, asked) => {
    assertEquals(await rpc.validateApiKey({ keyHash: "h", cost: 1 }), { valid: false, code: "unknown" });
    assertEquals(asked[0]!.body, { p_key_hash: "h", p_cost: 1 });
  });
});

Deno.test("a call as a user carries a publishable key and the user's token", async () => {
  await against(() => Response.json(null), async (_rpc, asked, url) => {
    const client = createProjectClient(testEnv({ SUPABASE_URL: url }), "publishable");
    assertEquals(await createUserRpc(client, "eyJ.token").agentAccess({ agentId: "a" }), null);
    assertEquals(asked[0]!.apikey, "sb_publishable_test");
    assertEquals(asked[0]!.authorization, "Bearer eyJ.token");
  });
});

Deno.test("what SQL refuses as the caller's fault keeps its code and detail", async () => {
  const raised = { code: "PT404", message: "not_found", details: "No such agent.", hint: null };
  for (const status of [404, 400]) {
    await against(failing(status, raised), async (rpc) => {
      const problem = await assertRejects(() => rpc.getDocument({ agentId: "a", documentId: "d" }), Problem);
      assertEquals([problem.code, problem.detail], ["not_found", "No such agent."]);
    });
  }
});

Deno.test("a statement timeout, a lost connection and a gateway without database are 503 unavailable", async () => {
  const outages = [
    failing(500, { code: "57014", message: "canceling statement due to statement timeout" }),
    failing(503, { code: "PGRST001", message: "Could not connect" }),
    failing(500, { code: "08006", message: "connection failure" }),
    failing(502, { message: "bad gateway" }),
    () => new Response("<html>gateway</html>", { status: 504 }),
  ];
  for (const outage of outages) {
    await against(outage, async (rpc) => {
      assertEquals((await assertRejects(() => rpc.storageMode(), Problem)).code, "unavailable");
    });
  }
});

Deno.test("a server that is not there is 503 unavailable", async () => {
  const rpc = createRpc(createProjectClient(testEnv(), "secret"));
  assertEquals((await assertRejects(() => rpc.storageMode(), Problem)).code, "unavailable");
});

Deno.test("any other database error is ours, and its message quotes no caller's data", async () => {
  const raised = {
    code: "22P02",
    message: 'invalid input syntax for type uuid: "my secret text"',
    details: "my secret text",
    hint: null,
  };
  await against(failing(400, raised), async (rpc) => {
    const error = await assertRejects(() => rpc.storageMode(), DatabaseError);
    assertEquals(error.sqlstate, "22P02");
    assert(!error.message.includes("secret"));
    assertMatch(error.message, /storage_mode: invalid input syntax/);
  });
});

Deno.test("a result in another shape is a fault that names the member, not its value", async () => {
  await against(() => Response.json({ allowed: "very secret" }), async (rpc) => {
    const call = () => rpc.checkRateLimit({ key: "k", maxRequests: 1, windowSeconds: 1 });
    const error = await assertRejects(call, DatabaseError);
    assertMatch(error.message, /allowed \(invalid_type\)/);
    assert(!error.message.includes("secret"));
  });
});

Deno.test("a caller's abort ends the call with the caller's reason", async () => {
  const { promise: arrived, resolve } = Promise.withResolvers<void>();
  const held = Promise.withResolvers<Response>();
  await against(() => {
    resolve();
    return held.promise;
  }, async (rpc) => {
    const controller = new AbortController();
    const call = rpc.storageMode({ signal: controller.signal });
    await arrived;
    controller.abort(new Error("the client left"));
    const error = await assertRejects(() => call);
    assertInstanceOf(error, Error);
    assertEquals(error.message, "the client left");
    held.resolve(Response.json("table"));
  });
});

Deno.test("a call that was aborted before it began asks nothing", async () => {
  await against(() => Response.json("table"), async (rpc, asked) => {
    await assertRejects(() => rpc.storageMode({ signal: AbortSignal.abort() }));
    assertEquals(asked, []);
  });
});
