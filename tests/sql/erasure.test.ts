import { assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { begin } from "./documents.ts";
import { rolledBack } from "./rolled-back.ts";
import { admit, call, change, type Client, counters, exchange, makeClient } from "./turns.ts";

const learn = (session: Session, client: Client, path: string | null = null) =>
  begin(session, client, "Returns", {
    embedding_model: "local",
    file_base64: path ? null : "cmV0dXJucw==",
    file_path: path,
  });

const store = (session: Session, { document_id, lease }: { document_id: string; lease: string }) =>
  call(session, "public.store_chunks", {
    document_id,
    lease,
    from_index: 0,
    chunks: JSON.stringify([{
      content: "Returns.",
      char_start: 0,
      char_end: 8,
      tokens: 2,
      hash: "1",
      embedding: "[1,-1]",
    }]),
    language: "en",
    done: true,
  });

const hide = (session: Session, client: Client, ago = "1 hour") =>
  session.query("update public.agents set deleted_at = now() - $2::interval where id = $1", [
    client.agentId,
    ago,
  ]);

async function erase(session: Session): Promise<number> {
  const [row] = await session.query<{ n: number }>("select private.erase_agents() as n");
  return row!.n;
}

const left = (session: Session, client: Client) =>
  session.query(
    `select (select count(*) from public.agents where id = $1)::integer as agents,
       (select count(*) from public.api_keys where agent_id = $1)::integer as keys,
       (select count(*) from public.documents where agent_id = $1)::integer as documents,
       (select count(*) from public.document_chunks where agent_id = $1)::integer as chunks,
       (select count(*) from public.chunk_terms where agent_id = $1)::integer as terms,
       (select count(*) from public.conversations where agent_id = $1)::integer as conversations,
       (select count(*) from public.messages where agent_id = $1)::integer as messages`,
    [client.agentId],
  ).then(([row]) => Object.values(row!));

rolledBack(
  "an agent that was hidden is erased with all that belongs to it; ledger and counters stay",
  async (session) => {
    const [client, other] = [await makeClient(session), await makeClient(session)];
    for (const whose of [client, other]) {
      await store(session, await learn(session, whose));
      await exchange(session, whose, { session_id: "s" });
    }
    await hide(session, client);
    assertEquals(await erase(session), 1);
    assertEquals(await left(session, client), [0, 0, 0, 0, 0, 0, 0]);
    assertEquals(await left(session, other), [1, 1, 1, 1, 1, 1, 2]);
    assertEquals((await counters(session, client)).owner!.messages, 1);
    assertEquals(
      (await session.query("select from public.usage_logs where agent_id = $1", [client.agentId])).length,
      1,
    );
    assertEquals(await erase(session), 0);
  },
);

rolledBack("an agent hidden just now is left alone until nobody works on it any more", async (session) => {
  const client = await makeClient(session);
  await hide(session, client, "30 s");
  assertEquals(await erase(session), 0);
  await hide(session, client, "61 s");
  assertEquals(await erase(session), 1);
});

rolledBack("large agents go in bounded batches, all of them", async (session) => {
  const client = await makeClient(session);
  await session.query(
    `insert into public.conversations (agent_id, session_id) select $1, 's' || n from generate_series(1, 450) n`,
    [client.agentId],
  );
  await hide(session, client);
  const counts: unknown[] = [];
  for (let n = 0; n < 3; n++) counts.push([await erase(session), (await left(session, client))[5]]);
  assertEquals(counts, [[0, 250], [0, 50], [1, 0]]);
});

rolledBack("a turn still open is settled and billed before its conversation goes", async (session) => {
  const client = await makeClient(session);
  const turn = await admit(session, client);
  await call(session, "public.append_deltas", {
    turn_id: turn.turn_id,
    seq: 1,
    text: "x",
    input_tokens: 9,
    output_tokens: 1,
  });
  await hide(session, client);
  assertEquals([await erase(session), (await left(session, client))[5]], [0, 1]);
  await session.query("select private.reap_turns(now() + interval '2 minutes')");
  assertEquals([await erase(session), (await left(session, client))[0]], [1, 0]);
  assertEquals((await session.query("select from public.usage_logs")).length, 1);
});

rolledBack(
  "originals leave the bucket before the rows that know their paths, and nobody else waits for that",
  async (session) => {
    const [first, second] = [await makeClient(session), await makeClient(session)];
    const document = await learn(session, first, "owner/agent/file");
    await store(session, document);
    await hide(session, first, "2 hours");
    await hide(session, second, "1 hour");
    assertEquals(await erase(session), 0);
    assertEquals((await left(session, first)).slice(0, 4), [1, 1, 1, 0]);
    assertEquals(await erase(session), 1);
    assertEquals((await left(session, second))[0], 0);
    assertEquals(await call<unknown[]>(session, "public.deleted_files"), [
      { document_id: document.document_id, file_path: "owner/agent/file" },
    ]);
    assertEquals(await erase(session), 0);
    assertEquals(
      await call<number>(session, "public.forget_documents", { document_ids: [document.document_id] }),
      1,
    );
    assertEquals([await erase(session), (await left(session, first))[0]], [1, 0]);
  },
);

rolledBack("only documents that were deleted are forgotten", async (session) => {
  const client = await makeClient(session);
  const { document_id } = await learn(session, client, "owner/agent/file");
  assertEquals(await call<number>(session, "public.forget_documents", { document_ids: [document_id] }), 0);
  await change(session, "documents", document_id, { deleted_at: "2026-11-01" });
  assertEquals(await call<number>(session, "public.forget_documents", { document_ids: [document_id] }), 1);
});
