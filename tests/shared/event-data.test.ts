import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { EventData } from "../../shared/event-data.ts";

const read = (pieces: string[]) => {
  const events = new EventData();
  return pieces.flatMap((piece) => events.push(piece));
};

for (
  const [what, text, expected] of [
    ["one event", "data: a\n\n", ["a"]],
    ["no blank before the value", "data:a\n\n", ["a"]],
    ["only one blank is the separator's", "data:  a\n\n", [" a"]],
    ["several lines are one event", "data: a\ndata: b\n\n", ["a\nb"]],
    ["an empty value", "data:\n\ndata\n\n", ["", ""]],
    ["other fields and comments", ": hi\nid: 1\nevent: x\nretry: 5\ndatum: y\ndata: a\n\n", ["a"]],
    ["an event without data", "event: ping\n\ndata: a\n\n", ["a"]],
    ["CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]],
    ["CR alone", "data: a\r\rdata: b\r\r", ["a"]],
    ["what the end cuts off", "data: a\n\ndata: b\n", ["a"]],
  ] as const
) {
  Deno.test(`events are read by the standard: ${what}`, () => assertEquals(read([text]), [...expected]));
}

Deno.test("events are the same however the text is cut", () => {
  const line = fc.constantFrom("data: a", "data:b c", "data", ": x", "event: e", "data: é🙂", "");
  const text = fc.array(fc.tuple(line, fc.constantFrom("\n", "\r\n", "\r")), { maxLength: 30 })
    .map((lines) => lines.flat().join(""));
  fc.assert(fc.property(text, fc.array(fc.nat(200), { maxLength: 20 }), (whole, cuts) => {
    const at = [...new Set([0, ...cuts.map((cut) => Math.min(cut, whole.length)), whole.length])].sort((
      a,
      b,
    ) => a - b);
    assertEquals(read(at.slice(1).map((end, index) => whole.slice(at[index], end))), read([whole]));
  }));
});

Deno.test("an event without an end is refused before it fills the memory", () => {
  const events = new EventData();
  assertThrows(() => {
    for (let piece = 0; piece < 100; piece++) events.push("data: x".padEnd(1 << 16, "x"));
  }, RangeError);
});
