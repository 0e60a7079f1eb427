import { setTimeout as delay } from "node:timers/promises";
import type { ProjectKeys } from "../keys.ts";
import type { DemoAgent } from "./agents.ts";

interface DocumentAnswer {
  document_id: string;
  status?: string;
  error?: { code: string; message: string } | null;
}

/** Stores an agent's handbook through the function, as anybody's document is, and waits until it can be asked about. */
export async function ingestHandbook(
  { stack, keys }: { stack: { url: string }; keys: Pick<ProjectKeys, "secretKey"> },
  agentId: string,
  { document, language }: DemoAgent,
): Promise<void> {
  const base = `${stack.url}/functions/v1/ingest-document`;
  const headers = { apikey: keys.secretKey, "content-type": "application/json" };
  const stored = await answerOf(
    await fetch(base, {
      method: "POST",
      headers,
      body: JSON.stringify({
        agent_id: agentId,
        title: document.title,
        content: await Deno.readTextFile(new URL(document.file, import.meta.url)),
        source: document.file,
        mime_type: "text/markdown",
        category: "handbook",
        language,
      }),
    }),
  );
  let status = stored.status;
  for (let tries = 0; status === "queued" || status === "processing"; tries++) {
    if (tries === 300) throw new Error(`${document.file} is still ${status} after 30 seconds`);
    await delay(100);
    const url = `${base}/${stored.document_id}?agent_id=${agentId}`;
    const found = await answerOf(await fetch(url, { headers }));
    if (found.error) throw new Error(`${document.file} cannot be ingested: ${found.error.code}`);
    status = found.status;
  }
}

async function answerOf(response: Response): Promise<DocumentAnswer> {
  const text = await response.text();
  if (!response.ok) throw new Error(`ingest-document answered ${response.status}: ${text}`);
  return JSON.parse(text);
}
