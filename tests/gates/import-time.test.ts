import { assert } from "@std/assert";
import { functionNames, projectUrl } from "./files.ts";

const maxMilliseconds = 150;
const runs = 5;

for (const name of await functionNames()) {
  Deno.test(`${name} is imported in at most ${maxMilliseconds} ms by a fresh process`, async () => {
    await importIn(name); // fills the caches, as a deployed function's bundle has them
    const times: number[] = [];
    while (times.length < runs) times.push(await importIn(name));
    const median = times.toSorted((a, b) => a - b)[Math.floor(runs / 2)] ?? Infinity;
    assert(median <= maxMilliseconds, `median ${median} ms of ${times.join(", ")}`);
  });
}

/**
 * Milliseconds that a process of its own spends on importing the function's module: by the clock, or of the processor
 * where other work on the machine makes the clock run on.
 */
async function importIn(name: string): Promise<number> {
  const script = `import process from "node:process";
    const [start, cpu] = [performance.now(), process.cpuUsage()];
    await import(${JSON.stringify(projectUrl(`functions/${name}/index.ts`).href)});
    const [clock, used] = [performance.now() - start, process.cpuUsage(cpu)];
    console.log(Math.round(Math.min(clock, (used.user + used.system) / 1000)));
    Deno.exit(0);`;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", script],
    cwd: projectUrl(""),
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return Number(new TextDecoder().decode(stdout));
}
