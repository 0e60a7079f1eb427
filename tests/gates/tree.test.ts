import { assertEquals } from "@std/assert";
import { functionNames, projectUrl, sourceFiles } from "./files.ts";

Deno.test("no file names a package host or a folder of this machine", async () => {
  const binary = /\.(pdf|docx|png|ico|gz|zip|woff2)$/;
  const files = (await sourceFiles("", /./)).filter((file) => !binary.test(file.path));
  const hosts = /https?:\/\/[a-z0-9.-]*(npm|debian)[a-z0-9.-]*/i;
  const folders = [new URL("../", projectUrl("")).pathname, `${Deno.env.get("HOME")}/`].filter((path) =>
    path.length > 1
  );
  const wrong = files.filter(({ text }) =>
    hosts.test(text) || folders.some((folder) => text.includes(folder))
  );
  assertEquals(wrong.map((file) => file.path), []);
});

Deno.test("nothing is named after what it is not: no utils, helpers or managers", async () => {
  const files = await sourceFiles("", /\.(ts|sql|sh)$/);
  assertEquals(
    files.map((file) => file.path).filter((path) => /(utils?|helpers?|manager)\b/i.test(path)),
    [],
  );
});

Deno.test("supabase/config.toml deploys each function from its folder", async () => {
  const [config] = await sourceFiles("supabase", /config\.toml$/);
  const sections = [...(config?.text ?? "").matchAll(/\[functions\.([\w-]+)\]\n((?:[^[\n].*\n?)*)/g)];
  const expected = (await functionNames()).map((name) => [
    name,
    `entrypoint = "../functions/${name}/index.ts"\nimport_map = "../import_map.json"\nverify_jwt = false`,
  ]);
  assertEquals(sections.map(([, name, body = ""]) => [name, body.trim()]), expected);
});
