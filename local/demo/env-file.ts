import { writePrivate } from "../keys.ts";

/** The variables of `.parley/demo.env`, in the order in which they are written. */
export const demoVariables = [
  "SUPABASE_URL",
  "SUPABASE_PUBLISHABLE_KEY",
  "SUPABASE_SECRET_KEY",
  "AGENT_API_KEY",
  "AGENT_ID",
  "AGENT_API_KEY_FR",
  "AGENT_ID_FR",
  "DEMO_EMAIL",
  "DEMO_PASSWORD",
  "DEMO_ADMIN_EMAIL",
  "DEMO_ADMIN_PASSWORD",
] as const;

/** What somebody needs to use the demo; a variable whose agent was deleted is empty. */
export type DemoEnv = Record<typeof demoVariables[number], string>;

/** Reads the file; null when it is not there or lacks a variable, so that it counts as lost. */
export async function readDemoEnv(file: string): Promise<DemoEnv | null> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  const found = new Map(
    [...text.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name!, value!.trim()]),
  );
  if (!demoVariables.every((name) => found.has(name))) return null;
  return Object.fromEntries(demoVariables.map((name) => [name, found.get(name)!])) as DemoEnv;
}

/** Writes the file, readable by its owner alone; `. .parley/demo.env` in a shell sets the variables. */
export async function writeDemoEnv(file: string, env: DemoEnv): Promise<void> {
  const lines = demoVariables.map((name) => `${name}=${env[name]}`);
  await writePrivate(
    file,
    `# Written by deno task start. Delete it to get new keys and passwords.\n${lines.join("\n")}\n`,
  );
}
