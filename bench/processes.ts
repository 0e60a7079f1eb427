/** A server of a bench, in a process of its own. */
export interface BenchProcess {
  url: string;
  stop(): Promise<void>;
}

/** Starts a command and waits until a line of its output matches `ready`, whose first group is the URL. */
export async function startProcess(
  command: string,
  args: string[],
  ready: RegExp,
  env: Record<string, string> = {},
): Promise<BenchProcess> {
  const child = new Deno.Command(command, { args, env, stdin: "null", stdout: "piped", stderr: "inherit" })
    .spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let found: RegExpExecArray | null = null;
  while (!(found = ready.exec(text))) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`Cannot start ${command}: it ended with ${(await child.status).code}: ${text}`);
    text += value;
  }
  // What it writes later is not wanted, but must not fill the pipe.
  const drained = (async () => {
    while (!(await reader.read()).done);
  })();
  return {
    url: found[1]!,
    async stop() {
      child.kill("SIGTERM");
      await child.status;
      await drained;
    },
  };
}
