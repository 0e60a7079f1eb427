import { type DemoEnv, readDemoEnv } from "../../local/demo/env-file.ts";

const root = new URL("../../", import.meta.url);

const kept = ["PATH", "HOME", "DENO_DIR", "TMPDIR", "TEMP", "SystemRoot", "LOCALAPPDATA", "XDG_CACHE_HOME"];
const own = Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => kept.includes(name)));

/** A server started by the `start` command, in a process and a folder of its own. */
export interface ServerProcess {
  /** What it printed until it was ready. */
  readonly banner: string;
  /** Milliseconds from the start of the process to its readiness. */
  readonly readyAfter: number;
  /** What it wrote to `.parley/demo.env`. */
  readonly demo: DemoEnv;
  /** Sends a signal and waits for the end; returns the exit code and what was written to stderr. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<{ code: number; stderr: string }>;
}

/** How a start that is refused ends. */
export interface RefusedStart {
  code: number;
  stdout: string;
  stderr: string;
}

function command(home: string, args: string[], env: Record<string, string> = {}): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      `--config=${new URL("deno.json", root).pathname}`,
      new URL("local/serve.ts", root).pathname,
      ...args,
    ],
    cwd: home,
    // Nothing of this machine's own: a provider's key would send the demo's questions to the network.
    clearEnv: true,
    env: { ...own, NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs `start` where it is expected to give up. */
export async function refuse(
  home: string,
  args: string[],
  env?: Record<string, string>,
): Promise<RefusedStart> {
  const { code, stdout, stderr } = await command(home, args, env).output();
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

/** Runs `start` in the folder `home` and waits until it is ready; throws what it wrote when it ends before. */
export async function serve(
  home: string,
  args: string[],
  env?: Record<string, string>,
): Promise<ServerProcess> {
  const begun = performance.now();
  const child = command(home, args, env).spawn();
  const stderr = new Response(child.stderr).text();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let banner = "";
  while (!banner.includes("Ctrl-C")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`start ended with ${(await child.status).code}: ${await stderr}`);
    banner += value;
  }
  const readyAfter = performance.now() - begun;
  const demo = await readDemoEnv(`${home}/.parley/demo.env`);
  if (!demo) throw new Error("start is ready but has not written .parley/demo.env");
  return {
    banner,
    readyAfter,
    demo,
    async end(signal) {
      child.kill(signal);
      const { code } = await child.status;
      while (!(await reader.read()).done);
      return { code, stderr: await stderr };
    },
  };
}

/** Sends a `curl` line as it was printed, without needing curl. */
export async function sendCurl(line: string): Promise<Response> {
  const url = /^curl -sSN? (\S+)/.exec(line)?.[1];
  if (!url) throw new Error(`not a curl line: ${line}`);
  const headers = [...line.matchAll(/-H '([^:]+): ([^']+)'/g)].map(([, name, value]) =>
    [name!, value!] as const
  );
  const data = /-d '([^']+)'/.exec(line)?.[1];
  if (data !== undefined) {
    return await fetch(url, { method: "POST", headers: Object.fromEntries(headers), body: data });
  }
  const form = new FormData();
  for (const [, name, value] of line.matchAll(/-F '(\w+)=([^']+)'/g)) {
    const [, file, type] = /^@([^;]+);type=(.+)$/.exec(value!) ?? [];
    if (!file) form.append(name!, value!);
    else form.append(name!, new File([await Deno.readFile(new URL(file, root))], file, { type: type! }));
  }
  return await fetch(url, { method: "POST", headers: Object.fromEntries(headers), body: form });
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
