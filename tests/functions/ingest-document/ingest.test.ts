import { assert, assertEquals, assertMatch } from "@std/assert";
import { assertProblem, contents, securitySuite } from "../../support/security-suite.ts";
import { startStack } from "../../support/stack.ts";

const stack = await startStack();
Deno.test.afterAll(() => stack.close());

securitySuite(stack, {
  name: "POST ingest-document",
  method: "POST",
  path: "ingest-document",
  body: { title: "Suite", content: "Nothing of this may be stored." },
  agentIn: "body",
  takes: ["key", "user", "secret"],
  scope: "ingest",
  maxBytes: 8 * 1024 * 1024,
});

const url = stack.functionUrl("ingest-document");
const handbook =
  "# Returns\n\nYou may send anything back within 30 days.\n\n# Shipping\n\nParcels leave the same day.\n";

async function tenant(options: Record<string, unknown> = {}) {
  const user = await stack.signUp();
  const agent = await stack.createAgent(user.token, { language: "en" });
  const { key } = await stack.createKey(user.token, agent.id, {
    scopes: ["ingest", "read"],
    requests_per_minute: 10_000,
    ...options,
  });
  return { user, agentId: agent.id, key };
}

const post = (headers: Record<string, string>, body: Record<string, unknown>) =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

function send(headers: Record<string, string>, file: File | null, fields: Record<string, string> = {}) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  if (file) form.set("file", file);
  return fetch(url, { method: "POST", headers, body: form });
}

const chunksOf = (documentId: string) =>
  stack.database.query<{ content: string; heading: string | null; chunk_index: number; language: string }>(
    `select c.content, c.heading, c.chunk_index, d.language from public.document_chunks c
     join public.documents d on d.id = c.document_id where c.document_id = $1 order by c.chunk_index`,
    [documentId],
  );

Deno.test("a short document is stored and searchable at once", async () => {
  const { key, agentId } = await tenant();
  const response = await post({ "x-api-key": key }, {
    title: "Handbook",
    content: handbook,
    source: "https://shop.example/handbook",
    mime_type: "text/markdown",
    category: "policy",
    metadata: { edition: 3 },
  });
  const body = await response.json();
  assertEquals(response.status, 201, JSON.stringify(body));
  assertEquals(Object.keys(body).sort(), ["chunks", "document_id", "status", "tokens"]);
  assertEquals(body.status, "ready");
  assert(body.chunks > 0 && body.tokens > 0);
  assertMatch(response.headers.get("ratelimit")!, /^"key";r=9999;t=\d+$/);
  const chunks = await chunksOf(body.document_id);
  assertEquals(chunks.length, body.chunks);
  for (const { content, heading, language } of chunks) {
    assertEquals(language, "en");
    assert(content.includes("30 days") || content.includes("same day"));
    assert(heading === null || /Returns|Shipping/.test(heading));
  }
  const { data } = await stack.client().rpc("match_documents", { agent_id: agentId, query: "send back" });
  assertEquals(data, null, "nobody but the service role may search");
  const [found] = await stack.database.query<{ title: string; category: string }>(
    "select title, category from public.match_documents($1, $2)",
    [agentId, "How many days do I have to send something back?"],
  );
  assertEquals(found, { title: "Handbook", category: "policy" });
});

Deno.test("a file is stored from a form, with its name as title and its bytes as original", async () => {
  const { key } = await tenant();
  const file = new File([handbook], "Guide d'achat.md", { type: "application/octet-stream" });
  const body = await (await send({ authorization: `Bearer ${key}` }, file, { metadata: '{"a":1}' })).json();
  assertEquals(body.status, "ready");
  const [row] = await stack.database.query(
    "select title, mime_type, metadata, size_bytes::int from public.documents where id = $1",
    [body.document_id],
  );
  assertEquals(row, {
    title: "Guide d'achat.md",
    mime_type: "text/markdown",
    metadata: { a: 1 },
    size_bytes: handbook.length,
  });
  const original = await fetch(`${url}/${body.document_id}/file`, { headers: { "x-api-key": key } });
  assertEquals(await original.text(), handbook);
  assertEquals(original.headers.get("content-type"), "text/markdown; charset=utf-8");
  assertEquals(original.headers.get("x-content-type-options"), "nosniff");
  assertEquals(
    original.headers.get("content-disposition"),
    "attachment; filename*=UTF-8''Guide%20d%27achat.md",
  );
});

