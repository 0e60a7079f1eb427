const root = new URL("../../", import.meta.url);
const notOurs = new Set([".git", ".parley", "node_modules", ".temp", ".branches"]);

/** One file of the project: its path from the project's root, and its text. */
export interface SourceFile {
  path: string;
  text: string;
}

/** The address of a path in the project. */
export function projectUrl(path: string): URL {
  return new URL(path, root);
}

/** Reads every file below `folder` whose path matches `pattern`; folders that are not committed are left out. */
export async function sourceFiles(folder: string, pattern: RegExp): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  for (const path of await paths(folder === "" ? "" : `${folder}/`)) {
    if (pattern.test(path)) files.push({ path, text: await Deno.readTextFile(projectUrl(path)) });
  }
  return files;
}

/** The names of the functions, one for each folder below functions/ that has an index.ts. */
export async function functionNames(): Promise<string[]> {
  const indexes = (await paths("functions/")).filter((path) => /^functions\/[^/]+\/index\.ts$/.test(path));
  return indexes.map((path) => path.split("/")[1] ?? "");
}

/** Every specifier that a TypeScript text imports or exports from, types and dynamic imports included. */
export function importsOf(text: string): string[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, "");
  const statement = /^\s*(?:import|(?:import|export)\s[^;"'`()]*?\bfrom)\s*["']([^"'\n]+)["']/gm;
  const dynamic = /\bimport\(\s*["']([^"']+)["']/g;
  return [...code.matchAll(statement), ...code.matchAll(dynamic)].map((match) => match[1] ?? "");
}

async function paths(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(folder === "" ? root : projectUrl(folder))) {
    if (notOurs.has(entry.name)) continue;
    if (entry.isDirectory) found.push(...await paths(`${folder}${entry.name}/`));
    else if (entry.isFile) found.push(`${folder}${entry.name}`);
  }
  return found.sort();
}
