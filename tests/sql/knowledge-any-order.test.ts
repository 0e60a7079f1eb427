import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Session } from "../../local/database.ts";
import { at, begin, claim, finish, store } from "./documents.ts";
import { rolledBack } from "./rolled-back.ts";
import { call, type Client, makeClient } from "./turns.ts";

// Whatever happens: what is counted is what is there, and nothing is there without its document.
type Event = ["upload" | "store" | "done" | "fail" | "retry" | "delete" | "claim" | "exhaust", number];
const events = fc.array(
  fc.tuple(
    fc.constantFrom<Event[0]>(
      "upload",
      "upload",
      "store",
      "done",
      "done",
      "fail",
      "retry",
      "delete",
      "claim",
      "exhaust",
    ),
    fc.nat(11),
  ),
  { minLength: 5, maxLength: 40 },
);

async function play(session: Session, client: Client, plan: Event[]): Promise<void> {
  const held = new Map<string, { document_id: string; lease: string; chunks: number }>();
  let clock = 0;
  for (const [event, n] of plan) {
    const [id, hold] = [...held][n % Math.max(1, held.size)] ?? [];
    if (event === "upload") {
      const args = {
        source: n % 3 ? `s${n % 3}` : undefined,
        content: `c${n}`,
        file_path: n % 2 ? `p/${n}` : undefined,
      };
      const begun = await begin(session, client, `Title ${n}`, args);
      if (begun.outcome === "created") held.set(begun.document_id, { ...begun, chunks: 0 });
    } else if (event === "claim") {
      for (const work of await claim(session, clock += 100, 2)) {
        held.set(work.id, { document_id: work.id, lease: work.lease, chunks: work.chunks });
      }
    } else if (event === "exhaust") {
      await session.query(
        "update public.documents set attempts = 5 where status = 'processing' and attempts < 5",
      );
      await session.query("select private.fail_exhausted_documents($1)", [at(clock += 100)]);
    } else if (hold === undefined) continue;
    else if (event === "store" || event === "done") {
      const passages = [`Passage ${n} about returns.`, "Another one."].slice(0, 1 + n % 2);
      const stored = await store(session, hold, passages, {
        from_index: hold.chunks,
        done: event === "done",
      });
      if (stored.outcome === "stored") hold.chunks = stored.chunks;
    } else if (event === "fail") {
      await finish(session, { id: id!, lease: hold.lease }, { code: "x", retryable: n % 2 === 0 }, clock);
    } else await call(session, `public.${event}_document`, { agent_id: client.agentId, document_id: id });
  }
}

rolledBack("in any order of events, what is counted is what is there", async (session) => {
  await fc.assert(
    fc.asyncProperty(events, async (plan) => {
      await session.exec("savepoint run");
      const client = await makeClient(session);
      await play(session, client, plan as Event[]);
      const wrong = await session.query(
        `select d.id, d.status, d.chunk_count, count(c.id) as stored, sum(c.tokens) as tokens, d.token_count
         from public.documents d left join public.document_chunks c on c.document_id = d.id group by d.id
         having d.chunk_count <> count(c.id) or (d.deleted_at is null and d.token_count <> coalesce(sum(c.tokens), 0))`,
      );
      assertEquals(wrong, [], "documents count their chunks");
      const [known] = await session.query(
        `select coalesce((select chunks from public.agent_knowledge), 0)::integer as counted,
           (select count(*) from public.document_chunks c join public.documents d on d.id = c.document_id
            where d.status = 'ready' and d.deleted_at is null)::integer as searchable`,
      );
      assertEquals(known!.counted, known!.searchable, "agent_knowledge counts what can be found");
      const strays = await session.query(
        `select t.document_id from public.chunk_terms t, unnest(t.postings) p
         where not exists (select from public.document_chunks c where c.document_id = t.document_id and c.chunk_index = p >> 12)
         union all select c.document_id from public.document_chunks c where not exists (
           select from public.chunk_terms t, unnest(t.postings) p where t.document_id = c.document_id and p >> 12 = c.chunk_index)`,
      );
      assertEquals(strays, [], "postings and chunks belong together");
      const twice = await session.query(
        `select source from public.documents where deleted_at is null and source is not null and status = 'ready'
         group by source having count(*) > 1`,
      );
      assertEquals(twice, [], "one ready document per source");
      await session.exec("rollback to savepoint run");
    }),
    { numRuns: 25, seed: 20261120 },
  );
});
