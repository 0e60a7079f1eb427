import { assert, assertEquals, assertMatch } from "@std/assert";
import { buildDocx, docxBomb } from "../../fixtures/docx.ts";
import { buildPdf, frenchManual, longPdf } from "../../fixtures/pdf.ts";
import { assertProblem, contents } from "../../support/security-suite.ts";
import { startStack } from "../../support/stack.ts";

const stack = await startStack();
Deno.test.afterAll(() => stack.close());

const url = stack.functionUrl("ingest-document");
const user = await stack.signUp();
const agent = await stack.createAgent(user.token);
const { key } = await stack.createKey(user.token, agent.id, {
  scopes: ["ingest", "read"],
  requests_per_minute: 10_000,
});
const headers = { "x-api-key": key };

function send(content: BlobPart, name: string, type = "") {
  const form = new FormData();
  form.set("file", new File([content], name, { type }));
  return fetch(url, { method: "POST", headers, body: form });
}

const chunksOf = (documentId: string) =>
  stack.database.query<{ content: string; heading: string | null; page: number | null }>(
    "select content, heading, page from public.document_chunks where document_id = $1 order by chunk_index",
    [documentId],
  );

Deno.test("a PDF is stored with the headings and the page of each passage, in its own language", async () => {
  const response = await send(frenchManual(), "manuel.pdf", "application/pdf");
  const body = await response.json();
  assertEquals(response.status, 201, JSON.stringify(body));
  const chunks = await chunksOf(body.document_id);
  const warranty = chunks.find(({ content }) => content.includes("main-d’œuvre"))!;
  assertEquals(warranty.page, 1);
  assertMatch(warranty.heading!, /Garantie/);
  const [row] = await stack.database.query("select language, mime_type from public.documents where id = $1", [
    body.document_id,
  ]);
  assertEquals(row, { language: "fr", mime_type: "application/pdf" });
  const original = await fetch(`${url}/${body.document_id}/file`, { headers });
  assertEquals(new Uint8Array(await original.arrayBuffer()), frenchManual());
  assertEquals(original.headers.get("content-type"), "application/pdf");
});

Deno.test("a Word document is stored with its headings", async () => {
  const file = buildDocx([
    { text: "Opening hours", style: "heading 1" },
    { text: "The shop is open from nine to five, and closed on Sundays." },
  ]);
  const { document_id, status } = await (await send(file, "hours.docx")).json();
  assertEquals(status, "ready");
  const [chunk] = await chunksOf(document_id);
  assertMatch(chunk!.content, /closed on Sundays/);
  assertEquals(chunk!.heading, "Opening hours");
});

Deno.test("HTML, CSV and JSON are stored as text", async () => {
  const files: [string, string][] = [
    ["page.html", "<h1>Fees</h1><script>evil()</script><p>The fee is <b>five</b> euros.</p>"],
    ["prices.csv", "product,price\nblue bicycle,300\n"],
    ["data.json", '{"return policy":"thirty days"}'],
  ];
  const found = [];
  for (const [name, content] of files) {
    const { document_id } = await (await send(content, name)).json();
    found.push((await chunksOf(document_id)).map(({ content }) => content).join("\n"));
  }
  assertMatch(found[0]!, /The fee is five euros/);
  assert(!found[0]!.includes("evil"));
  assertMatch(found[1]!, /blue bicycle[^]*300/);
  assertMatch(found[2]!, /thirty days/);
});

Deno.test("a long PDF is read in the background, fifty pages at a time, and every page is found", async () => {
  const response = await send(longPdf(120), "long.pdf");
  assertEquals(response.status, 202);
  const { document_id } = await response.json();
  const work = () =>
    fetch(`${url}/work`, { method: "POST", headers: { apikey: stack.secretKey } }).then((answer) =>
      answer.json()
    );
  let shown = { status: "", progress: 0 };
  const seen = new Set<number>();
  while (shown.status !== "ready" && shown.status !== "failed") {
    await work();
    shown = await (await fetch(`${url}/${document_id}`, { headers })).json();
    seen.add(shown.progress);
  }
  assertEquals([shown.status, shown.progress], ["ready", 1]);
  const pages = new Set((await chunksOf(document_id)).map(({ page }) => page));
  assertEquals(pages.size, 120);
});

Deno.test("a broken, encrypted, scanned or empty file is refused at once, with a reason, and nothing is stored", async () => {
  const pdf = frenchManual();
  const wrong: [string, BlobPart, RegExp][] = [
    ["cut.pdf", pdf.slice(0, 200), /damaged/],
    ["noise.pdf", crypto.getRandomValues(new Uint8Array(5000)), /damaged/],
    ["locked.pdf", buildPdf([[{ text: "Secret" }]], { isEncrypted: true }), /encrypted/],
    ["scan.pdf", buildPdf([[], []]), /no text/],
    ["text.docx", "just a text", /Word document/],
    ["bomb.docx", docxBomb(64 * 1024 * 1024), /unpacked/],
    ["nul.md", "a\0b", /NUL/],
    ["empty.md", "\n\n", /no text/],
    ["empty.html", "<p> </p>", /no text/],
    ["bad.json", "{", /JSON/],
  ];
  const before = await contents(stack);
  for (const [name, content, reason] of wrong) {
    const { detail, errors } = await assertProblem(await send(content, name), 422, "validation_failed");
    assertMatch(String(detail), reason, name);
    assertEquals((errors as { path: string }[])[0]!.path, "file", name);
  }
  assertEquals(await contents(stack), before);
});
