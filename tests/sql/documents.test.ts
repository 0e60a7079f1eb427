import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { begin, claim, finish, learn, row, store } from "./documents.ts";
import { refusal } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { call, change, type Client, makeClient } from "./turns.ts";

const titles = (session: Session) =>
  session.query<{ title: string }>(
    "select title from public.documents where deleted_at is null order by title",
  )
    .then((rows) => rows.map(({ title }) => title));

rolledBack("a large original comes back byte for byte, a part at a time", async (session) => {
  const client = await makeClient(session);
  const text = "0123456789".repeat(150_000);
  const { document_id } = await begin(session, client, "Large", { file_base64: btoa(text) });
  let read = "";
  for (let parts = 0; read.length < text.length && parts < 5; parts++) {
    const file = await call(session, "public.document_file", { document_id, from_byte: read.length });
    assertEquals(file.size, text.length);
    read += atob(String(file.file_base64));
  }
  assertEquals(read, text);
  const few = await call(session, "public.document_file", { document_id, from_byte: 7, max_bytes: 5 });
  assertEquals(atob(String(few.file_base64)), "78901");
  assertEquals(
    await call(session, "public.document_file", { document_id: crypto.randomUUID() }),
    null as never,
  );
});

rolledBack(
  "a failed document can be tried again, only a failed one, only the agent's own",
  async (session) => {
    const [client, other] = [await makeClient(session), await makeClient(session)];
    const begun = await begin(session, client, "A");
    const retry = (whose: Client, document_id: string | null) =>
      call<{ outcome: string } | null>(session, "public.retry_document", {
        agent_id: whose.agentId,
        document_id,
      });
    assertEquals(await retry(client, begun.document_id), { outcome: "conflict" });
    await finish(session, { id: begun.document_id, lease: begun.lease }, { code: "x", retryable: false }, 0);
    assertEquals(await retry(other, begun.document_id), null);
    assertEquals([await retry(client, crypto.randomUUID()), await retry(client, null)], [null, null]);
    assertEquals(await retry(client, begun.document_id), { outcome: "queued" });
    assertEquals(await retry(client, begun.document_id), { outcome: "conflict" });
    const again = (await row(session, begun.document_id))!;
    assertEquals([again.status, again.error_code, again.attempts], ["queued", null, 0]);
    const [work] = await claim(session, 0);
    assertEquals(
      (await store(session, { document_id: work!.id, lease: work!.lease }, ["One."], { done: true })).status,
      "ready",
    );
  },
);

rolledBack("a failed document does not stand in the way of the same content sent again", async (session) => {
  const client = await makeClient(session);
  const begun = await begin(session, client, "A");
  await finish(session, { id: begun.document_id, lease: begun.lease }, { code: "x", retryable: false }, 0);
  const again = await begin(session, client, "A");
  assertEquals(again.outcome, "created");
  assertNotEquals(again.document_id, begun.document_id);
  assertEquals(await titles(session), ["A"]);
});

rolledBack(
  "deleting a document removes its passages and postings at once, and knows whose it is",
  async (session) => {
    const [client, other] = [await makeClient(session), await makeClient(session)];
    const id = await learn(session, client, ["One passage.", "Two."]);
    const kept = await learn(session, client, ["Three."], { file_path: "o/a/1" });
    const remove = (whose: Client, document_id: string) =>
      call<{ file_path: string | null } | null>(session, "public.delete_document", {
        agent_id: whose.agentId,
        document_id,
      });
    assertEquals(await remove(other, id), null);
    assertEquals(await remove(client, id), { file_path: null });
    assertEquals(await remove(client, id), null);
    assertEquals(await row(session, id), undefined);
    assertEquals((await session.query("select from public.document_chunks")).length, 1);
    assertEquals(await session.query("select from public.chunk_terms where document_id = $1", [id]), []);
    assertEquals((await session.query("select chunks::integer from public.agent_knowledge"))[0], {
      chunks: 1,
    });
    assertEquals(await remove(client, kept), { file_path: "o/a/1" });
    assertEquals((await session.query("select chunks::integer from public.agent_knowledge"))[0], {
      chunks: 0,
    });
    assertEquals(
      await call(session, "public.get_document", { agent_id: client.agentId, document_id: kept }),
      null as never,
    );
    assertEquals(await call<unknown[]>(session, "public.deleted_files"), [{
      document_id: kept,
      file_path: "o/a/1",
    }]);
  },
);

