import { assert, assertEquals } from "@std/assert";
import { projectUrl, sourceFiles } from "../gates/files.ts";
import { generateTypes, hostedProject, type Printed, run, supabase } from "./project.ts";

const migrations = await sourceFiles("supabase/migrations", /\.sql$/);
const project = await hostedProject();
Deno.test.afterAll(() => project.drop());

Deno.test("supabase db push applies every migration as a role that is no superuser", async () => {
  succeeded(await supabase(["db", "push", "--yes"], project.url));
});

Deno.test("supabase migration list shows each as applied", async () => {
  const listed =
    answer(await supabase(["migration", "list", "--output-format", "json"], project.url)).migrations;
  const versions = migrations.map(({ path }) => /(\d+)_[^/]+$/.exec(path)?.[1]);
  assertEquals(
    (listed as { local: string; remote: string }[]).map(({ local, remote }) => [local, remote]),
    versions.map((version) => [version, version]),
  );
});

Deno.test("supabase db lint finds nothing", async () => {
  const lint = await supabase(["db", "lint", "--output-format", "json"], project.url);
  assertEquals(answer(lint).results, []);
});

Deno.test("supabase db advisors finds nothing of any level, unused indexes apart", async () => {
  const advisors = ["db", "advisors", "--type", "all", "--level", "info", "--output-format", "json"];
  const results = answer(await supabase(advisors, project.url)).results as { name: string; detail: string }[];
  // On a fresh database every index is unused.
  const findings = results.filter(({ name }) => name !== "unused_index");
  assertEquals(findings.map(({ name, detail }) => `${name}: ${detail}`), []);
});

Deno.test("shared/database.types.ts is what supabase gen types prints", async () => {
  const committed = await Deno.readTextFile(projectUrl("shared/database.types.ts"));
  assert(await generateTypes(project.url) === committed, "they differ: run `deno task types`");
});

Deno.test("each migration applies by psql in one transaction", async () => {
  await using other = await hostedProject();
  const psql = [
    "--no-psqlrc",
    "--quiet",
    "--set=ON_ERROR_STOP=1",
    "--single-transaction",
    "--file=-",
    other.url,
  ];
  for (const { path, text } of migrations) {
    const { code, stderr } = await run("psql", psql, {}, text);
    assertEquals([code, stderr.replaceAll(/^.*NOTICE: .*\n/gm, "")], [0, ""], path);
  }
});

Deno.test("each migration applies pasted whole, as one text", async () => {
  await using other = await hostedProject();
  for (const { text } of migrations) await other.exec(text);
});

function succeeded(printed: Printed): Printed {
  assertEquals(printed.code, 0, printed.stderr + printed.stdout);
  return printed;
}

function answer(printed: Printed): Record<string, unknown> {
  return JSON.parse(succeeded(printed).stdout);
}
