import { type DemoAgent, demoAgents } from "./agents.ts";
import type { DemoEnv } from "./env-file.ts";

/** What a started server says: its addresses, and commands that work as they are. */
export function banner(env: DemoEnv, envFile: string): string {
  const url = env.SUPABASE_URL;
  const keyOf = (agent: DemoAgent) => agent.language === "en" ? env.AGENT_API_KEY : env.AGENT_API_KEY_FR;
  const asked = demoAgents.filter((agent) => keyOf(agent) !== "");
  const [first] = asked;
  return [
    `Parley is ready at ${url}`,
    "",
    `  REST       ${url}/rest/v1`,
    `  Auth       ${url}/auth/v1`,
    `  Functions  ${url}/functions/v1`,
    `  Keys and passwords are in ${envFile}`,
    ...asked.flatMap((
      agent,
    ) => ["", `Ask ${agent.name} (${agent.language}):`, ask(url, keyOf(agent), agent.question)]),
    ...(first ? ["", "The same as a stream:", ask(url, keyOf(first), first.question, true)] : []),
    ...(first ? ["", "Upload a document of your own, then ask about it:", upload(url, keyOf(first))] : []),
    "",
    "Ctrl-C stops the server.",
  ].join("\n");
}

function ask(url: string, key: string, message: string, stream = false): string {
  // A question may hold an apostrophe, which would end the shell's quotes.
  const body = JSON.stringify({ message, ...(stream ? { stream } : {}) }).replaceAll("'", "\\u0027");
  return `curl -sS${stream ? "N" : ""} ${url}/functions/v1/chat -H 'authorization: Bearer ${key}' ` +
    `-H 'content-type: application/json' -d '${body}'`;
}

function upload(url: string, key: string): string {
  return `curl -sS ${url}/functions/v1/ingest-document -H 'authorization: Bearer ${key}' ` +
    "-F 'file=@README.md;type=text/markdown' -F 'title=README'";
}
