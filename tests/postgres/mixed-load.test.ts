import { assert, assertEquals } from "@std/assert";
import { type Begun, chunk, oneUpload } from "../sql/documents.ts";
import { type Admission, type Client, makeClient, sha256 } from "../sql/turns.ts";
import { openDatabase, type TestDatabase } from "../support/database.ts";
import { assertBalanced } from "./balance.ts";
import { atOnce, type Crowd, gather } from "./crowd.ts";

/** How long the load runs. */
const forMs = 4000;

/** What the clients of the load know of, for others to take up. */
interface Known {
  clients: Client[];
  turns: { turn_id: string; message_id: string }[];
  documents: { document_id: string; lease: string; chunks: number }[];
}

const any = <T>(list: T[]): T | undefined => list[Math.floor(Math.random() * list.length)];
const few = (n: number) => Math.floor(Math.random() * n);

type Act = (crowd: Crowd, known: Known, database: TestDatabase) => Promise<unknown>;

const acts: Record<string, Act> = {
  admit: async (crowd, known) => {
    const args = { message: "Why?", message_tokens: 5, session_id: `s${few(6)}`, address_hash: `a${few(3)}` };
    const turn = await crowd.call<Admission>("public.admit_turn", {
      ...args,
      key_hash: any(known.clients)!.keyHash,
    });
    if (turn.admitted) known.turns.push(turn);
  },
  append: async (crowd, known) => {
    const turn = any(known.turns);
    if (turn) {
      await crowd.call("public.append_deltas", {
        turn_id: turn.turn_id,
        seq: 1 + few(9),
        text: "x",
        output_tokens: few(9),
      });
    }
  },
  settle: async (crowd, known) => {
    const turn = any(known.turns.slice(-40));
    const outcome = any(["completed", "failed", "aborted"]);
    const args = {
      outcome,
      provider: "local",
      model: "x",
      answer: any(["", "Because."]),
      input_tokens: few(9),
    };
    if (turn) await crowd.call("public.settle_turn", { turn_id: turn.turn_id, ...args });
  },
  reset: (crowd, known) =>
    crowd.call("public.reset_chat_session", {
      p_session_id: `s${few(6)}`,
      p_agent_id: any(known.clients)!.agentId,
    }),
  rate: async (crowd, known) => {
    const turn = any(known.turns);
    if (turn) {
      await crowd.call("public.save_feedback", {
        agent_id: any(known.clients)!.agentId,
        message_id: turn.message_id,
        rating: 1,
      });
    }
  },
  validate: (crowd, known) =>
    crowd.call("public.validate_api_key", { p_key_hash: any(known.clients)!.keyHash, p_cost: few(3) }),
  begin: async (crowd, known) => {
    const title = `Title ${few(30)}`;
    const upload = oneUpload({
      agent_id: any(known.clients)!.agentId,
      title,
      mime_type: "text/plain",
      content_hash: await sha256(title),
      size_bytes: 5,
      embedding_model: "test/one",
      source: any([undefined, "a", "b"]),
      file_path: any([undefined, "o/a/1"]),
      chunks: any([undefined, [chunk("Plums and cherries.")]]),
      lease_seconds: 1,
    });
    const [begun] = await crowd.call<Begun[]>("public.store_documents", upload);
    if (begun!.outcome === "created") known.documents.push({ ...begun!, chunks: 0 });
  },
  store: async (crowd, known) => {
    const held = any(known.documents.slice(-20));
    if (!held) return;
    const stored = await crowd.call<{ outcome: string; chunks: number }>("public.store_chunks", {
      document_id: held.document_id,
      lease: held.lease,
      from_index: held.chunks,
      chunks: JSON.stringify([chunk("Apples and pears.")]),
      done: few(2) === 0,
      lease_seconds: 1,
    });
    if (stored.outcome === "stored") held.chunks = stored.chunks;
  },
  claim: async (crowd, known) => {
    const works = await crowd.call<{ id: string; lease: string; chunks: number }[]>("public.claim_work", {
      max_items: 3,
      lease_seconds: 1,
    });
    known.documents.push(...works.map(({ id, lease, chunks }) => ({ document_id: id, lease, chunks })));
  },
  finish: async (crowd, known) => {
    const held = any(known.documents.slice(-20));
    const error = any([null, { code: "x", retryable: true }, { code: "x", retryable: false }]);
    if (held) {
      await crowd.call("public.finish_work", {
        kind: "documents",
        id: held.document_id,
        lease: held.lease,
        error,
      });
    }
  },
  retry: (crowd, known) =>
    crowd.call("public.retry_document", {
      agent_id: any(known.clients)!.agentId,
      document_id: any(known.documents)?.document_id ?? null,
    }),
  delete: (crowd, known) =>
    crowd.call("public.delete_document", {
      agent_id: any(known.clients)!.agentId,
      document_id: any(known.documents)?.document_id ?? null,
    }),
  search: (_, known, database) =>
    database.query(
      "select * from public.match_documents($1, 'apples', '[1,1,1,1]', embedding_model => 'test/one')",
      [
        any(known.clients)!.agentId,
      ],
    ),
  want: (_, known, database) =>
    database.query("update public.agents set embedding_model = $2 where id = $1", [
      any(known.clients)!.agentId,
      any(["test/one", "test/two", "test/three"]),
    ]),
  build: async (crowd) => {
    const [work] = await crowd.call<{ id: string; lease: string }[]>("public.claim_work", {
      kind: "embeddings",
      lease_seconds: 1,
    });
    if (!work) return;
    const { id, lease } = work;
    const chunks = await crowd.call<{ id: number }[] | null>("public.chunks_to_embed", { id, lease });
    const vectors = JSON.stringify(chunks?.map((row) => ({ id: row.id, embedding: "[2,1,1,1]" })) ?? []);
    await crowd.call("public.store_vectors", { id, lease, vectors });
    await crowd.call("public.switch_model", { id, lease });
    await crowd.call("public.finish_work", { kind: "embeddings", id, lease });
  },
  jobs: (_, __, database) =>
    database.query(
      any([
        "select private.reap_turns(now() + interval '50 s')",
        "select private.close_idle_conversations(now() + interval '2 h')",
        "select private.forget_rate_limits(now() + interval '1 h')",
        "select private.fail_exhausted_documents(now() + interval '1 h')",
        "select private.erase_agents(now() + interval '58 s')",
        "select private.remove_outdated_vectors()",
      ])!,
    ),
  hide: async (_, known, database) => {
    if (few(40) > 0 || known.clients.length < 4) return;
    const [gone] = known.clients.splice(few(known.clients.length), 1);
    await database.query("update public.agents set deleted_at = now() where id = $1", [gone!.agentId]);
    known.clients.push(
      await database.transaction((session) => freshClient(session, any(known.clients)!.ownerId)),
    );
  },
};

