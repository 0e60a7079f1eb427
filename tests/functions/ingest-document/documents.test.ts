import { assert, assertEquals } from "@std/assert";
import { assertProblem, contents, securitySuite } from "../../support/security-suite.ts";
import { startStack } from "../../support/stack.ts";

const stack = await startStack();
Deno.test.afterAll(() => stack.close());

const id = crypto.randomUUID();
const takes: ("key" | "user" | "secret")[] = ["key", "user", "secret"];
securitySuite(stack, {
  name: "GET ingest-document",
  method: "GET",
  path: "ingest-document",
  agentIn: "query",
  takes,
});
securitySuite(stack, {
  name: "GET ingest-document/{id}",
  method: "GET",
  path: `ingest-document/${id}`,
  agentIn: "query",
  takes,
});
securitySuite(stack, {
  name: "GET ingest-document/{id}/file",
  method: "GET",
  path: `ingest-document/${id}/file`,
  agentIn: "query",
  takes,
  scope: "read",
});
securitySuite(stack, {
  name: "DELETE ingest-document/{id}",
  method: "DELETE",
  path: `ingest-document/${id}`,
  agentIn: "query",
  takes,
  scope: "ingest",
});
securitySuite(stack, {
  name: "POST ingest-document/{id}/retry",
  method: "POST",
  path: `ingest-document/${id}/retry`,
  agentIn: "query",
  takes,
  scope: "ingest",
});
securitySuite(stack, {
  name: "POST ingest-document/work",
  method: "POST",
  path: "ingest-document/work",
  body: { budget_ms: 0 },
  emptyBody: true,
  takes: ["secret"],
});

const url = (path = "") => stack.functionUrl(`ingest-document${path}`);

async function tenant() {
  const user = await stack.signUp();
  const agent = await stack.createAgent(user.token, { language: "en" });
  const options = { scopes: ["ingest", "read"], requests_per_minute: 10_000 };
  const { key } = await stack.createKey(user.token, agent.id, options);
  const headers = { "x-api-key": key };
  const store = async (title: string, content = `About ${title}.`) => {
    const response = await fetch(url(), {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ title, content }),
    });
    return (await response.json()).document_id as string;
  };
  return { user, agentId: agent.id, headers, store };
}

const call = (method: string, path: string, headers: Record<string, string>) =>
  fetch(url(path), { method, headers });
const callers = ({ user, headers }: { user: { token: string }; headers: Record<string, string> }) =>
  [headers, { authorization: `Bearer ${user.token}` }, { apikey: stack.secretKey }] as Record<
    string,
    string
  >[];

Deno.test("a document's status is shown to its key, its owner and the project, without naming the agent", async () => {
  const own = await tenant();
  const documentId = await own.store("Opening hours");
  for (const headers of callers(own)) {
    const response = await call("GET", `/${documentId}`, headers);
    const body = await response.json();
    assertEquals(response.status, 200, JSON.stringify(body));
    const { document_id, title, status, progress, error } = body;
    assertEquals({ document_id, title, status, progress, error }, {
      document_id: documentId,
      title: "Opening hours",
      status: "ready",
      progress: 1,
      error: null,
    });
    assert(body.chunks === 1);
  }
});

Deno.test("a document of another tenant is not found, by any route, and stays", async () => {
  const [own, other] = [await tenant(), await tenant()];
  const documentId = await own.store("Secrets");
  const before = await contents(stack);
  for (const headers of callers(other).slice(0, 2)) {
    const agent = headers["x-api-key"] ? "" : `?agent_id=${other.agentId}`;
    for (const query of new Set(["", agent])) {
      await assertProblem(await call("GET", `/${documentId}${query}`, headers), 404, "not_found");
      await assertProblem(await call("GET", `/${documentId}/file${query}`, headers), 404, "not_found");
      await assertProblem(await call("DELETE", `/${documentId}${query}`, headers), 404, "not_found");
      await assertProblem(await call("POST", `/${documentId}/retry${query}`, headers), 404, "not_found");
    }
  }
  assertEquals(await contents(stack), before);
});

Deno.test("what is no id is not found", async () => {
  const { headers } = await tenant();
  for (const path of ["/nonsense", "/%00", "/work", "/'%20or%201=1"]) {
    await assertProblem(await call("GET", path, headers), 404, "not_found");
  }
});

Deno.test("the list pages through an agent's documents, newest first, and filters by status", async () => {
  const own = await tenant();
  const ids = [];
  for (const title of ["one", "two", "three"]) ids.unshift(await own.store(title));
  const seen = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const page = await call("GET", `?limit=2${cursor && `&cursor=${cursor}`}`, own.headers);
    const { documents, next_cursor } = await page.json();
    seen.push(...documents.map(({ document_id }: { document_id: string }) => document_id));
    cursor = next_cursor;
  }
  assertEquals(seen, ids);
  const failed = await (await call("GET", "?status=failed", own.headers)).json();
  assertEquals(failed, { documents: [], next_cursor: null });
  const mine = await call("GET", `?agent_id=${own.agentId}&limit=1`, {
    authorization: `Bearer ${own.user.token}`,
  });
  assertEquals((await mine.json()).documents.length, 1);
});

