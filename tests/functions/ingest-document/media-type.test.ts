import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { encodeBase64, writeBase64 } from "../../../functions/ingest-document/base64.ts";
import { docx, mediaTypeOf } from "../../../functions/ingest-document/media-type.ts";
import { Meter } from "../../../functions/ingest-document/meter.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("a declared type counts, with its aliases and parameters", () => {
  assertEquals(mediaTypeOf("text/html; charset=utf-8", "a.txt", bytes("x")), "text/html");
  assertEquals(mediaTypeOf("Text/X-Markdown", "a", bytes("x")), "text/markdown");
  assertEquals(mediaTypeOf("image/png", "a.txt", bytes("x")), null);
});

Deno.test("an undeclared type is told by the name, then by the first bytes", () => {
  assertEquals(mediaTypeOf("application/octet-stream", "A.DOCX", bytes("x")), docx);
  assertEquals(mediaTypeOf("", "notes.md", bytes("x")), "text/markdown");
  assertEquals(mediaTypeOf("", "noname", bytes("%PDF-1.7")), "application/pdf");
  assertEquals(mediaTypeOf("", "noname", bytes("plain words")), "text/plain");
  assertEquals(mediaTypeOf("", "noname", bytes("\x7fELF\0\0")), null);
  assertEquals(mediaTypeOf("", "x.constructor", bytes("plain")), "text/plain");
});

Deno.test("plain text is told apart by its name, but never taken for a binary file", () => {
  assertEquals(mediaTypeOf("text/plain", "a.md", bytes("x")), "text/markdown");
  assertEquals(mediaTypeOf("text/plain", "a.pdf", bytes("x")), "text/plain");
});

Deno.test("base64 gives back every byte", () => {
  const back = (given: Uint8Array<ArrayBuffer>) => {
    const bytes = new Uint8Array(given.length + 2);
    assertEquals(writeBase64(encodeBase64(given), bytes.subarray(1)), given.length);
    return bytes.subarray(1, -1);
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (given) => {
    assertEquals(back(new Uint8Array(given)), new Uint8Array(given));
  }));
  const large = crypto.getRandomValues(new Uint8Array(60_000));
  assertEquals(back(large), large);
});

Deno.test("a meter counts computing and is exhausted at its limit", async () => {
  let now = 0;
  const meter = new Meter(100, () => now);
  await meter.measure(() => Promise.resolve(now += 60));
  now += 1000;
  assertEquals(meter.exhausted, false);
  await meter.measure(() => Promise.resolve(now += 40));
  assertEquals(meter.exhausted, true);
});
