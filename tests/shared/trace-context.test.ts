import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { continueTrace, traceHeaders } from "../../shared/trace-context.ts";

const id = "4bf92f3577b34da6a3ce929d0e0e4736";
const span = "00f067aa0ba902b7";
const read = (headers: Record<string, string>) => continueTrace(new Headers(headers));

Deno.test("a valid trace is continued below the caller's span, and passed on with its state", () => {
  const trace = read({ traceparent: `00-${id}-${span}-01`, tracestate: "congo=t61rcWkgMzE, rojo@x=00f0" });
  assertEquals([trace.traceId, trace.parentId, trace.flags], [id, span, "01"]);
  assertMatch(trace.spanId, /^[\da-f]{16}$/);
  assertNotEquals(trace.spanId, span);
  assertEquals(traceHeaders(trace), {
    traceparent: `00-${id}-${trace.spanId}-01`,
    tracestate: "congo=t61rcWkgMzE,rojo@x=00f0",
  });
});

Deno.test("a later version counts by what is known of it", () => {
  const trace = read({ traceparent: `cc-${id}-${span}-fe-more` });
  assertEquals([trace.traceId, trace.parentId, trace.flags], [id, span, "02"]);
});

for (
  const traceparent of [
    "",
    "nonsense",
    `00-${id}-${span}-01-more`,
    `ff-${id}-${span}-01`,
    `00-${"0".repeat(32)}-${span}-01`,
    `00-${id}-${"0".repeat(16)}-01`,
    `00-${id.toUpperCase()}-${span}-01`,
    `00-${id.slice(1)}-${span}-01`,
    `00-${id}-${span}`,
    `00-${id}-${span}-1`,
    `00-${id}-${span}-01, 00-${id}-${span}-01`,
  ]
) {
  Deno.test(`a trace that is not valid is replaced, its state too: ${traceparent}`, () => {
    const trace = read({ traceparent, tracestate: "a=1" });
    assertEquals([trace.parentId, trace.state], [null, null]);
    assertNotEquals(trace.traceId, id);
    assertMatch(traceHeaders(trace).traceparent!, /^00-[\da-f]{32}-[\da-f]{16}-01$/);
    assertEquals(Object.keys(traceHeaders(trace)), ["traceparent"]);
  });
}

Deno.test("a state that is not valid is dropped, its trace is not", () => {
  const many = Array.from({ length: 33 }, (_, n) => `a${n}=1`).join(",");
  for (const tracestate of ["nonsense", "A=1", "a=é", "a=", many, ","]) {
    const trace = read({ traceparent: `00-${id}-${span}-00`, tracestate });
    assertEquals([trace.traceId, trace.state], [id, null], tracestate);
  }
});

Deno.test("two traces that begin here are two", () => {
  assertNotEquals(read({}).traceId, read({}).traceId);
});