Deno.test("the same content again changes nothing", async () => {
  const { key } = await tenant();
  const first = await (await post({ "x-api-key": key }, { title: "A", content: handbook })).json();
  const before = await contents(stack);
  const again = await post({ "x-api-key": key }, { title: "B", content: handbook });
  assertEquals(again.status, 200);
  assertEquals(await again.json(), { ...first, deduplicated: true });
  assertEquals(await contents(stack), before);
});

Deno.test("the same content sent many times at once is stored once", async () => {
  const { key, agentId } = await tenant();
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => post({ "x-api-key": key }, { title: "A", content: handbook })),
  );
  const bodies = await Promise.all(answers.map((answer) => answer.json()));
  assertEquals(answers.map(({ status }) => status).sort(), [200, 200, 200, 200, 200, 200, 200, 201]);
  assertEquals(new Set(bodies.map(({ document_id }) => document_id)).size, 1);
  const [row] = await stack.database.query(
    "select count(*)::int as chunks from public.document_chunks where agent_id = $1",
    [agentId],
  );
  assertEquals(row, { chunks: bodies.find(({ deduplicated }) => !deduplicated).chunks });
});

Deno.test("two agents may have the same content", async () => {
  const [a, b] = [await tenant(), await tenant()];
  for (const { key } of [a, b]) {
    assertEquals(
      (await (await post({ "x-api-key": key }, { title: "A", content: handbook })).json()).status,
      "ready",
    );
  }
});

Deno.test("a changed document under the same source replaces the old one", async () => {
  const { key, agentId } = await tenant();
  const source = "https://shop.example/returns";
  const first = await (await post({ "x-api-key": key }, { title: "A", source, content: handbook })).json();
  const changed = handbook.replace("30 days", "60 days");
  const second = await (await post({ "x-api-key": key }, { title: "A", source, content: changed })).json();
  assert(first.document_id !== second.document_id);
  const rows = await stack.database.query("select id from public.documents where agent_id = $1", [agentId]);
  assertEquals(rows, [{ id: second.document_id }]);
  const texts = (await chunksOf(second.document_id)).map(({ content }) => content).join("\n");
  assert(texts.includes("60 days") && !texts.includes("30 days"));
});

Deno.test("of documents sent at once under one source, each is stored, or says that a newer one replaced it", async () => {
  const { key, agentId } = await tenant();
  const answers = await Promise.all(
    Array.from(
      { length: 8 },
      (_, n) =>
        post({ "x-api-key": key }, { title: "A", source: "one", content: `${handbook}\nEdition ${n}.` }),
    ),
  );
  for (const answer of answers) {
    if (answer.status === 409) await assertProblem(answer, 409, "conflict");
    else assert([201, 202].includes(answer.status), String(answer.status));
    const location = answer.headers.get("location");
    if (location === null) continue;
    const found = await fetch(stack.functionUrl(location.split("/v1/")[1]!), {
      headers: { "x-api-key": key },
    });
    assertEquals((await found.json()).document_id, (await answer.json()).document_id);
  }
  const rows = await stack.database.query("select status from public.documents where agent_id = $1", [
    agentId,
  ]);
  assertEquals(rows, [{ status: "ready" }]);
});

Deno.test("what is answered after a limit was spent tells what is left of it, errors too", async () => {
  const { key } = await tenant();
  const headers = { "x-api-key": key };
  const id = (await (await post(headers, { title: "A", content: "Kept." })).json()).document_id;
  const answers = [
    await post(headers, { title: "A" }),
    await post(headers, { title: "A", content: " " }),
    await fetch(url, { headers }),
    await fetch(`${url}/${id}`, { headers }),
    await fetch(`${url}/${id}/file`, { headers }),
    await fetch(`${url}/${id}/retry`, { method: "POST", headers }),
    await fetch(`${url}/${id}`, { method: "DELETE", headers }),
    await fetch(`${url}/${id}`, { headers }),
  ];
  const left = answers.map((answer) => answer.headers.get("x-ratelimit-remaining-requests"));
  assertEquals(left, answers.map((_, index) => String(9998 - index)));
  assertEquals(answers.map(({ status }) => status), [422, 422, 200, 200, 200, 409, 204, 404]);
  for (const answer of answers) {
    assertMatch(answer.headers.get("ratelimit-policy")!, /^"key";q=10000;w=60$/);
    await answer.body?.cancel();
  }
});

