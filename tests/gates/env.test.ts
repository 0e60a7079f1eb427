import { assertEquals } from "@std/assert";
import { Environment, readEnv } from "../../shared/env.ts";
import { projectUrl, sourceFiles } from "./files.ts";

const example = await Deno.readTextFile(projectUrl(".env.example"));

Deno.test(".env.example names exactly the variables of shared/env.ts, none with a value", () => {
  const lines = example.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  assertEquals(lines, Object.keys(Environment.shape).map((name) => `${name}=`));
});

Deno.test(".env.example says of each variable whether it is needed, and of an optional one its default", () => {
  const silent: string[] = [];
  for (const [comment, name = ""] of documented()) {
    const required = !Environment.shape[name as keyof typeof Environment.shape]?.safeParse(undefined).success;
    if (!comment.includes(required ? "Needed" : "Optional")) silent.push(name);
  }
  assertEquals(silent, []);
});

Deno.test(".env.example tells the default that a variable has", () => {
  const needed = { SUPABASE_URL: "http://127.0.0.1", SUPABASE_PUBLISHABLE_KEYS: '{"default":"p"}' };
  const given: Record<string, string> = { ...needed, SUPABASE_SECRET_KEYS: '{"default":"s"}' };
  const env: Record<string, unknown> = readEnv({ get: (name) => given[name] });
  const wrong = documented().filter(([comment, name = ""]) =>
    typeof env[name] === "string" && !(name in given) && !comment.includes(`default: ${env[name]}`)
  );
  assertEquals(wrong, []);
});

Deno.test("nothing but shared/env.ts asks the process for a variable", async () => {
  const files = [...await sourceFiles("functions", /\.ts$/), ...await sourceFiles("shared", /\.ts$/)];
  const readers = files.filter(({ text }) => /Deno\.env\b|process\.env\b/.test(text)).map((file) =>
    file.path
  );
  assertEquals(readers, ["shared/env.ts"]);
});

function documented(): [comment: string, name: string][] {
  return [...example.matchAll(/((?:^# .*\n)+)^(\w+)=/gm)].map(([, comment = "", name = ""]) => [
    comment.replaceAll(/\n# |^# /g, " "),
    name,
  ]);
}
