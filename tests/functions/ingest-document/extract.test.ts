import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { zlibSync } from "fflate";
import { parseCsv } from "../../../functions/ingest-document/csv.ts";
import { MAX_ENTRIES, MAX_UNPACKED } from "../../../functions/ingest-document/docx.ts";
import { extract } from "../../../functions/ingest-document/extract.ts";
import { withDeadline } from "../../../functions/ingest-document/pdf-deadline.ts";
import { docx, type MediaType } from "../../../functions/ingest-document/media-type.ts";
import { MAX_ITEMS, MAX_PAGES, MAX_STREAM } from "../../../functions/ingest-document/pdf-limits.ts";
import type { TextSource } from "../../../functions/ingest-document/sections.ts";
import { Problem } from "../../../shared/errors.ts";
import { buildDocx, docxBomb, docxOfParts, lyingDocx } from "../../fixtures/docx.ts";
import { buildPdf, frenchManual, longPdf, pdfBomb, repeatedContent } from "../../fixtures/pdf.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

async function textOf(content: string | Uint8Array, type: MediaType): Promise<TextSource> {
  const extraction = await extract(typeof content === "string" ? utf8(content) : content, type);
  assert(extraction.kind === "text");
  assertEquals(extraction.source.text.normalize("NFC"), extraction.source.text);
  for (const { start, end } of extraction.source.headings) {
    assert(start < end && end <= extraction.source.text.length);
  }
  return extraction.source;
}

async function pagesOf(content: Uint8Array, first?: number) {
  const extraction = await extract(content, "application/pdf");
  assert(extraction.kind === "pages");
  const pages = [];
  for await (const page of extraction.document.pages(first)) pages.push(page);
  await extraction.document.close();
  return pages;
}

async function assertRefused(content: string | Uint8Array, type: MediaType, reason: string): Promise<void> {
  const bytes = typeof content === "string" ? utf8(content) : content;
  const problem = await assertRejects(() => extract(bytes, type), Problem);
  assertEquals(problem.code, "validation_failed");
  assertStringIncludes(problem.detail, reason);
}

const titles = ({ text, headings }: TextSource) =>
  headings.map(({ start, end, level, title }) => [level, title, text.slice(start, end)]);

Deno.test("text is decoded as UTF-8, as UTF-16 with its mark, else as windows-1252", async () => {
  const text = "L’été à 12 €";
  const utf16 = (littleEndian: boolean) => {
    const view = new DataView(new ArrayBuffer(2 + 2 * text.length));
    view.setUint16(0, 0xfeff, littleEndian);
    [...text].forEach((character, n) => view.setUint16(2 + 2 * n, character.charCodeAt(0), littleEndian));
    return new Uint8Array(view.buffer);
  };
  const legacy = Uint8Array.from([76, 0x92, 0xe9, 116, 0xe9, 32, 0xe0, 32, 49, 50, 32, 0x80]);
  for (const bytes of [utf8(text), utf8(`\ufeff${text}`), utf16(true), utf16(false), legacy]) {
    assertEquals((await textOf(bytes, "text/plain")).text, text);
  }
});

Deno.test("text is composed, with one kind of line break and without what is not seen", async () => {
  const { text } = await textOf("e\u0301te\u0301\r\nA\rB\fC co\u00adop \u0007fin", "text/plain");
  assertEquals(text, "été\nA\nB\nC coop  fin");
});

Deno.test("what is no text is refused", async () => {
  await assertRefused("a\0b", "text/plain", "NUL");
  await assertRefused(
    Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x81, 0x9d, 0xff]),
    "text/plain",
    "not valid UTF-8",
  );
  await assertRefused(
    Uint8Array.from([0xff, 0xfe, 0x00, 0xd8, 0x41, 0x00]),
    "text/plain",
    "not valid UTF-16",
  );
  await assertRefused(Uint8Array.from([0x22, 0xe9, 0x22]), "application/json", "not valid UTF-8");
  for (const empty of ["", " \n\t", "\ufeff", "\u00ad"]) await assertRefused(empty, "text/plain", "no text");
});

Deno.test("Markdown keeps its text and tells its headings, not those in code or front matter", async () => {
  const markdown = [
    "---\ntitle: x\n---\n# Guide **d’achat** ##\n\nIntro\n\n## [Retours](#r) {#retours}\n\n```sh\n# no heading\n```\n",
    "Titre souligné\n===\n\nAutre\n---\n\n- liste\n---\n\n~~~\n# no\n```\n# no\n~~~\n    # no\n#hashtag\n### `code`_fin_",
  ].join("\n");
  const source = await textOf(markdown, "text/markdown");
  assertEquals(source.text, markdown);
  assertEquals(titles(source), [
    [1, "Guide d’achat", "# Guide **d’achat** ##"],
    [2, "Retours", "## [Retours](#r) {#retours}"],
    [1, "Titre souligné", "Titre souligné\n==="],
    [2, "Autre", "Autre\n---"],
    [3, "code_fin_", "### `code`_fin_"],
  ]);
});