Deno.test("a file's name is its title without path, percent signs and control characters", async () => {
  const { key } = await tenant();
  const title = async (name: string) => {
    const file = new File([`About ${crypto.randomUUID()}`], name, { type: "text/plain" });
    const body = await (await send({ "x-api-key": key }, file)).json();
    const [row] = await stack.database.query<{ title: string }>(
      "select title from public.documents where id = $1",
      [body.document_id],
    );
    return row?.title;
  };
  assertEquals(await title("Conditions%20g%C3%A9n%C3%A9rales.md"), "Conditions générales.md");
  assertEquals(await title("C:\\Users\\me\\prices.md"), "prices.md");
  assertEquals(await title("/home/me/prices.md"), "prices.md");
  assertEquals(await title("100% sure.md"), "100% sure.md");
  assertEquals(await title("a%00b%0Ac.md"), "abc.md");
  assertEquals(await title("🙂".repeat(600)), "🙂".repeat(500));
});

Deno.test("a user stores for an agent they own or edit, not for one they may only see", async () => {
  const { user, agentId } = await tenant();
  const member = async (role: string) => {
    const account = await stack.signUp();
    await stack.database.query(
      "insert into public.agent_members (agent_id, user_id, role) values ($1, $2, $3)",
      [
        agentId,
        account.id,
        role,
      ],
    );
    return { authorization: `Bearer ${account.token}` };
  };
  const document = (content: string) => ({ title: "A", content, agent_id: agentId });
  assertEquals(
    (await post({ authorization: `Bearer ${user.token}` }, document("By the owner."))).status,
    201,
  );
  assertEquals((await post(await member("editor"), document("By an editor."))).status, 201);
  const viewer = await member("viewer");
  const before = await contents(stack);
  await assertProblem(await post(viewer, document("By a viewer.")), 403, "forbidden");
  assertEquals(await contents(stack), before);
  const admin = await stack.signUp();
  await stack.database.query(
    `update auth.users set raw_app_meta_data = '{"role":"admin"}' where id = $1`,
    [admin.id],
  );
  await assertProblem(
    await post({ authorization: `Bearer ${admin.token}` }, document("By an admin.")),
    404,
    "not_found",
  );
});

Deno.test("the project stores for any agent it names", async () => {
  const { agentId } = await tenant();
  const secret = { apikey: stack.secretKey };
  const body = { title: "A", content: "By the server." };
  assertEquals((await post(secret, { ...body, agent_id: agentId })).status, 201);
  await assertProblem(await post(secret, body), 422, "validation_failed");
  await assertProblem(await post(secret, { ...body, agent_id: crypto.randomUUID() }), 404, "not_found");
});

Deno.test("a key beyond its requests per minute is 429 with the wait, stores nothing, and is an incident", async () => {
  const { key, agentId } = await tenant({ requests_per_minute: 1 });
  assertEquals((await post({ "x-api-key": key }, { title: "A", content: "The only one." })).status, 201);
  const before = await contents(stack);
  for (let call = 0; call < 3; call++) {
    const refused = await post({ "x-api-key": key }, { title: "A", content: "One too many." });
    const wait = Number(refused.headers.get("retry-after"));
    assert(wait >= 1 && wait <= 60);
    assertEquals(refused.headers.get("x-ratelimit-remaining-requests"), "0");
    assertEquals((await assertProblem(refused, 429, "rate_limited")).retry_after, wait);
  }
  assertEquals(await contents(stack), before);
  const incidents = await stack.database.query(
    "select kind, count from public.security_incidents where agent_id = $1",
    [agentId],
  );
  assertEquals(incidents, [{ kind: "rate_limit", count: 1 }]);
  // Asking for the status is a request like any other.
  for (const path of ["", `/${crypto.randomUUID()}`, `/${crypto.randomUUID()}/file`]) {
    await assertProblem(await fetch(url + path, { headers: { "x-api-key": key } }), 429, "rate_limited");
  }
});

Deno.test("agent_id with an agent key is refused", async () => {
  const { key, agentId } = await tenant();
  const refused = await post({ "x-api-key": key }, { title: "A", content: "x", agent_id: agentId });
  const { errors } = await assertProblem(refused, 422, "validation_failed");
  assertEquals((errors as { path: string }[])[0]!.path, "agent_id");
});

Deno.test("a request to fetch a page is refused by name", async () => {
  const { key } = await tenant();
  const refused = await post({ "x-api-key": key }, { url: "https://shop.example", title: "A", content: "x" });
  const { errors } = await assertProblem(refused, 422, "unsupported_parameter");
  assertEquals((errors as { path: string }[])[0]!.path, "url");
});

