import { createLog } from "../shared/log.ts";
import { banner } from "./demo/banner.ts";
import { readDemoEnv, writeDemoEnv } from "./demo/env-file.ts";
import { prepareDemo } from "./demo/seed.ts";
import { reason, StartFailure } from "./failure.ts";
import { claimFolder, type DataFolder } from "./folder.ts";
import { generateKeys, type ProjectKeys, readKeys, writeKeys } from "./keys.ts";
import { endLeases } from "./leases.ts";
import { openDatabase } from "./open.ts";
import { readOptions, type StartOptions, usage } from "./options.ts";
import { startScheduler } from "./scheduler.ts";
import { type Stack, type StackOptions, startStack } from "./stack.ts";

/** A server that answers. */
interface RunningServer {
  banner: string;
  stop(): Promise<void>;
}

async function start(options: StartOptions): Promise<RunningServer> {
  const { demoFile } = options;
  requireFreePort(options.port);
  const undo: (() => unknown)[] = [];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const folder = options.memory ? null : claimFolder(options.dataDir, options);
    if (folder) undo.push(() => folder.release());
    const saved = await orFail(`read ${demoFile}`, readDemoEnv(demoFile));
    const database = await openDatabase(targetOf(options, folder));
    undo.push(() => database.close());
    await endLeases(database);
    const { keys, lost } = await orFail("read the keys", projectKeys(folder, saved?.SUPABASE_SECRET_KEY));
    const env = providerEnv();
    const stack = await listen({ database, keys, port: options.port, env });
    undo.push(() => stack.close());
    const demo = await orFail(
      "make the demo",
      prepareDemo({ database, stack, keys, env }, lost ? null : saved),
    );
    await orFail(`write ${demoFile}`, writeDemoEnv(demoFile, demo));
    const scheduler = startScheduler({ database, url: stack.url, secretKey: keys.secretKey });
    undo.push(() => scheduler.stop());
    return { banner: banner(demo, demoFile), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function orFail<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new StartFailure(`Cannot ${what}: ${reason(error)}`, { cause: error });
  }
}

function targetOf({ databaseUrl, memory }: StartOptions, folder: DataFolder | null) {
  if (databaseUrl) return { url: databaseUrl };
  return folder && !memory ? { folder: folder.database } : "memory" as const;
}

/**
 * The installation's keys. They are new when demo.env does not hold the secret one any more: what was lost may be in
 * other hands. The secret that signs tokens stays, so that nobody is signed out.
 */
async function projectKeys(
  folder: DataFolder | null,
  savedSecret: string | undefined,
): Promise<{ keys: ProjectKeys; lost: boolean }> {
  const kept = folder ? await readKeys(folder.keys) : null;
  if (kept && kept.secretKey === savedSecret) return { keys: kept, lost: false };
  const keys = { ...generateKeys(), ...(kept ? { jwtSecret: kept.jwtSecret } : {}) };
  if (folder) await writeKeys(folder.keys, keys);
  return { keys, lost: true };
}

/** The variables of model providers, which the functions may have; the project's own are the server's to set. */
function providerEnv(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("SUPABASE_")),
  );
}

// The port is tried before anything is opened or written, so that a second start fails at once.
function requireFreePort(port: number): void {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
  } catch (error) {
    throw portFailure(port, error);
  }
}

async function listen(options: StackOptions): Promise<Stack> {
  try {
    return await startStack(options);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw portFailure(options.port, error);
    throw error;
  }
}

function portFailure(port: number, error: unknown): StartFailure {
  const why = error instanceof Deno.errors.AddrInUse
    ? "it is in use; choose another with --port"
    : reason(error);
  return new StartFailure(`Cannot listen on port ${port}: ${why}`, { cause: error });
}

async function main(): Promise<void> {
  const options = readOptions(Deno.args, Deno.env.get("DATABASE_URL"));
  if (!options) return console.log(usage);
  Deno.env.set("LITE_TELEMETRY", "0");
  // A promise that nobody awaits must not take everybody else's requests down.
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    createLog().error("unhandled_rejection", event.reason);
  });
  const server = await start(options);
  console.log(server.banner);
  await asked();
  console.log("Stopping ...");
  await server.stop();
}

/** Resolves when the process is asked to end; who asks again, because it takes long, ends it at once. */
async function asked(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let first = 0;
  const onSignal = () => {
    first ||= Date.now();
    resolve();
    // One Ctrl-C arrives twice under `deno task`: from the terminal and from the task runner.
    if (Date.now() - first > 1000) Deno.exit(130);
  };
  for (const signal of ["SIGINT", ...(Deno.build.os === "windows" ? [] : ["SIGTERM"])] as Deno.Signal[]) {
    Deno.addSignalListener(signal, onSignal);
  }
  await promise;
}

if (import.meta.main) {
  try {
    await main();
    Deno.exit(0);
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error;
    console.error(error.message);
    Deno.exit(1);
  }
}
