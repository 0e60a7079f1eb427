import { assertEquals, assertStringIncludes } from "@std/assert";
import { serve, type ServerProcess } from "../support/server.ts";
import { emptyDatabase } from "../support/template.ts";

Deno.test("start with DATABASE_URL migrates and seeds that database, and finds it again", async () => {
  const home = await Deno.makeTempDir({ prefix: "parley-start-" });
  const fresh = await emptyDatabase(Deno.env.get("DATABASE_URL")!);
  let server: ServerProcess | undefined;
  try {
    server = await serve(home, ["--port", "0"], { DATABASE_URL: fresh.url });
    const { demo } = server;
    const answer = await fetch(`${demo.SUPABASE_URL}/functions/v1/chat`, {
      method: "POST",
      headers: { authorization: `Bearer ${demo.AGENT_API_KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ message: "How much is the deposit for a machine?" }),
    });
    assertStringIncludes((await answer.json()).answer, "£400");
    assertEquals((await server.end("SIGTERM")).code, 0);
    server = await serve(home, ["--port", "0"], { DATABASE_URL: fresh.url });
    assertEquals(server.demo, { ...demo, SUPABASE_URL: server.demo.SUPABASE_URL });
  } finally {
    await server?.end("SIGKILL");
    await fresh.drop();
    await Deno.remove(home, { recursive: true });
  }
});