Deno.test("HTML becomes text with headings, lists, code and tables that say their columns", async () => {
  const source = await textOf(
    `<!doctype html><html><head><title>T</title><style>p { color: red }</style></head><body><nav>Menu</nav>
    <h1>Guide &amp; aide</h1><div><p>Bonjour <b>à</b>
      tous,<br>ici.</p></div><h2>Retours<br>faciles</h2>
    <ul><li>un</li><li><p>deux</p><ol><li>sous</li><li>sur</li></ol></li></ul><p hidden>caché</p>
    <pre><code>let a = 1;\n  if (a) {}\n</code></pre><script>evil("<p>")</script>
    <table><thead><tr><th>Nom</th><th>Prix</th></tr></thead><tr><td>Chaise</td><td><p>49&nbsp;€</p></td></tr>
    <tr><td>Table<td>120&euro;</table><dl><dt>Q</dt><dd>R</dd></dl>fin</body></html>`,
    "text/html",
  );
  assertEquals(
    source.text,
    [
      "Guide & aide",
      "Bonjour à tous,\nici.",
      "Retours faciles",
      "- un\n- deux\n  1. sous\n  2. sur",
      "```\nlet a = 1;\n  if (a) {}\n```",
      "Nom: Chaise; Prix: 49\u00a0€\nNom: Table; Prix: 120€",
      "Q\nR",
      "fin",
    ].join("\n\n"),
  );
  assertEquals(titles(source), [[1, "Guide & aide", "Guide & aide"], [
    2,
    "Retours faciles",
    "Retours faciles",
  ]]);
});

Deno.test("HTML in an old encoding says so itself", async () => {
  const page = `<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-15"><p>Prix : 5 ?</p>`;
  const bytes = utf8(page).map((byte) => byte === 63 ? 0xa4 : byte);
  assertEquals((await textOf(bytes, "text/html")).text, "Prix : 5 €");
});

Deno.test("HTML of any kind is read, however broken or deep", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.constantFrom(
          "<p>",
          "</p>",
          "<table>",
          "<td>",
          "</table>",
          "<ul>",
          "<li>",
          "</ul>",
          "<h2>",
          "</h2>",
          "<pre>",
          "</pre>",
          "a",
          "é ",
          "&#0;",
          "&#xD800;",
          "<script>",
          "</script>",
          "<!--",
          "-->",
          "<",
          "&",
          "<th>",
          "<tr>",
        ),
      ),
      async (parts) => {
        const { text, headings } = await textOf(`x ${parts.join("")}`, "text/html");
        assert(text.isWellFormed() && !text.includes("\0") && text.trim() === text);
        for (const { start, end, title } of headings) assertEquals(text.slice(start, end), title);
      },
    ),
    { endOnFailure: true },
  );
  const nested = `${"<div><ul><li><table><tr><td>".repeat(100)}fin`;
  assert((await textOf(nested, "text/html")).text.endsWith("fin"));
  await assertRefused("<div>".repeat(500_000), "text/html", "nested deeper");
});

Deno.test("a row of a CSV file says its columns, with any usual delimiter", async () => {
  const expected = 'Nom: Chaise; Prix: 49,90; Note: solide, « belle »\nNom: Table "T"; Prix: 120';
  for (const delimiter of [",", ";", "\t", "|"]) {
    const quoted = (cell: string) => `"${cell.replaceAll('"', '""')}"`;
    const rows = [["Nom", "Prix", "Note"], ["Chaise", "49,90", "solide,\n« belle »"], [
      'Table "T"',
      "120",
      "",
    ]];
    const csv = rows.map((row) => row.map(quoted).join(delimiter)).join("\r\n");
    assertEquals((await textOf(csv, "text/csv")).text, expected);
  }
  assertEquals((await textOf("sep=;\nNom;Prix\nA,B;1\n", "text/csv")).text, "Nom: A,B; Prix: 1");
  assertEquals((await textOf("12;15\n13;16\n", "text/csv")).text, "12; 15\n13; 16");
  assertEquals((await textOf("seule\n", "text/csv")).text, "seule");
  await assertRefused(
    'a,b\n"c,d\ne,f\n',
    "text/csv",
    "the quote that opens in line 2 of the table never closes",
  );
  const long = `a,b\n"${"c\n".repeat(30)}c",d\n`;
  assertStringIncludes((await textOf(long, "text/csv")).text, "b: d");
});

