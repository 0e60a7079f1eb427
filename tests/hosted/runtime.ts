// Run by the hosted runtime's version of Deno: imports each function as the platform does, and makes the calls that
// stand as JSON in the first argument. Prints what came back, one line of JSON for each call.

interface Call {
  name: string;
  url: string;
  method?: string;
  headers: Record<string, string>;
  body?: string;
}

// The platform takes background work through this global; the calls below end when it has ended.
const background: Promise<unknown>[] = [];
Object.assign(globalThis, {
  EdgeRuntime: { waitUntil: (work: Promise<unknown>) => void background.push(work) },
});

for (const { name, url, method = "POST", headers, body } of JSON.parse(Deno.args[0] ?? "[]") as Call[]) {
  const { default: { fetch } } = await import(`../../functions/${name}/index.ts`);
  const response: Response = await fetch(new Request(url, { method, headers, body: body ?? null }));
  console.log(
    JSON.stringify({ name, deno: Deno.version.deno, status: response.status, text: await response.text() }),
  );
}
await Promise.all(background);
