import { createClient } from "@supabase/supabase-js";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import type { DemoEnv } from "../../local/demo/env-file.ts";
import { emptyDatabase } from "../support/template.ts";
import { refuse, sendCurl, serve, type ServerProcess } from "../support/server.ts";

const connect = (demo: DemoEnv) =>
  createClient(demo.SUPABASE_URL, demo.SUPABASE_PUBLISHABLE_KEY, {
    auth: { persistSession: false, autoRefreshToken: false },
  });

const ask = (demo: DemoEnv, key: string, message: string, stream = false) =>
  fetch(`${demo.SUPABASE_URL}/functions/v1/chat`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ message, stream }),
  });

async function assertRefused(start: ReturnType<typeof refuse>, expected: RegExp): Promise<void> {
  const { code, stdout, stderr } = await start;
  assertEquals([code, stdout], [1, ""]);
  assertMatch(stderr, expected);
  assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
}

Deno.test("the start command", async (t) => {
  const home = await Deno.makeTempDir({ prefix: "parley-start-" });
  let server: ServerProcess | undefined;
  try {
    await t.step("makes the demo and prints commands that work", async () => {
      server = await serve(home, ["--port", "0"]);
      const mode = (await Deno.stat(`${home}/.parley/demo.env`)).mode;
      if (Deno.build.os !== "windows") assertEquals(mode! & 0o777, 0o600);
      const lines = server.banner.split("\n").filter((line) => line.startsWith("curl "));
      assertEquals(lines.length, 4);
      const [english, french, stream, upload] = await Promise.all(lines.map(sendCurl));
      assertStringIncludes((await english!.json()).answer, "£400");
      assertStringIncludes((await french!.json()).answer, "600 €");
      assertStringIncludes(await stream!.text(), "event: done");
      assertEquals(upload!.ok, true, await upload!.text());
    });

    await t.step("makes an owner of two agents and an administrator", async () => {
      const { demo } = server!;
      const owner = connect(demo);
      await owner.auth.signInWithPassword({ email: demo.DEMO_EMAIL, password: demo.DEMO_PASSWORD });
      const { data: agents } = await owner.from("agents").select("id, language").order("language")
        .throwOnError();
      assertEquals(agents, [{ id: demo.AGENT_ID, language: "en" }, { id: demo.AGENT_ID_FR, language: "fr" }]);
      const { data: users } = await owner.from("users").select("plan").throwOnError();
      assertEquals(users, [{ plan: "business" }]);
      const admin = connect(demo);
      await admin.auth.signInWithPassword({
        email: demo.DEMO_ADMIN_EMAIL,
        password: demo.DEMO_ADMIN_PASSWORD,
      });
      const { data: everybody } = await admin.from("users").select("email").throwOnError();
      assertGreater(everybody!.length, 1);
    });

    await t.step("refuses a port and a folder that are in use", async () => {
      const { port } = new URL(server!.demo.SUPABASE_URL);
      await assertRefused(refuse(home, ["--port", port]), /^Cannot listen on port \d+: it is in use/);
      await assertRefused(
        refuse(home, ["--port", "0"]),
        /^Cannot use the data folder .*another server is using it/,
      );
    });

    await t.step("keeps its data and its keys through kill -9", async () => {
      const { demo } = server!;
      const owner = connect(demo);
      await owner.auth.signInWithPassword({ email: demo.DEMO_EMAIL, password: demo.DEMO_PASSWORD });
      const writing = Array.from(
        { length: 20 },
        (_, i) => owner.from("agents").insert({ name: `kept ${i}` }),
      );
      const first = await writing[0]!;
      assertEquals(first.error, null);
      await server!.end("SIGKILL");
      await Promise.all(writing.slice(1));
      server = await serve(home, ["--port", new URL(demo.SUPABASE_URL).port]);
      assertEquals(server.demo, demo);
      const { data: kept } = await owner.from("agents").select("name").eq("name", "kept 0").throwOnError();
      assertEquals(kept, [{ name: "kept 0" }]);
    });

    await t.step("writes a lost demo.env again with new keys and revokes the old ones", async () => {
      const old = server!.demo;
      const { code } = await server!.end("SIGTERM");
      assertEquals(code, 0);
      await Deno.remove(`${home}/.parley/demo.env`);
      server = await serve(home, ["--port", "0"]);
      const { demo } = server;
      assertEquals([demo.AGENT_ID, demo.AGENT_ID_FR], [old.AGENT_ID, old.AGENT_ID_FR]);
      const replaced = [
        "AGENT_API_KEY",
        "AGENT_API_KEY_FR",
        "SUPABASE_SECRET_KEY",
        "SUPABASE_PUBLISHABLE_KEY",
        "DEMO_PASSWORD",
      ] as const;
      for (const name of replaced) assert(demo[name] !== "" && demo[name] !== old[name], name);
      const refused = await ask(demo, old.AGENT_API_KEY, "Hello");
      assertEquals([refused.status, (await refused.json()).code], [401, "key_revoked"]);
      assertEquals((await (await ask(demo, demo.AGENT_API_KEY, "Hello")).json()).error, undefined);
      const { error } = await connect(demo).auth.signInWithPassword({
        email: old.DEMO_EMAIL,
        password: old.DEMO_PASSWORD,
      });
      assertEquals(error?.status, 400);
    });

    await t.step("starts over with --reset", async () => {
      const old = server!.demo;
      await server!.end("SIGTERM");
      server = await serve(home, ["--port", "0", "--reset"]);
      assert(server.demo.AGENT_ID !== old.AGENT_ID);
    });
  } finally {
    await server?.end("SIGKILL");
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("start --memory keeps nothing but demo.env, and ends with what is under way", async () => {
  const home = await Deno.makeTempDir({ prefix: "parley-start-" });
  try {
    const server = await serve(home, ["--memory", "--port", "0"]);
    const answer = await ask(
      server.demo,
      server.demo.AGENT_API_KEY,
      "When is the depot open on Saturday?",
      true,
    );
    const begun = performance.now();
    const ended = server.end("SIGTERM");
    assertStringIncludes(await answer.text(), "event: done");
    const { code, stderr } = await ended;
    assertEquals([code, stderr.includes('"level":"error"')], [0, false], stderr);
    assertLess(performance.now() - begun, 5_000);
    assertEquals([...Deno.readDirSync(`${home}/.parley`)].map((entry) => entry.name), ["demo.env"]);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("start says in one line why it does not start", async () => {
  const home = await Deno.makeTempDir({ prefix: "parley-start-" });
  try {
    await Deno.writeTextFile(`${home}/file`, "");
    const port = ["--port", "0"];
    await assertRefused(refuse(home, ["--colour"]), /^Unknown option '--colour'/);
    await assertRefused(
      refuse(home, [...port, "--data-dir", "file/data"]),
      /^Cannot use the data folder file\/data: /,
    );
    const nowhere = { DATABASE_URL: "postgres://somebody:s3cret@127.0.0.1:1/nowhere" };
    await assertRefused(refuse(home, port, nowhere), /^Cannot open the database nowhere at 127\.0\.0\.1:1: /);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

const databaseServer = Deno.env.get("DATABASE_URL");

Deno.test({
  name: "start with DATABASE_URL migrates and seeds that database, and finds it again",
  ignore: !databaseServer,
  fn: async () => {
    const home = await Deno.makeTempDir({ prefix: "parley-start-" });
    const fresh = await emptyDatabase(databaseServer!);
    let server: ServerProcess | undefined;
    try {
      server = await serve(home, ["--port", "0"], { DATABASE_URL: fresh.url });
      const { demo } = server;
      const answer = await ask(demo, demo.AGENT_API_KEY, "How much is the deposit for a machine?");
      assertStringIncludes((await answer.json()).answer, "£400");
      assertEquals((await server.end("SIGTERM")).code, 0);
      server = await serve(home, ["--port", "0"], { DATABASE_URL: fresh.url });
      assertEquals(server.demo, { ...demo, SUPABASE_URL: server.demo.SUPABASE_URL });
    } finally {
      await server?.end("SIGKILL");
      await fresh.drop();
      await Deno.remove(home, { recursive: true });
    }
  },
});
