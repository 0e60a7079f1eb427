import { assertEquals } from "@std/assert";
import { functionNames, importsOf, projectUrl, sourceFiles } from "./files.ts";

const typescript = /\.ts$/;

Deno.test("only shared/rpc.ts calls the database", async () => {
  const files = [...await sourceFiles("functions", typescript), ...await sourceFiles("shared", typescript)];
  const callers = files.filter((file) => /\.rpc\(/.test(file.text)).map((file) => file.path);
  assertEquals(callers, ["shared/rpc.ts"]);
});

Deno.test("functions and shared import nothing from the rest of the project", async () => {
  const allowed = /^(functions|shared)\//;
  const files = [...await sourceFiles("functions", typescript), ...await sourceFiles("shared", typescript)];
  assertEquals(relativeImports(files).filter(({ target }) => !allowed.test(target)), []);
});

Deno.test("shared imports no function, and a function imports no other function", async () => {
  const files = [...await sourceFiles("functions", typescript), ...await sourceFiles("shared", typescript)];
  const own = (path: string) =>
    path.startsWith("functions/") ? path.split("/").slice(0, 2).join("/") + "/" : "shared/";
  const foreign = relativeImports(files).filter(({ from, target }) =>
    !target.startsWith("shared/") && !target.startsWith(own(from))
  );
  assertEquals(foreign, []);
});

Deno.test("relative imports are literal and name an existing file with its ending", async () => {
  const files = await sourceFiles("", /^(functions|shared|local|tasks|tests|bench)\/.*\.ts$/);
  const wrong: string[] = [];
  for (const { from, target, specifier } of relativeImports(files)) {
    if (!/\.(ts|js|json)$/.test(specifier)) wrong.push(`${from}: ${specifier}`);
    else if (!await exists(target)) wrong.push(`${from}: ${specifier} is not there`);
  }
  const deployed = files.filter((file) => /^(functions|shared)\//.test(file.path));
  for (const { path, text } of deployed) {
    if (/\bimport\(\s*[^"'\s)]/.test(text)) wrong.push(`${path}: an import whose file is computed`);
  }
  assertEquals(wrong, []);
});

Deno.test("index.ts of each function only wires, in at most 15 lines", async () => {
  const long: string[] = [];
  for (const name of await functionNames()) {
    const text = await Deno.readTextFile(projectUrl(`functions/${name}/index.ts`));
    if (text.trimEnd().split("\n").length > 15) long.push(name);
    if (!/export default \{ fetch/.test(text)) long.push(`${name} has no \`export default { fetch }\``);
  }
  assertEquals(long, []);
});

Deno.test("the clients of the tests are imported by tests alone", async () => {
  const clients = ["ai", "openai"];
  const files = await sourceFiles("", /^(functions|shared|local)\/.*\.ts$/);
  const importers = files.filter(({ text }) =>
    importsOf(text).some((specifier) => clients.includes(specifier))
  );
  assertEquals(importers.map(({ path }) => path), []);
});

Deno.test("what is imported from packages stands in import_map.json", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile(projectUrl("import_map.json"))) as {
    imports: Record<string, string>;
  };
  const files = await sourceFiles("", /^(functions|shared|local|tasks|tests)\/.*\.ts$/);
  const missing = files.flatMap(({ path, text }) =>
    importsOf(text)
      .filter((specifier) =>
        !specifier.startsWith(".") && !specifier.startsWith("node:") && !(specifier in imports)
      )
      .map((specifier) => `${path}: ${specifier}`)
  );
  assertEquals(missing, []);
});

Deno.test("import_map.json holds exact versions, one for each package", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile(projectUrl("import_map.json"))) as {
    imports: Record<string, string>;
  };
  const wrong: string[] = [];
  const versions = new Map<string, string>();
  for (const [name, target] of Object.entries(imports)) {
    const match = /^npm:((?:@[^/]+\/)?[^@/]+)@(\d+\.\d+\.\d+(?:-[\w.]+)?)(\/.*)?$/.exec(target);
    if (!match) {
      wrong.push(`${name}: ${target}`);
      continue;
    }
    const [, pkg = "", version = ""] = match;
    if ((versions.get(pkg) ?? version) !== version) wrong.push(`${pkg} in two versions`);
    versions.set(pkg, version);
  }
  assertEquals(wrong, []);
});

function relativeImports(files: { path: string; text: string }[]) {
  return files.flatMap(({ path, text }) =>
    importsOf(text)
      .filter((specifier) => specifier.startsWith("."))
      .map((specifier) => ({
        from: path,
        specifier,
        target: new URL(specifier, `file:///${path}`).pathname.slice(1),
      }))
  );
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(projectUrl(path))).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
