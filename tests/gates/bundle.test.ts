import { assert } from "@std/assert";
import { functionNames, projectUrl } from "./files.ts";

/** What the hosted platform takes as one function. */
const maxBytes = 5_000_000;

for (const name of await functionNames()) {
  Deno.test(`the bundle of ${name} is at most 5 MB`, async () => {
    const bundle = new Deno.Command(Deno.execPath(), {
      args: ["bundle", "--quiet", "--minify", `functions/${name}/index.ts`],
      cwd: projectUrl(""),
    });
    const { success, stdout, stderr } = await bundle.output();
    assert(success, new TextDecoder().decode(stderr));
    assert(stdout.length > 0 && stdout.length <= maxBytes, `${stdout.length} bytes`);
  });
}