rolledBack("a document is shown to its agent as the contract says", async (session) => {
  const [client, other] = [await makeClient(session), await makeClient(session)];
  const id = await learn(session, client, ["One passage."], {
    title: "A",
    source: "a.txt",
    category: "policy",
  });
  const show = (whose: Client, document_id: string) =>
    call<Record<string, unknown> | null>(session, "public.get_document", {
      agent_id: whose.agentId,
      document_id,
    });
  const shown = await show(client, id);
  assertEquals({ ...shown, created_at: "" }, {
    document_id: id,
    title: "A",
    source: "a.txt",
    mime_type: "text/plain",
    category: "policy",
    language: "en",
    status: "ready",
    progress: 1,
    chunks: 1,
    tokens: 2,
    error: null,
    created_at: "",
  });
  assertEquals([await show(other, id), await show(client, crypto.randomUUID())], [null, null]);
  const failed = await begin(session, client, "B");
  await finish(session, { id: failed.document_id, lease: failed.lease }, { code: "x", message: "y" }, 0);
  assertEquals((await show(client, failed.document_id))!.error, { code: "x", message: "y" });
  await change(session, "agents", client.agentId, { deleted_at: "2026-11-01" });
  assertEquals(await show(client, id), null);
});

rolledBack(
  "documents are listed newest first, a page at a time, none twice and none left out",
  async (session) => {
    const [client, other] = [await makeClient(session), await makeClient(session)];
    for (let n = 0; n < 7; n++) await begin(session, client, `Document ${n}`);
    await begin(session, other, "Foreign");
    await learn(session, client, ["Ready."], { title: "Document 7" });
    const hidden = await learn(session, client, ["Hidden."], { title: "Hidden", file_path: "o/a/1" });
    await call(session, "public.delete_document", { agent_id: client.agentId, document_id: hidden });
    // Three of each moment, so that pages end between equal times.
    await session.query(
      `update public.documents d set created_at = timestamptz '2026-11-20 12:00:00.123456Z' + (n / 3) * interval '1 microsecond'
     from (select id, row_number() over (order by title) - 1 as n from public.documents) r where r.id = d.id`,
    );
    interface Page {
      documents: { document_id: string; title: string; created_at: string }[];
      next_cursor: string | null;
    }
    const list = (args: Record<string, unknown>) =>
      call<Page>(session, "public.list_documents", { agent_id: client.agentId, ...args });
    const whole = (await list({})).documents;
    assertEquals(whole.length, 8);
    assertEquals((await list({})).next_cursor, null);
    const order = whole.map(({ created_at, document_id }) => created_at + document_id);
    assertEquals(order, [...order].sort().reverse());
    for (const max_items of [1, 2, 3, 8]) {
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const page: Page = await list({ max_items, cursor });
        assert(page.documents.length <= max_items);
        seen.push(...page.documents.map(({ document_id }) => document_id));
        cursor = page.next_cursor;
      } while (cursor !== null);
      assertEquals(seen, whole.map(({ document_id }) => document_id), `${max_items} a page`);
    }
    assertEquals((await list({ status: "ready" })).documents.map(({ title }) => title), ["Document 7"]);
    for (
      const bad of [
        { max_items: 0 },
        { max_items: 201 },
        { max_items: null },
        { status: "gone" },
        { cursor: "" },
        { cursor: "1_x" },
        { cursor: `99999999999999999999_${crypto.randomUUID()}` },
        { cursor: "1_------------------------------------" },
      ]
    ) {
      assertEquals(await refusal(list(bad)), "PT422 validation_failed", JSON.stringify(bad));
    }
  },
);

rolledBack(
  "originals are kept in the table where there is no Storage, else in the bucket",
  async (session) => {
    assertEquals(await call<string>(session, "public.storage_mode"), "table");
    await session.exec(
      "create schema storage; create table storage.buckets (id text); grant usage on schema storage to service_role",
    );
    assertEquals(await call<string>(session, "public.storage_mode"), "bucket");
  },
);
