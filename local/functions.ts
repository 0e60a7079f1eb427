import { createDeps, type Deps } from "../shared/deps.ts";
import type { Log } from "../shared/log.ts";
import { readEnv } from "../shared/env.ts";

/** One function of the project, mounted in this process. */
export type MountedFunction = (request: Request) => Promise<Response>;

interface FunctionModule {
  createHandler(deps: Deps): MountedFunction;
}

const config = new URL("../supabase/config.toml", import.meta.url);

/** The functions that `supabase/config.toml` names, with the folder of each. */
export async function listFunctions(): Promise<Map<string, URL>> {
  const text = await Deno.readTextFile(config);
  const found = text.matchAll(/^\[functions\.([\w-]+)\]\s*\nentrypoint = "([^"]+)"/gm);
  return new Map(
    [...found].map(([, name, entrypoint]) => [name!, new URL(".", new URL(entrypoint!, config))]),
  );
}

/** Mounts every function with one environment, as a deployment would; a function is imported by its first request. */
export async function mountFunctions(
  env: Record<string, string>,
  { log }: { log?: Log } = {},
): Promise<Map<string, MountedFunction>> {
  const own = createDeps(readEnv({ get: (name) => env[name] }));
  // Not a copy, which would read at once what is made on first use.
  const deps: Deps = log ? Object.create(own, { log: { value: log } }) : own;
  const functions = await listFunctions();
  return new Map(
    [...functions].map(([name, folder]) => [name, onFirstUse(new URL("handler.ts", folder), deps)]),
  );
}

function onFirstUse(module: URL, deps: Deps): MountedFunction {
  let handler: Promise<MountedFunction> | undefined;
  return async (request) => {
    handler ??= import(module.href).then(({ createHandler }: FunctionModule) => createHandler(deps));
    return await (await handler)(request);
  };
}
