import { assertEquals, assertGreater } from "@std/assert";
import { startScheduler, vacuumAfterIngest } from "../../local/scheduler.ts";
import { openDatabase } from "../support/database.ts";

Deno.test("the local scheduler", async (t) => {
  await using database = await openDatabase();

  await t.step("runs what is due in SQL and posts to functions until nothing is left", async () => {
    await database.exec(`
      update public.jobs set enabled = false;
      create table private.beats (at timestamptz not null default now());
      create function private.beat() returns void language sql as $$ insert into private.beats default values $$;
      select private.add_job('beat', 'sql', 'beat', interval '1 hour');
      select private.add_job('work', 'function', 'ingest-document/work', interval '1 hour');`);
    const posted: string[] = [];
    const done = Promise.withResolvers<void>();
    const functions = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
      posted.push(`${request.method} ${new URL(request.url).pathname} ${request.headers.get("apikey")}`);
      const more = posted.length < 2;
      if (!more) done.resolve();
      return Response.json({ done: 1, failed: 0, more });
    });
    const url = `http://127.0.0.1:${functions.addr.port}`;
    const scheduler = startScheduler({ database, url, secretKey: "sb_secret_x", every: 5 });
    await done.promise;
    await scheduler.stop();
    await functions.shutdown();
    const expected = "POST /functions/v1/ingest-document/work sb_secret_x";
    assertEquals(posted, [expected, expected]);
    assertEquals(await database.query("select count(*)::int as beats from private.beats"), [{ beats: 1 }]);
  });

  await t.step("reports a job that fails once, not at every beat", async () => {
    await database.exec(`
      create function private.stumble() returns void language plpgsql as $$ begin raise 'out of luck'; end $$;
      select private.remove_job('work'), private.add_job('stumble', 'sql', 'stumble', interval '1 second');`);
    const reported: string[] = [];
    const first = Promise.withResolvers<void>();
    const scheduler = startScheduler({
      database,
      url: "http://127.0.0.1:9",
      secretKey: "",
      every: 5,
      report: (line) => first.resolve(void reported.push(line)),
    });
    await first.promise;
    await database.exec("update public.jobs set next_run_at = now() where name = 'stumble'");
    await scheduler.stop();
    assertEquals(reported, ["job stumble failed: P0001: out of luck"]);
  });

  await t.step("vacuums the search tables once an ingest has come to rest", async () => {
    const vacuum = vacuumAfterIngest(database);
    const visiblePages = async () =>
      (await database.query<{ pages: number }>(
        "select relallvisible as pages from pg_catalog.pg_class where oid = 'public.document_chunks'::regclass",
      ))[0]!.pages;
    await vacuum();
    await vacuum();
    assertEquals(await visiblePages(), 0);
    await database.exec(`
      insert into auth.users (id, email) values (gen_random_uuid(), 'owner@example.com');
      insert into public.agents (owner_id, name) select id, 'agent' from public.users;
      insert into public.documents (agent_id, title, mime_type, content_hash, size_bytes)
        select id, 'title', 'text/plain', repeat('0', 64), 1 from public.agents;
      insert into public.document_chunks (agent_id, document_id, chunk_index, content, char_start, char_end, tokens,
          hash, embedding_model, embedding)
        select agent_id, id, 0, 'content', 0, 7, 1, '0', 'local', '[1,2]' from public.documents;`);
    await vacuum();
    assertEquals(await visiblePages(), 0);
    await vacuum();
    assertGreater(await visiblePages(), 0);
  });
});
