import { assert, assertEquals } from "@std/assert";
import { createHandler } from "../../../functions/ingest-document/handler.ts";
import { workFor } from "../../../functions/ingest-document/work.ts";
import { createDeps, type Deps } from "../../../shared/deps.ts";
import { readEnv } from "../../../shared/env.ts";
import { problem } from "../../../shared/errors.ts";
import { createLog } from "../../../shared/log.ts";
import type { Rpc } from "../../../shared/rpc.ts";
import { startStack } from "../../support/stack.ts";

// The database is real; the bucket, which the embedded stack does not have, is a map.

const stack = await startStack();
Deno.test.afterAll(() => stack.close());

const variables: Record<string, string> = {
  SUPABASE_URL: stack.url,
  SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: stack.publishableKey }),
  SUPABASE_SECRET_KEYS: JSON.stringify({ default: stack.secretKey }),
};
const sound = createDeps(readEnv({ get: (name) => variables[name] }));

function withBucket(replaced: Partial<Rpc> = {}) {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const running: Promise<unknown>[] = [];
  const deps: Deps = {
    env: sound.env,
    log: createLog(() => {}),
    rpc: { ...sound.rpc, storageMode: () => Promise.resolve("bucket"), ...replaced },
    rpcAs: sound.rpcAs,
    storage: {
      upload: (path, bytes) => Promise.resolve(void files.set(path, bytes)),
      download: (path) => Promise.resolve(files.get(path) ?? null),
      remove: (paths) => Promise.resolve(paths.forEach((path) => files.delete(path))),
    },
    embed: sound.embed,
    resolveModel: sound.resolveModel,
    now: () => new Date(),
    background: (work) => void running.push(work),
  };
  const handler = createHandler(deps);
  const call = async (method: string, path: string, key: string, body?: unknown) => {
    const response = await handler(
      new Request(`http://functions/ingest-document${path}`, {
        method,
        headers: { "x-api-key": key, ...(body ? { "content-type": "application/json" } : {}) },
        ...(body ? { body: JSON.stringify(body) } : {}),
      }),
    );
    await Promise.all(running.splice(0));
    return response;
  };
  return { files, deps, call };
}

async function tenant() {
  const user = await stack.signUp();
  const agent = await stack.createAgent(user.token);
  const { key } = await stack.createKey(user.token, agent.id, { scopes: ["ingest", "read"] });
  return { key, prefix: `${user.id}/${agent.id}/` };
}

Deno.test("an original goes to the bucket under its owner and agent, and comes back from there", async () => {
  const { files, call } = withBucket();
  const { key, prefix } = await tenant();
  const { document_id } = await (await call("POST", "", key, { title: "A", content: "In the bucket." }))
    .json();
  assertEquals(files.size, 1);
  assert([...files.keys()][0]!.startsWith(prefix));
  const rows = await stack.database.query("select 1 from public.document_files where document_id = $1", [
    document_id,
  ]);
  assertEquals(rows, []);
  assertEquals(await (await call("GET", `/${document_id}/file`, key)).text(), "In the bucket.");
});

Deno.test("what is not stored leaves no file in the bucket", async () => {
  const { files, call } = withBucket();
  const { key } = await tenant();
  const body = { title: "A", content: "Twice the same." };
  await call("POST", "", key, body);
  assertEquals((await call("POST", "", key, body)).status, 200);
  assertEquals(files.size, 1);
  const broken = withBucket({ storeDocuments: () => Promise.reject(problem("unavailable", "no database")) });
  assertEquals((await broken.call("POST", "", key, { title: "A", content: "Other." })).status, 503);
  assertEquals(broken.files.size, 0);
});

Deno.test("deleting or replacing a document removes its file", async () => {
  const { files, call } = withBucket();
  const { key } = await tenant();
  const store = async (content: string) =>
    (await (await call("POST", "", key, { title: "A", content, source: "a" })).json()).document_id;
  await store("The first edition.");
  const second = await store("The second edition.");
  assertEquals([...files.values()].map((bytes) => new TextDecoder().decode(bytes)), ["The second edition."]);
  assertEquals((await call("DELETE", `/${second}`, key)).status, 204);
  assertEquals(files.size, 0);
  const rows = await stack.database.query("select 1 from public.documents where id = $1", [second]);
  assertEquals(rows, []);
});

Deno.test("a document whose file is gone from the bucket fails with that reason", async () => {
  const { files, deps, call } = withBucket();
  const { key } = await tenant();
  const { document_id } = await (await call("POST", "", key, { title: "A", content: "Soon gone." })).json();
  await stack.database.exec(
    `update public.documents set status = 'queued', chunk_count = 0, token_count = 0, progress = 0, next_attempt_at = now()
       where id = '${document_id}';
     delete from public.document_chunks where document_id = '${document_id}';
     delete from public.chunk_terms where document_id = '${document_id}'`,
  );
  files.clear();
  assertEquals(await workFor(5_000, deps), { done: 0, failed: 1, more: false });
  const { status, error } = await (await call("GET", `/${document_id}`, key)).json();
  assertEquals(status, "failed");
  assertEquals(error, { code: "not_found", message: "Cannot read the document: its original is gone" });
});
