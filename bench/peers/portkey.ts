import { join } from "node:path";
import { type BenchProcess, startProcess } from "../processes.ts";

const VERSION = "1.15.2";

/** Installs Portkey's gateway in `folder` and starts it on Node, as its package does. */
export async function startPortkey(folder: string): Promise<BenchProcess> {
  await Deno.mkdir(folder, { recursive: true });
  // With a later server than this the gateway, built for an earlier one, fails to add its headers to a stream.
  const overrides = { "@hono/node-server": "1.13.8" };
  const dependencies = { "@portkey-ai/gateway": VERSION };
  await Deno.writeTextFile(join(folder, "package.json"), JSON.stringify({ dependencies, overrides }));
  const { success, stderr } = await new Deno.Command("npm", {
    args: ["install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"],
  }).output();
  if (!success) throw new Error(`Cannot install Portkey's gateway: ${new TextDecoder().decode(stderr)}`);
  const port = freePort();
  const script = join(folder, "node_modules/@portkey-ai/gateway/build/start-server.js");
  const { stop } = await startProcess(
    "node",
    [script, "--headless", `--port=${port}`],
    /(Ready for connections)/,
  );
  return { url: `http://127.0.0.1:${port}/v1`, stop };
}

/** The headers by which the gateway finds the vendor. */
export function portkeyHeaders(vendorUrl: string): Record<string, string> {
  return { "x-portkey-provider": "openai", "x-portkey-custom-host": vendorUrl };
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}
