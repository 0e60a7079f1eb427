import { assertEquals } from "@std/assert";
import { createLog } from "../../shared/log.ts";
import { background, settled } from "../../shared/platform.ts";

Deno.test("background work is kept until it ends, also what it starts itself", async () => {
  const done: string[] = [];
  const log = createLog(() => {});
  const gate = Promise.withResolvers<void>();
  background(
    gate.promise.then(() => {
      done.push("first");
      background(Promise.resolve().then(() => void done.push("second")), log);
    }),
    log,
  );
  const all = settled();
  gate.resolve();
  await all;
  assertEquals(done, ["first", "second"]);
});

Deno.test("background work that fails is logged and disturbs nothing", async () => {
  const lines: string[] = [];
  background(Promise.reject(new TypeError("broken")), createLog((line) => lines.push(line)));
  await settled();
  assertEquals(lines.map((line) => JSON.parse(line).event), ["background_work_failed"]);
});
