import { setTimeout as delay } from "node:timers/promises";
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

// Long enough to be ingested in several batches, and so in the background.
const longDocument = Array.from(
  { length: 1500 },
  (_, i) =>
    `Rule ${i} says that locker ${i * 7} opens with the brass key number ${i * 13}, and with no other.`,
).join("\n\n");

async function uploadLong(demo: DemoEnv): Promise<string> {
  const response = await fetch(`${demo.SUPABASE_URL}/functions/v1/ingest-document`, {
    method: "POST",
    headers: { authorization: `Bearer ${demo.AGENT_API_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ title: "Rules", content: longDocument }),
  });
  const { document_id } = await response.json();
  assertEquals(response.status, 202);
  return document_id;
}

async function untilReady(demo: DemoEnv, document: string): Promise<void> {
  const begun = performance.now();
  while (true) {
    const response = await fetch(`${demo.SUPABASE_URL}/functions/v1/ingest-document/${document}`, {
      headers: { apikey: demo.SUPABASE_SECRET_KEY },
    });
    const { status, error } = await response.json();
    if (status === "ready") return;
    assertEquals(error ?? null, null);
    assertLess(performance.now() - begun, 60_000, `the document is still ${status}`);
    await delay(100);
  }
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

    await t.step("keeps data and keys through kill -9, and ends an ingestion that it cut short", async () => {
      const { demo } = server!;
      const owner = connect(demo);
      await owner.auth.signInWithPassword({ email: demo.DEMO_EMAIL, password: demo.DEMO_PASSWORD });
      const writing = Array.from(
        { length: 20 },
        (_, i) => owner.from("agents").insert({ name: `kept ${i}` }),
      );
      assertEquals((await writing[0]!).error, null);
      const document = await uploadLong(demo);
      await server!.end("SIGKILL");
      await Promise.all(writing.slice(1));

      server = await serve(home, ["--port", new URL(demo.SUPABASE_URL).port]);
      assertEquals(server.demo, demo);
      const { data: kept } = await owner.from("agents").select("name").eq("name", "kept 0").throwOnError();
      assertEquals(kept, [{ name: "kept 0" }]);
      await untilReady(demo, document);
      const { data: chunks } = await owner.from("document_chunks").select("chunk_index, content")
        .eq("document_id", document).order("chunk_index").throwOnError();
      assertEquals(chunks!.map((chunk) => chunk.chunk_index), chunks!.map((_, index) => index));
      const text = chunks!.map((chunk) => chunk.content).join(" ");
      for (const rule of longDocument.split("\n\n")) assertStringIncludes(text, rule);
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
