import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { cleanText } from "../../../functions/ingest-document/decode.ts";

Deno.test("a text is composed like all of it at once, however long it is", () => {
  const pieces = ["e\u0301", "\u0301", "\n", "a", "q\u0323\u0307", "가", "’", "日本 "];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { minLength: 1 }), (some) => {
      const text = `x${some.join("")}`;
      assertEquals(cleanText(text), cleanText(text.normalize("NFC")));
      const long = `${"lorem\n".repeat(11_000)}${text}\n${"e\u0301 ".repeat(40_000)}\n${text}`;
      assertEquals(cleanText(long), cleanText(long.normalize("NFC")));
    }),
    { numRuns: 20 },
  );
});
