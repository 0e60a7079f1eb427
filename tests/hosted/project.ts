import { connect } from "../../local/database.ts";
import { prelude } from "../../local/prelude.ts";
import { projectUrl } from "../gates/files.ts";

/** A fresh database that looks like a hosted project before its first migration. */
export interface HostedProject extends AsyncDisposable {
  /** Connects as the role that deploys, which is no superuser there either. */
  url: string;
  /** Sends any number of statements in one message, as the SQL editor does. */
  exec(sql: string): Promise<void>;
  drop(): Promise<void>;
}

/** What a program printed and how it ended. */
export interface Printed {
  code: number;
  stdout: string;
  stderr: string;
}

const cli = "supabase@3.1.0";

/** Makes a database on the server of `DATABASE_URL` with what a hosted project brings: Auth, Storage, extensions. */
export async function hostedProject(): Promise<HostedProject> {
  const server = Deno.env.get("DATABASE_URL");
  if (!server) {
    throw new Error("Cannot make a database: DATABASE_URL must name a PostgreSQL 17 server with pgvector");
  }
  const name = `parley_hosted_${crypto.randomUUID().replaceAll("-", "")}`;
  const url = new URL(server);
  url.pathname = `/${name}`;
  await execOn(server, `create database ${name}`);
  const database = await connect({ url: url.href });
  try {
    await prelude(database);
  } finally {
    await database.close();
  }
  await execOn(url.href, await Deno.readTextFile(new URL("platform.sql", import.meta.url)));
  url.username = "parley_deployer";
  const drop = () => execOn(server, `drop database ${name} with (force)`);
  return { url: url.href, exec: (sql) => execOn(url.href, sql), drop, [Symbol.asyncDispose]: drop };
}

/** Runs the Supabase CLI against a database; it asks nothing. */
export function supabase(args: string[], url: string): Promise<Printed> {
  // Without PGSSLMODE the types would begin with a line about the connection.
  return run("npx", ["-y", cli, ...args, `--remote=${url}`], { PGSSLMODE: "disable", CI: "true" });
}

/** The types of a migrated database, as `shared/database.types.ts` holds them. */
export async function generateTypes(url: string): Promise<string> {
  const { code, stdout, stderr } = await supabase(["gen", "types", "typescript"], url);
  if (code !== 0) throw new Error(`Cannot generate the types: ${stderr}`);
  return stdout;
}

/** Runs a program in the project's folder, with `input` as all of its stdin. */
export async function run(
  program: string,
  args: string[],
  env: Record<string, string> = {},
  input = "",
): Promise<Printed> {
  const child = new Deno.Command(program, {
    args,
    env,
    cwd: projectUrl(""),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [{ code, stdout, stderr }] = await Promise.all([
    child.output(),
    new Blob([input]).stream().pipeTo(child.stdin),
  ]);
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

async function execOn(url: string, sql: string): Promise<void> {
  const database = await connect({ url });
  try {
    await database.exec(sql);
  } finally {
    await database.close();
  }
}
