import { assertEquals, assertRejects } from "@std/assert";
import { createProjectClient } from "../../shared/database.ts";
import { Problem } from "../../shared/errors.ts";
import { createStorage, type Storage } from "../../shared/storage.ts";
import { testEnv } from "../support/issuer.ts";

/** A Storage server with a map of files, or one that fails. */
async function against(
  work: (storage: Storage, files: Map<string, Uint8Array>, asked: string[]) => Promise<void>,
  { broken = false } = {},
) {
  const files = new Map<string, Uint8Array>();
  const asked: string[] = [];
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const path = new URL(request.url).pathname.replace(/^\/storage\/v1\/object\/(documents\/)?/, "");
    asked.push(
      `${request.method} ${path} ${request.headers.get("apikey")} ${request.headers.get("content-type")}`,
    );
    if (broken) {
      return Response.json({ statusCode: "500", error: "Internal", message: "broken" }, { status: 500 });
    }
    if (request.method === "POST") {
      files.set(path, new Uint8Array(await request.arrayBuffer()));
      return Response.json({ Key: `documents/${path}`, Id: "1" });
    }
    if (request.method === "DELETE") {
      const { prefixes } = await request.json() as { prefixes: string[] };
      prefixes.forEach((prefix) => files.delete(prefix));
      return Response.json([]);
    }
    const file = files.get(path) as Uint8Array<ArrayBuffer> | undefined;
    if (file) return new Response(file);
    return Response.json({ statusCode: "404", error: "not_found", message: "Object not found" }, {
      status: 400,
    });
  });
  const env = testEnv({ SUPABASE_URL: `http://127.0.0.1:${server.addr.port}` });
  await work(createStorage(createProjectClient(env, "secret")), files, asked);
}

Deno.test("a file is stored with its type by the secret key, read back and removed", async () => {
  await against(async (storage, files, asked) => {
    const bytes = new Uint8Array([1, 2, 3]);
    await storage.upload("owner/agent/a", bytes, "application/pdf");
    assertEquals(asked[0], "POST owner/agent/a sb_secret_test application/pdf");
    assertEquals(files.get("owner/agent/a"), bytes);
    assertEquals(await storage.download("owner/agent/a"), bytes);
    await storage.remove(["owner/agent/a"]);
    assertEquals(files.size, 0);
  });
});

Deno.test("a file that is not there is null, and removing nothing asks nothing", async () => {
  await against(async (storage, _files, asked) => {
    assertEquals(await storage.download("owner/agent/none"), null);
    asked.length = 0;
    await storage.remove([]);
    assertEquals(asked, []);
  });
});

Deno.test("a Storage that fails is 503 unavailable", async () => {
  await against(async (storage) => {
    for (
      const call of [
        () => storage.upload("a", new Uint8Array(), "text/plain"),
        () => storage.download("a"),
        () => storage.remove(["a"]),
      ]
    ) assertEquals((await assertRejects<Problem>(call, Problem)).code, "unavailable");
  }, { broken: true });
});
