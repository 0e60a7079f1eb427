import { assert, assertEquals } from "@std/assert";
import { problem } from "../../shared/errors.ts";
import { createLog } from "../../shared/log.ts";

function captured(write: (log: ReturnType<typeof createLog>) => void): Record<string, unknown> {
  const lines: string[] = [];
  write(createLog((line) => lines.push(line), () => new Date("2026-11-01T10:00:00Z")));
  assertEquals(lines.length, 1);
  assert(!lines[0]!.includes("\n"));
  return JSON.parse(lines[0]!);
}

Deno.test("an entry is one JSON line with time, level and event", () => {
  assertEquals(captured((log) => log.info("document_ready", { chunks: 3 })), {
    time: "2026-11-01T10:00:00.000Z",
    level: "info",
    event: "document_ready",
    chunks: 3,
  });
});

Deno.test("an error is logged with its causes and code", () => {
  const cause = new TypeError("x is not a function");
  const entry = captured((log) => log.error("failed", problem("internal", "Cannot answer", { cause })));
  const error = entry.error as { code: string; status: number; cause: { name: string; stack: string[] } };
  assertEquals([error.code, error.status, error.cause.name], ["internal", 500, "TypeError"]);
  assert(error.cause.stack.length > 0);
});

Deno.test("no secret and no caller's text reaches the log", () => {
  const key = `ak_${"a".repeat(72)}`;
  const errors = [
    new Error(`key ${key} with Bearer eyJhbGciOi.abc and sb_secret_abcdef`),
    (() => {
      try {
        return JSON.parse("the caller's words");
      } catch (error) {
        return error;
      }
    })(),
    Object.assign(new Error("the caller's words"), { name: "AI_APICallError" }),
    "the caller's words",
  ];
  for (const error of errors) {
    const line = JSON.stringify(captured((log) => log.error("failed", error)));
    for (const hidden of ["ak_aaa", "eyJ", "sb_secret_abc", "caller's"]) assert(!line.includes(hidden), line);
  }
});