Deno.test("a plan's documents are a limit, and replacing one needs no further", async () => {
  const { key, agentId } = await tenant();
  await stack.database.query(
    `insert into public.documents (agent_id, title, mime_type, content_hash, size_bytes, status)
     select $1, 'filler', 'text/plain', lpad(to_hex(n), 64, '0'), 1, 'queued' from generate_series(1, 199) n`,
    [agentId],
  );
  const source = "one";
  assertEquals((await post({ "x-api-key": key }, { title: "A", source, content: "The 200th." })).status, 201);
  const before = await contents(stack);
  const refused = await post({ "x-api-key": key }, { title: "B", content: "The 201st." });
  assertEquals(refused.headers.get("x-should-retry"), "false");
  const { limit, used } = await assertProblem(refused, 429, "quota_exceeded");
  assertEquals([limit, used], [200, 200]);
  assertEquals(await contents(stack), before);
  assertEquals(
    (await post({ "x-api-key": key }, { title: "A", source, content: "The 200th again." })).status,
    201,
  );
});

Deno.test("wrong fields are refused, each by its path, and nothing is stored", async () => {
  const { key } = await tenant();
  const good = { title: "A", content: "text" };
  const wrong: [string, Record<string, unknown>][] = [
    ["title", { title: undefined }],
    ["title", { title: "" }],
    ["title", { title: "a\0b" }],
    ["title", { title: "\ud800" }],
    ["title", { title: "x".repeat(501) }],
    ["content", { content: undefined }],
    ["content", { content: "" }],
    ["content", { content: " \n\t " }],
    ["content", { content: "NUL \0 inside" }],
    ["content", { content: "half \udc00 inside" }],
    ["content", { content: 7 }],
    ["source", { source: "x".repeat(2001) }],
    ["category", { category: "x".repeat(101) }],
    ["language", { language: "French" }],
    ["metadata", { metadata: [] }],
    ["metadata", { metadata: { a: "x".repeat(17_000) } }],
    ["metadata", { metadata: { a: "\0" } }],
    ["agent_id", { agent_id: "mine" }],
    ["mime_type", { mime_type: "application/pdf" }],
  ];
  const before = await contents(stack);
  for (const [path, fields] of wrong) {
    const { errors } = await assertProblem(
      await post({ "x-api-key": key }, { ...good, ...fields }),
      422,
      "validation_failed",
    );
    assertEquals((errors as { path: string }[])[0]!.path, path);
  }
  await assertProblem(
    await post({ "x-api-key": key }, { ...good, mime_type: "image/png" }),
    415,
    "unsupported_media_type",
  );
  assertEquals(await contents(stack), before);
});

Deno.test("wrong forms and files are refused, and nothing is stored", async () => {
  const { key } = await tenant();
  const headers = { "x-api-key": key };
  const before = await contents(stack);
  const form = "multipart/form-data; boundary=x";
  const broken = await fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": form },
    body: "--x\r\nno",
  });
  await assertProblem(broken, 422, "validation_failed");
  const noBoundary = { ...headers, "content-type": "multipart/form-data" };
  const { detail } = await assertProblem(
    await fetch(url, { method: "POST", headers: noBoundary, body: "x" }),
    422,
    "validation_failed",
  );
  assertEquals(
    detail,
    "Cannot accept the document: the body must be whole multipart/form-data, with its boundary",
  );
  await assertProblem(await send(headers, null), 422, "validation_failed");
  await assertProblem(await send(headers, new File([], "empty.md")), 422, "validation_failed");
  await assertProblem(
    await send(headers, new File(["x"], "a.png", { type: "image/png" })),
    415,
    "unsupported_media_type",
  );
  const bytes = new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0, 0, 0]);
  await assertProblem(await send(headers, new File([bytes], "program")), 415, "unsupported_media_type");
  await assertProblem(
    await send(headers, new File([handbook], "a.md"), { metadata: "{" }),
    422,
    "validation_failed",
  );
  await assertProblem(
    await send(headers, new File([handbook], "a.md"), { url: "https://x" }),
    422,
    "unsupported_parameter",
  );
  for (
    const [name, content] of Object.entries({
      "nul.txt": "a\0b",
      "broken.pdf": "%PDF-1.7 broken",
      "a.docx": "PK\x03\x04",
    })
  ) {
    await assertProblem(await send(headers, new File([content], name)), 422, "validation_failed");
  }
  const large = new File([new Uint8Array(10 * 1024 * 1024)], "large.txt");
  await assertProblem(await send(headers, large), 413, "body_too_large");
  assertEquals(await contents(stack), before);
});