Deno.test("CSV cells come back as they were written", () => {
  const cell = fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", " ", "é"), maxLength: 6 });
  const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 5 });
  fc.assert(fc.property(table, (rows) => {
    const csv = rows.map((row) => row.map((value) => `"${value.replaceAll('"', '""')}"`).join(",")).join(
      "\n",
    );
    assertEquals([...parseCsv(csv, ",")], rows);
  }));
});

Deno.test("JSON becomes lines that say their path", async () => {
  const value = {
    shop: { name: "Parley", open: true, note: null, tags: ["a", "b"] },
    faq: [{ q: "Délai ?", r: "3 jours" }, { q: "Prix ?" }],
  };
  assertEquals(
    (await textOf(JSON.stringify(value), "application/json")).text,
    "shop.name: Parley\nshop.open: true\nshop.tags[0]: a\nshop.tags[1]: b\n\nfaq[0].q: Délai ?\nfaq[0].r: 3 jours\n\nfaq[1].q: Prix ?",
  );
  assertEquals((await textOf('"seul"', "application/json")).text, "seul");
  await assertRefused("{", "application/json", "not valid JSON");
  await assertRefused("{}", "application/json", "no text");
  await assertRefused('["\\u0000"]', "application/json", "NUL");
  await assertRefused('["\\ud800"]', "application/json", "surrogate");
  await assertRefused("[".repeat(50_000) + "]".repeat(50_000), "application/json", "nested deeper");
});

Deno.test("a Word document keeps headings, whatever language Word has, and tables", async () => {
  const bytes = buildDocx([
    { text: "Guide d’achat", style: "Title" },
    { text: "Retours", style: "heading 1" },
    { text: "Vous avez <30> jours & plus." },
    { text: "Frais", style: "heading 2" },
    { text: "Aucun." },
  ], [["Taille", "Prix"], ["M", "12 €"]]);
  const source = await textOf(bytes, docx);
  assertEquals(
    source.text,
    "Guide d’achat\n\nRetours\n\nVous avez <30> jours & plus.\n\nFrais\n\nAucun.\n\nTaille; Prix\nM; 12 €",
  );
  assertEquals(source.headings.map(({ level, title }) => [level, title]), [[1, "Guide d’achat"], [
    2,
    "Retours",
  ], [3, "Frais"]]);
});

Deno.test("a Word document that is a bomb, damaged, encrypted or none is refused", async () => {
  await assertRefused(docxBomb(MAX_UNPACKED), docx, "bytes unpacked");
  await assertRefused(docxOfParts(MAX_ENTRIES), docx, "parts");
  // The directory says 100 bytes: no more than that is unpacked.
  await assertRefused(lyingDocx(MAX_UNPACKED, 100), docx, "the Word document is damaged");
  await assertRefused(buildDocx([{ text: "x" }]).slice(0, -40), docx, "no Word document");
  await assertRefused(new Uint8Array(100), docx, "no Word document");
  await assertRefused(Uint8Array.from([0xd0, 0xcf, 0x11, 0xe0, 0, 0]), docx, "encrypted");
  await assertRefused(buildDocx([{ text: " " }]), docx, "no text");
});

Deno.test("a PDF is read page by page: paragraphs joined, larger lines as headings, page numbers left out", async () => {
  const pages = await pagesOf(frenchManual());
  assertEquals(pages.map(({ page }) => page), [1, 2]);
  const [first, second] = pages;
  assertStringIncludes(
    first!.text,
    "L’opération dure vingt minutes et demande un litre d’eau tiède mêlée à cent millilitres",
  );
  assertStringIncludes(first!.text, "main-d’œuvre");
  assertEquals(first!.headings.map(({ level, title }) => [level, title]), [
    [1, "Manuel de la cafetière"],
    [2, "Entretien"],
    [2, "Garantie"],
  ]);
  for (const { start, end, title } of first!.headings) assertEquals(first!.text.slice(start, end), title);
  assert(
    second!.text.startsWith("n’a pas été détartré") && second!.text.endsWith("avant la fin de la période."),
  );
});

Deno.test("a PDF can be read from any page on", async () => {
  const bytes = longPdf(40);
  const extraction = await extract(bytes, "application/pdf");
  assert(extraction.kind === "pages");
  assertEquals(extraction.document.pageCount, 40);
  await extraction.document.close();
  const rest = await pagesOf(bytes, 39);
  assertEquals(rest.map(({ page }) => page), [39, 40]);
  assertEquals(rest, (await pagesOf(bytes)).slice(38));
  assert(bytes.length > 0, "the caller keeps its bytes");
});

