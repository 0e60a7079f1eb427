import { assertEquals } from "@std/assert";
import { codes } from "../../shared/errors.ts";
import { functionNames, projectUrl, sourceFiles } from "../gates/files.ts";

const api = await Deno.readTextFile(projectUrl("docs/api.md"));

Deno.test("docs/api.md lists exactly the endpoints of the functions", async () => {
  const documented = [...section("Endpoints").matchAll(/^\| `([A-Z]+ \S+)` \|/gm)].map(([, route = ""]) =>
    route.replaceAll(/\{\w+\}/g, "{}")
  );
  const served: string[] = [];
  for (const name of await functionNames()) {
    for (const { text } of await sourceFiles(`functions/${name}`, /\.ts$/)) {
      for (const [, method, path] of text.matchAll(/method: "([A-Z]+)",\s*path: "([^"]*)"/g)) {
        served.push(`${method} /${name}${path === "/" ? "" : path?.replaceAll(/:\w+/g, "{}")}`);
      }
    }
  }
  assertEquals(documented.sort(), served.sort());
});

Deno.test("docs/api.md lists exactly the error codes, with their status", () => {
  const documented = [...section("Errors").matchAll(/^\| (\d+) \| `(\w+)` \|/gm)].map(([, status, code]) =>
    `${status} ${code}`
  );
  assertEquals(documented, Object.entries(codes).map(([code, [status]]) => `${status} ${code}`));
});

Deno.test("documents name only tasks that exist, and every task stands in CONTRIBUTING.md or bench/README.md", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(projectUrl("deno.json"))) as {
    tasks: Record<string, string>;
  };
  const documents = await sourceFiles("", /\.md$|^\.ci\/run$|^\.env\.example$/);
  const unknown = documents.flatMap(({ path, text }) =>
    [...text.matchAll(/deno task ([\w:-]+)/g)]
      .filter(([, task = ""]) => !(task in tasks))
      .map(([, task]) => `${path}: ${task}`)
  );
  assertEquals(unknown, []);
  const lists = documents.filter(({ path }) => /^(CONTRIBUTING|bench\/README)\.md$/.test(path));
  const named = lists.map(({ text }) => text).join();
  assertEquals(Object.keys(tasks).filter((task) => !new RegExp(`deno task ${task}[^\\w:-]`).test(named)), []);
});

Deno.test("links between the documents lead to files and headings that exist", async () => {
  const documents = new Map((await sourceFiles("", /\.md$/)).map(({ path, text }) => [path, text]));
  const broken: string[] = [];
  for (const [path, text] of documents) {
    for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const { pathname, hash } = new URL(target, `file:///${path}`);
      const linked = documents.get(pathname.slice(1)) ?? await readIfThere(pathname.slice(1));
      if (linked === null) broken.push(`${path}: ${target}`);
      else if (hash !== "" && !anchors(linked).includes(hash.slice(1))) broken.push(`${path}: ${target}`);
    }
  }
  assertEquals(broken, []);
});

function section(heading: string): string {
  return new RegExp(`^## ${heading}\n([\\s\\S]*?)(?=^## |$(?![\\s\\S]))`, "m").exec(api)?.[1] ?? "";
}

function anchors(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title.toLowerCase().replaceAll(/[^\w\s-]/g, "").trim().replaceAll(/\s/g, "-")
  );
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(projectUrl(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