Deno.test("the list refuses nonsense, and a user without an agent", async () => {
  const own = await tenant();
  for (const query of ["?limit=0", "?limit=201", "?limit=x", "?status=done", "?cursor=abc"]) {
    await assertProblem(await call("GET", query, own.headers), 422, "validation_failed");
  }
  await assertProblem(
    await call("GET", "", { authorization: `Bearer ${own.user.token}` }),
    422,
    "validation_failed",
  );
});

Deno.test("a deleted document is gone at once, with its chunks and its original", async () => {
  const own = await tenant();
  const documentId = await own.store("Prices", "The blue bicycle costs 300 euros.");
  const response = await call("DELETE", `/${documentId}`, own.headers);
  assertEquals([response.status, await response.text()], [204, ""]);
  await assertProblem(await call("GET", `/${documentId}`, own.headers), 404, "not_found");
  await assertProblem(await call("DELETE", `/${documentId}`, own.headers), 404, "not_found");
  const found = await stack.database.query("select 1 from public.match_documents($1, 'blue bicycle')", [
    own.agentId,
  ]);
  assertEquals(found, []);
  const [left] = await stack.database.query(
    "select (select count(*)::int from public.document_chunks where document_id = $1) + (select count(*)::int from public.document_files where document_id = $1) as rows",
    [documentId],
  );
  assertEquals(left, { rows: 0 });
});

Deno.test("a viewer sees documents and may change none", async () => {
  const own = await tenant();
  const documentId = await own.store("Rules");
  const viewer = await stack.signUp();
  await stack.database.query(
    "insert into public.agent_members (agent_id, user_id, role) values ($1, $2, 'viewer')",
    [
      own.agentId,
      viewer.id,
    ],
  );
  const headers = { authorization: `Bearer ${viewer.token}` };
  assertEquals((await (await call("GET", `/${documentId}`, headers)).json()).title, "Rules");
  assertEquals(await (await call("GET", `/${documentId}/file`, headers)).text(), "About Rules.");
  await assertProblem(await call("DELETE", `/${documentId}`, headers), 403, "forbidden");
  await assertProblem(await call("POST", `/${documentId}/retry`, headers), 403, "forbidden");
});

Deno.test("a failed document is tried again on demand, any other is a conflict", async () => {
  const own = await tenant();
  const documentId = await own.store("Again");
  await assertProblem(await call("POST", `/${documentId}/retry`, own.headers), 409, "conflict");
  await stack.database.exec(
    `delete from public.document_chunks where document_id = '${documentId}';
     delete from public.chunk_terms where document_id = '${documentId}';
     update public.documents set status = 'failed', error_code = 'provider_failed', error_message = 'The model failed',
       chunk_count = 0, token_count = 0, progress = 0 where id = '${documentId}'`,
  );
  const failed = await (await call("GET", `/${documentId}`, own.headers)).json();
  assertEquals(failed.error, { code: "provider_failed", message: "The model failed" });
  const response = await call("POST", `/${documentId}/retry`, own.headers);
  assertEquals(await response.json(), { document_id: documentId, status: "queued" });
  assertEquals([response.status, response.headers.get("location")], [
    202,
    `/functions/v1/ingest-document/${documentId}`,
  ]);
  await work();
  const { status, chunks, error } = await (await call("GET", `/${documentId}`, own.headers)).json();
  assertEquals({ status, chunks, error }, { status: "ready", chunks: 1, error: null });
});

/** Calls the scheduler's route until nothing is due, background work of the stack included. */
async function work(): Promise<void> {
  const headers = { apikey: stack.secretKey, "content-type": "application/json" };
  for (let calls = 0; calls < 100; calls++) {
    const response = await fetch(url("/work"), { method: "POST", headers, body: '{"budget_ms":5000}' });
    const { more } = await response.json();
    const [busy] = await stack.database.query<{ count: number }>(
      "select count(*)::int from public.documents where status in ('queued', 'processing') and next_attempt_at <= now()",
    );
    if (!more && busy!.count === 0) return;
  }
  throw new Error("the work does not end");
}

Deno.test("the scheduler's call finishes what was left behind, and says so", async () => {
  const own = await tenant();
  const documentId = await own.store("Left", "Left behind by a process that died.");
  await stack.database.exec(
    `delete from public.document_chunks where document_id = '${documentId}';
     delete from public.chunk_terms where document_id = '${documentId}';
     update public.documents set status = 'processing', chunk_count = 0, token_count = 0, progress = 0,
       lease = gen_random_uuid(), leased_until = now() - interval '1 second' where id = '${documentId}'`,
  );
  const response = await fetch(url("/work"), { method: "POST", headers: { apikey: stack.secretKey } });
  assertEquals(await response.json(), { done: 1, failed: 0, more: false });
  assertEquals((await (await call("GET", `/${documentId}`, own.headers)).json()).status, "ready");
  const idle = await fetch(url("/work"), { method: "POST", headers: { apikey: stack.secretKey } });
  assertEquals(await idle.json(), { done: 0, failed: 0, more: false });
});