Deno.test("words that a PDF hyphenates are one again", async () => {
  const [page] = await pagesOf(
    buildPdf([[{ text: "La livraison gratuite est propo-" }, { text: "sée dès 50 euros d’achat en li-" }, {
      text: "gne.",
    }]]),
  );
  assertEquals(page!.text, "La livraison gratuite est proposée dès 50 euros d’achat en ligne.");
});

Deno.test("a PDF is read packed as well", async () => {
  const encode = { entries: "/Filter /FlateDecode", with: (content: Uint8Array) => zlibSync(content) };
  const [page] = await pagesOf(buildPdf([[{ text: "Bonjour à tous" }]], { encode }));
  assertEquals(page!.text, "Bonjour à tous");
});

Deno.test("a PDF that unpacks to more than its limits is refused before it is opened", async () => {
  await assertRefused(pdfBomb(MAX_STREAM + 2_000_000), "application/pdf", "bytes unpacked");
  await assertRefused(buildPdf(Array.from({ length: MAX_PAGES + 1 }, () => [])), "application/pdf", "pages");
  const twice = { entries: "/Filter [/FlateDecode /FlateDecode]", with: () => new Uint8Array(100_000) };
  await assertRefused(buildPdf([[]], { encode: twice }), "application/pdf", "FlateDecode");
  const tiny = { entries: "/Filter [/FlateDecode /FlateDecode]", with: () => new Uint8Array(10) };
  await assertRefused(buildPdf([[]], { encode: tiny }), "application/pdf", "FlateDecode");
  const bomb = () => zlibSync(new Uint8Array(MAX_STREAM + 2_000_000).fill(32), { level: 9 });
  for (
    const entries of [
      "/F#69lter /Fl#61teDecode",
      "/F /Fl",
      "/Filter /FlateDecode /X (obj)",
      "/Filter % a\n/Fl",
    ]
  ) {
    await assertRefused(buildPdf([[]], { encode: { entries, with: bomb } }), "application/pdf", "unpacked");
  }
  const elsewhere = { entries: "/Filter 9 0 R", with: bomb };
  await assertRefused(buildPdf([[]], { encode: elsewhere }), "application/pdf", "in another place");
  await assertRefused(repeatedContent(1_000_000, 1000), "application/pdf", "a list of more than");
  assertEquals((await pagesOf(repeatedContent(1000, 10))).length, 1);
  // Called a picture, it is emptied: the page has no text.
  assertEquals((await pagesOf(pdfBomb(MAX_STREAM * 4, "/Subtype /Image"))).map(({ text }) => text), [""]);
});

Deno.test("a page of more pieces of text than its limit is refused while it is read", async () => {
  const page = Array.from({ length: MAX_ITEMS + 1 }, (_, n) => ({ text: "a", gap: n % 2 ? -300 : 300 }));
  const problem = await assertRejects(() => pagesOf(buildPdf([page])), Problem);
  assertEquals(problem.code, "validation_failed");
  assertStringIncludes(problem.detail, `more than ${MAX_ITEMS} pieces of text`);
});

Deno.test("a reader that gives nobody else a turn is ended at its deadline, and the next one is not", async () => {
  const { now } = Date;
  let isStopped = false;
  const busy = async () => {
    while (!isStopped) await Promise.resolve(Date.now());
  };
  const stop = () => {
    isStopped = true;
    return new Problem("validation_failed", "too slow");
  };
  const [first, second] = await Promise.allSettled([
    withDeadline(50, stop, busy),
    withDeadline(50, stop, () => Promise.resolve("read")),
  ]);
  assert(first!.status === "rejected" && first!.reason instanceof Problem);
  assertEquals(second, { status: "fulfilled", value: "read" });
  await assertRejects(
    () => withDeadline(10, () => new Error("late"), () => new Promise(() => {})),
    Error,
    "late",
  );
  assertEquals(Date.now, now);
});

Deno.test("a PDF that is damaged or encrypted is refused, one of pictures has no text", async () => {
  await assertRefused("%PDF-1.4\ngarbage", "application/pdf", "damaged");
  await assertRefused(frenchManual().slice(0, 900), "application/pdf", "damaged");
  await assertRefused("", "application/pdf", "damaged");
  const locked = buildPdf([[{ text: "secret" }]], { isEncrypted: true });
  await assertRefused(locked, "application/pdf", "encrypted");
  const hidden = new TextDecoder("latin1").decode(locked).replace("/Encrypt", "/Encry#70t % a\n");
  await assertRefused(hidden, "application/pdf", "encrypted");
  const [page] = await pagesOf(buildPdf([[{ text: "Write /Encrypt 5 0 R and /Filter 5 0 R" }]]));
  assertStringIncludes(page!.text, "/Encrypt 5 0 R");
  assertEquals((await pagesOf(buildPdf([[], []]))).map(({ text }) => text), ["", ""]);
});
