import { createClient } from "@supabase/supabase-js";
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { DemoEnv } from "../../local/demo/env-file.ts";
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
    await assertAdminSwitches(demo);
    assertEquals((await server.end("SIGTERM")).code, 0);
    server = await serve(home, ["--port", "0"], { DATABASE_URL: fresh.url });
    assertEquals(server.demo, { ...demo, SUPABASE_URL: server.demo.SUPABASE_URL });
  } finally {
    await server?.end("SIGKILL");
    await fresh.drop();
    await Deno.remove(home, { recursive: true });
  }
});

// The server's driver would send a boolean as such, which no JSON column takes.
async function assertAdminSwitches(demo: DemoEnv): Promise<void> {
  const admin = createClient(demo.SUPABASE_URL, demo.SUPABASE_PUBLISHABLE_KEY, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
  const account = { email: demo.DEMO_ADMIN_EMAIL, password: demo.DEMO_ADMIN_PASSWORD };
  assertEquals((await admin.auth.signInWithPassword(account)).error, null);
  const change = (value: unknown) =>
    admin.from("app_config").update({ value }).eq("key", "killSwitch").select("value");
  for (const value of [true, false]) assertEquals((await change(value)).data, [{ value }]);
  const { status, error } = await change("true");
  assertEquals([status, error?.code], [400, "23514"]);
}
