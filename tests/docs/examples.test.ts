import { assertEquals } from "@std/assert";
import { projectUrl } from "../gates/files.ts";
import { masterKeys, masterKeysText } from "../support/master-keys.ts";
import { startStack } from "../support/stack.ts";
import { curlRequest, type Files } from "./curl.ts";
import { differences, eventsOf, type Example, examplesOf } from "./examples.ts";

const files: Files = { "returns.md": await Deno.readFile(new URL("returns.md", import.meta.url)) };
const stack = await startStack({ env: { PROVIDER_KEY_SECRETS: masterKeysText(masterKeys("1")) } });
Deno.test.afterAll(() => stack.close());
const variables = await demoVariables();

for (const document of ["README.md", "docs/api.md"]) {
  const markdown = await Deno.readTextFile(projectUrl(document));
  for (const [index, example] of examplesOf(markdown).entries()) {
    Deno.test(`${document} example ${index + 1} (${example.heading}) answers as shown`, () => run(example));
  }
}

Deno.test("the statement of docs/security.md makes an admin", async () => {
  const markdown = await Deno.readTextFile(projectUrl("docs/security.md"));
  const statement = /```sql\n([\s\S]*?)```/.exec(markdown)?.[1] ?? "";
  await stack.database.exec(statement.replace("you@example.com", variables.DEMO_EMAIL ?? ""));
  const { data, error } = await signIn();
  assertEquals([data.user?.app_metadata.role, error], ["admin", null]);
});

/** What `.parley/demo.env` holds, of this stack. */
async function demoVariables(): Promise<Record<string, string>> {
  const [email, password] = ["owner@example.com", crypto.randomUUID()];
  const { data } = await stack.client().auth.signUp({ email, password });
  const token = data.session?.access_token ?? "";
  const demo: Record<string, string> = {
    SUPABASE_URL: stack.url,
    SUPABASE_PUBLISHABLE_KEY: stack.publishableKey,
    SUPABASE_SECRET_KEY: stack.secretKey,
    DEMO_EMAIL: email,
    DEMO_PASSWORD: password,
  };
  for (const [language, suffix] of [["en", ""], ["fr", "_FR"]]) {
    const agent = await stack.createAgent(token, { language, model: "local/extractive" });
    const { key } = await stack.createKey(token, agent.id, { scopes: ["chat", "ingest", "read"] });
    Object.assign(demo, { [`AGENT_ID${suffix}`]: agent.id, [`AGENT_API_KEY${suffix}`]: key });
  }
  return demo;
}

function signIn() {
  const { DEMO_EMAIL: email = "", DEMO_PASSWORD: password = "" } = variables;
  return stack.client().auth.signInWithPassword({ email, password });
}

async function run(example: Example): Promise<void> {
  const response = await fetch(curlRequest(example.command, variables, files));
  const text = await response.text();
  assertEquals(response.status, example.status, text);
  if (example.kind === "events") return assertEquals(eventDifferences(example.answer, text), []);
  if (text === "" || !response.headers.get("content-type")?.includes("json")) return;
  const answer = JSON.parse(text);
  rememberIds(answer);
  if (example.kind === "json") assertEquals(differences(JSON.parse(example.answer), answer), []);
}

// As the documents say: `$DOCUMENT_ID` is the `document_id` of an answer before, `$ACCESS_TOKEN` its `access_token`.
function rememberIds(answer: unknown): void {
  const row = Array.isArray(answer) ? answer[0] : answer;
  for (const [name, value] of Object.entries(row ?? {})) {
    if (/(^id|_id|_token)$/.test(name) && typeof value === "string") variables[name.toUpperCase()] = value;
  }
}

function eventDifferences(shown: string, actual: string): string[] {
  const [expected, got] = [eventsOf(shown), eventsOf(actual)];
  assertEquals([...got.keys()], [...expected.keys()]);
  return [...expected].flatMap(([name, data]) => differences(data, got.get(name), name));
}
