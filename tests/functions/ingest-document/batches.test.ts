import { assert, assertEquals } from "@std/assert";
import { type Batch, readBatches } from "../../../functions/ingest-document/batches.ts";
import type { MediaType } from "../../../functions/ingest-document/media-type.ts";
import { longPdf } from "../../fixtures/pdf.ts";
import { frenchText } from "../../fixtures/texts.ts";

async function all(bytes: Uint8Array, mimeType: MediaType): Promise<Batch[]> {
  const batches = await readBatches({ bytes, mimeType });
  const read: Batch[] = [];
  do read.push(await batches.next()); while (!read.at(-1)!.done);
  await batches.close();
  return read;
}

/** Every batch by a reader of its own, which knows nothing but the state the one before left in the database. */
async function resumed(bytes: Uint8Array, mimeType: MediaType): Promise<Batch[]> {
  const read: Batch[] = [];
  let state: Record<string, unknown> = {};
  do {
    const batches = await readBatches({ bytes, mimeType, state });
    read.push(await batches.next());
    await batches.close();
    state = JSON.parse(JSON.stringify(read.at(-1)!.state));
  } while (!read.at(-1)!.done);
  return read;
}

const documents: [string, Uint8Array, MediaType][] = [
  ["a text", new TextEncoder().encode(frenchText(4000)), "text/plain"],
  [
    "a text with headings",
    new TextEncoder().encode(
      Array.from({ length: 40 }, (_, n) => `# Partie ${n}\n\n${frenchText(80, n)}\n`).join("\n"),
    ),
    "text/markdown",
  ],
  ["a PDF", longPdf(120), "application/pdf"],
];

for (const [name, bytes, type] of documents) {
  Deno.test(`${name} gives the same chunks wherever it is interrupted`, async () => {
    const whole = await all(bytes, type);
    assert(whole.length >= 3, `${whole.length} batches`);
    assertEquals((await resumed(bytes, type)).map(({ chunks }) => chunks), whole.map(({ chunks }) => chunks));
    const progress = whole.map((batch) => batch.progress);
    assertEquals(progress, progress.toSorted((a, b) => a - b));
    assert(progress.every((share) => share > 0 && share <= 1));
    assertEquals(whole[0]!.language, "fr");
  });
}

Deno.test("a document of one batch is done at once", async () => {
  const [batch, ...others] = await all(new TextEncoder().encode("Bonjour tout le monde."), "text/plain");
  assertEquals([batch!.chunks.length, batch!.done, others.length], [1, true, 0]);
});
