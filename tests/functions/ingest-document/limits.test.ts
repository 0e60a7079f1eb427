import { assert } from "@std/assert";
import { chunkText, MOST } from "../../../functions/ingest-document/chunk.ts";
import { extract } from "../../../functions/ingest-document/extract.ts";
import type { MediaType } from "../../../functions/ingest-document/media-type.ts";
import { Problem } from "../../../shared/errors.ts";
import { embedLocally } from "../../../shared/local-embedder.ts";
import { frenchText } from "../../fixtures/texts.ts";

/** Reads, cuts and embeds a text; returns how many chunks it has. */
async function ingest(text: string, type: MediaType): Promise<number> {
  const extraction = await extract(new TextEncoder().encode(text), type);
  assert(extraction.kind === "text");
  let count = 0;
  for (const { chunk } of chunkText(extraction.source)) {
    assert(chunk.tokens <= MOST);
    assert(chunk.content.length < 20_000, `${chunk.content.length} characters in a chunk`);
    embedLocally(chunk.content);
    count++;
  }
  return count;
}

const SIZE = 150_000;
const filled = (piece: string) => piece.repeat(Math.ceil(SIZE / piece.length));

/** Letters that repeat in no short period. */
function letters(size: number): string {
  let state = 1, text = "";
  for (let n = 0; n < size; n++) {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0;
    text += String.fromCharCode(97 + state % 26);
  }
  return text;
}

const hostile: [string, string, MediaType][] = [
  ["dots", filled("."), "text/plain"],
  ["spaces before a word", `# a${filled(" ")}b`, "text/markdown"],
  ["signs of headings", filled("# "), "text/markdown"],
  ["headings without text", filled("#\n"), "text/markdown"],
  ["one word", letters(SIZE), "text/plain"],
  ["empty lines", `a${filled("\n")}b`, "text/plain"],
  ["quotes after dots", filled('.»)"'), "text/plain"],
  ["cells", filled("|a"), "text/markdown"],
  ["fences", filled("```\n"), "text/markdown"],
  ["accents on one letter", `a${filled("\u0301")}`, "text/plain"],
  ["joined characters", filled("👩‍👩‍👧‍👦"), "text/plain"],
  ["text without spaces", filled("日本語の文章です"), "text/plain"],
  ["open tags", filled("<p>a"), "text/html"],
  ["less-than signs", `a${filled("<")}`, "text/html"],
  ["attributes", `<a ${filled("b=c ")}>a`, "text/html"],
  ["columns", filled("a;"), "text/csv"],
  ["quotes", filled('"'), "text/csv"],
  ["numbers", `[${filled("1,")}1]`, "application/json"],
];

for (const [name, text, type] of hostile) {
  Deno.test(`a text of nothing but ${name} is read in time that grows with its size alone`, async () => {
    const start = performance.now();
    await ingest(text, type);
    // A fraction of a second; what grows with the square takes minutes.
    assert(performance.now() - start < 30_000);
  });
}

Deno.test("what names repeat would blow up is refused", async () => {
  const header = Array.from({ length: 400 }, (_, n) => `${"x".repeat(90)}${n}`).join(",");
  const table = `${header}\n${`${"1,".repeat(399)}1\n`.repeat(1000)}`;
  const problem = await ingest(table, "text/csv").catch((error) => error);
  assert(problem instanceof Problem && problem.code === "validation_failed");
});

Deno.test("a text of 5 MB is read, cut and embedded at once", async () => {
  const text = Array.from({ length: 7500 }, (_, n) => frenchText(10, n)).join("\n\n");
  assert(new TextEncoder().encode(text).length > 5_000_000);
  const start = performance.now();
  assert(await ingest(text, "text/plain") > 4000);
  // About a second of computing on an idle machine; `bench/` measures it.
  assert(performance.now() - start < 30_000);
});