const freshClient = (session: Parameters<typeof makeClient>[0], owner?: string) =>
  makeClient(session, { owner, key: { requests_per_minute: 1_000_000 } });

Deno.test("everything at once for some seconds: no deadlock, no fault, and the books balance", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url, 30);
  const known: Known = { clients: [], turns: [], documents: [] };
  await database.query(
    "update public.app_config set value = '0' where key in ('sessionRequestsPerMinute', 'addressRequestsPerMinute')",
  );
  const ann = await database.transaction((session) => freshClient(session));
  known.clients.push(ann, await database.transaction((session) => freshClient(session, ann.ownerId)));
  for (let n = 0; n < 3; n++) {
    known.clients.push(await database.transaction((session) => freshClient(session)));
  }
  const faults: string[] = [];
  let done = 0;
  const end = Date.now() + forMs;
  await atOnce(30, async () => {
    while (Date.now() < end) {
      const [name, act] = any(Object.entries(acts))!;
      try {
        await act(crowd, known, database);
        done++;
      } catch (error) {
        const { code, message } = error as { code: string; message: string };
        // What a caller did wrong: a turn, session or agent that is gone meanwhile, a plan without room.
        if (!/^PT4/.test(code)) faults.push(`${name}: ${code} ${message}`);
      }
    }
  });
  assertEquals([...new Set(faults)], []);
  assert(done > 300, `${done} calls`);
  await database.query("select private.reap_turns(now() + interval '1 hour')");
  await assertBalanced(database);
  const [knowledge] = await database.query(
    `select count(*)::integer as wrong from public.agent_knowledge k where k.chunks <> (select coalesce(sum(d.chunk_count), 0)
       from public.documents d where d.agent_id = k.agent_id and d.status = 'ready' and d.deleted_at is null)`,
  );
  assertEquals(knowledge, { wrong: 0 });
  // Each chunk of a document has its vector of the model that answers, whatever was changed when.
  const [vectors] = await database.query(
    `select count(*)::integer as wrong from public.documents d join public.agents a on a.id = d.agent_id and a.deleted_at is null
       join public.agent_knowledge k on k.agent_id = d.agent_id where d.deleted_at is null and d.chunk_count <> (
         select count(*) from public.document_chunks c where c.document_id = d.id and c.embedding_model = k.embedding_model)`,
  );
  assertEquals(vectors, { wrong: 0 });
  const [orphans] = await database.query(
    `select count(*)::integer as wrong from public.document_chunks c join public.agents a on a.id = c.agent_id and a.deleted_at is null
       where not exists (select from public.documents d where d.id = c.document_id and d.deleted_at is null)
         or not exists (select from public.agent_knowledge k where k.agent_id = c.agent_id and k.embedding_model = c.embedding_model
           union all select from public.embedding_sets s where s.agent_id = c.agent_id and s.embedding_model = c.embedding_model)`,
  );
  assertEquals(orphans, { wrong: 0 });
});
