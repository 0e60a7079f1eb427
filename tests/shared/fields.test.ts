import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { jsonObject, text } from "../../shared/fields.ts";

const fault = (schema: ReturnType<typeof text> | ReturnType<typeof jsonObject>, value: unknown) =>
  schema.safeParse(value).error?.issues[0]?.message;

Deno.test("a text refuses NUL and half surrogates", () => {
  assertEquals(fault(text({ max: 10 }), "a\0b"), "must not contain NUL");
  assertEquals(fault(text({ max: 10 }), "a\ud83d"), "must not contain a lone surrogate");
  assertEquals(fault(text({ max: 10 }), "a😀"), undefined);
});

Deno.test("a text is counted in characters, not in UTF-16 units", () => {
  assertEquals(fault(text({ max: 3 }), "😀😀😀"), undefined);
  assertEquals(fault(text({ max: 3 }), "😀😀😀😀"), "must have at most 3 characters");
  assertEquals(fault(text({ min: 1, max: 3 }), ""), "must not be empty");
});

Deno.test("every text that is let in is storable as UTF-8 without NUL", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (value) => {
    const taken = text({ max: 1000 }).safeParse(value).success;
    const stored = new TextDecoder().decode(new TextEncoder().encode(value));
    assertEquals(taken, stored === value && !value.includes("\0"));
  }));
});

Deno.test("a JSON object refuses what PostgreSQL cannot store, at any depth", () => {
  assertEquals(fault(jsonObject(), { a: [{ b: "x\0" }] }), "must not contain NUL");
  assertEquals(fault(jsonObject(), { "a\ud800": 1 }), "must not contain a lone surrogate");
  assertEquals(fault(jsonObject(), { a: { b: [1, "ok", null] } }), undefined);
  assert(fault(jsonObject(), []) !== undefined);
});

Deno.test("a JSON object is bounded in bytes and in depth", () => {
  assertEquals(
    fault(jsonObject({ maxBytes: 20 }), { a: "é".repeat(10) }),
    "must have at most 20 bytes as JSON",
  );
  const deep = JSON.parse('{"a":'.repeat(20_000) + "1" + "}".repeat(20_000));
  assertEquals(fault(jsonObject(), deep), "must not be nested deeper than 32");
});
