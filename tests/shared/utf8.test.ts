import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { decodeUtf8 } from "../../shared/utf8.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

Deno.test("what is valid UTF-8 is decoded, also where it holds the sign for what is not", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assertEquals(decodeUtf8(utf8(`a${text.toWellFormed()}`)), `a${text.toWellFormed()}`);
  }));
  assertEquals(decodeUtf8(utf8("\ufffd")), "\ufffd");
});

Deno.test("what a strict decoder refuses is refused", () => {
  const strict = (bytes: Uint8Array) => {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      return null;
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 12 }), (given) => {
    assertEquals(decodeUtf8(new Uint8Array(given)), strict(new Uint8Array(given)));
  }));
  assertEquals(decodeUtf8(new Uint8Array([0x61, 0xff])), null);
});
