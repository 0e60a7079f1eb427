import { cpuUsage } from "node:process";

// Run by ingest.ts in a process of its own: ingests the body in a file through the function, as a request that comes
// in piece by piece, and prints what that cost this process.

const [file, agentId] = Deno.args;
const secret = JSON.parse(Deno.env.get("SUPABASE_SECRET_KEYS")!).default;
const { default: ingest } = await import("../functions/ingest-document/index.ts");

const startedWith = cpuSeconds();
const started = performance.now();
const stored = await call("", (await Deno.open(file!)).readable);
let state = stored;
while (state.status !== "ready") {
  // What is under way goes on by itself; what was put off for a later call is due at once.
  await new Promise((resolve) => setTimeout(resolve, 250));
  await call("/work", JSON.stringify({ budget_ms: 20_000 }));
  state = await call(`/${stored.document_id}?agent_id=${agentId}`);
  if (state.status === "failed") throw new Error(JSON.stringify(state.error));
}
console.log(JSON.stringify({
  cpuSeconds: cpuSeconds() - startedWith,
  chunks: state.chunks,
  seconds: (performance.now() - started) / 1000,
  peakMb: peakMb(),
}));
Deno.exit(0);

async function call(path: string, body?: BodyInit) {
  const response = await ingest.fetch(
    new Request(`http://function/ingest-document${path}`, {
      method: body ? "POST" : "GET",
      headers: { apikey: secret, "content-type": "application/json" },
      body,
    }),
  );
  const answer = await response.json();
  if (!response.ok) throw new Error(`${path || "/"} answered ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

/** The processor time of this process so far. */
function cpuSeconds(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1e6;
}

/** The most memory this process held, in megabytes, as Linux counts it. */
function peakMb(): number {
  const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(Deno.readTextFileSync("/proc/self/status")) ?? [];
  return Number(kilobytes) / 1024;
}
