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

Deno.test("on the platform background work is handed to the runtime, guarded", async () => {
  const waited: Promise<unknown>[] = [];
  const EdgeRuntime = { waitUntil: (promise: Promise<unknown>) => void waited.push(promise) };
  background(Promise.reject(new Error("broken")), createLog(() => {}), { EdgeRuntime });
  assertEquals(waited.length, 1);
  await waited[0];
});
