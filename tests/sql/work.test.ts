import { assert, assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { at, begin, type Begun, claim, finish, noon, row, store, type Work } from "./documents.ts";
import { refusal } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { call, change, type Client, makeClient } from "./turns.ts";

/** A document that the upload left for the background, due at noon. */
async function queued(session: Session, client: Client, title: string): Promise<Begun> {
  const begun = await begin(session, client, title);
  await call(session, "public.finish_work", {
    kind: "documents",
    id: begun.document_id,
    lease: begun.lease,
    as_of: at(0),
  });
  return begun;
}

rolledBack("work is claimed when it is due, by one, until its lease runs out", async (session) => {
  const client = await makeClient(session);
  const begun = await queued(session, client, "A");
  await store(session, { ...begun, lease: (await claim(session, 0))[0]!.lease }, ["One."], {
    state: { page: 2 },
    lease_seconds: 1,
  });
  await session.query("update public.documents set leased_until = $1", [at(60)]);
  assertEquals(await claim(session, 59), []);
  const [work] = await claim(session, 60);
  assertEquals({ ...work, lease: "" }, {
    id: begun.document_id,
    agent_id: client.agentId,
    owner_id: client.ownerId,
    lease: "",
    title: "A",
    mime_type: "text/plain",
    language: "en",
    agent_language: "fr",
    embedding_model: "test/one",
    state: { page: 2 },
    chunks: 1,
    attempts: 1,
    file_path: null,
    reusable: [],
  });
  assertEquals(await claim(session, 60), []);
});

rolledBack("one owner after the other is served, also when they are claimed one by one", async (session) => {
  const [ann, bob, eve] = [await makeClient(session), await makeClient(session), await makeClient(session)];
  for (const title of ["1", "2", "3"]) await queued(session, ann, `ann ${title}`);
  const sibling = await makeClient(session, { owner: ann.ownerId });
  await queued(session, sibling, "ann 4");
  for (const title of ["1", "2"]) await queued(session, bob, `bob ${title}`);
  await queued(session, eve, "eve 1");
  const owners = (works: Work[]) => works.map(({ title }) => String(title).split(" ")[0]);
  await session.exec("savepoint together");
  const together = owners(await claim(session, 1, 7));
  assertEquals([...together].sort(), ["ann", "ann", "ann", "ann", "bob", "bob", "eve"]);
  await session.exec("rollback to savepoint together");
  const oneByOne: (string | undefined)[] = [];
  for (let n = 0; n < 7; n++) {
    const [work] = await claim(session, 1 + n);
    oneByOne.push(...owners([work!]));
    await store(session, { document_id: work!.id, lease: work!.lease }, ["Done."], { done: true });
  }
  assertEquals(new Set(oneByOne.slice(0, 3)).size, 3);
  assertEquals(oneByOne.slice(3, 5).sort(), ["ann", "bob"]);
  assertEquals(oneByOne.slice(5), ["ann", "ann"]);
});

rolledBack("a claim takes no more than it asks for, and each owner's share of it", async (session) => {
  const [ann, bob] = [await makeClient(session), await makeClient(session)];
  for (const title of ["1", "2", "3", "4"]) await queued(session, ann, `ann ${title}`);
  await queued(session, bob, "bob 1");
  const works = await claim(session, 1, 2);
  assertEquals(new Set(works.map(({ owner_id }) => owner_id)).size, 2);
});

rolledBack("documents of a hidden agent are not worked on", async (session) => {
  const client = await makeClient(session);
  const begun = await queued(session, client, "A");
  await change(session, "agents", client.agentId, { deleted_at: "2026-11-01" });
  assertEquals(await claim(session, 1), []);
  assertEquals((await store(session, begun, ["One."])).outcome, "lost");
});

rolledBack(
  "released work is due at once; work that stumbled waits longer each time and fails at the fifth",
  async (session) => {
    const client = await makeClient(session);
    const begun = await begin(session, client, "A");
    const released = await finish(session, { id: begun.document_id, lease: begun.lease }, null, 0);
    assertEquals([released.outcome, Date.parse(released.next_attempt_at)], ["released", noon]);
    const stumbled = { code: "provider_failed", message: "It was busy.", retryable: true };
    let clock = 0;
    for (const attempt of [1, 2, 3, 4]) {
      const [work] = await claim(session, clock);
      assertEquals(work!.attempts, attempt);
      const { outcome, next_attempt_at } = await finish(session, work!, stumbled, clock);
      const wait = (Date.parse(next_attempt_at) - noon) / 1000 - clock;
      assertEquals(outcome, "retry");
      assert(
        wait >= 5 * 2 ** (attempt - 1) && wait <= 10 * 2 ** (attempt - 1),
        `waits ${wait} s after attempt ${attempt}`,
      );
      assertEquals(await claim(session, clock + Math.floor(wait) - 1), []);
      // The database counts in microseconds, which a date here does not hold.
      clock += Math.floor(wait) + 1;
    }
    const [last] = await claim(session, clock);
    assertEquals((await finish(session, last!, stumbled, clock)).outcome, "failed");
    const failed = (await row(session, begun.document_id))!;
    assertEquals([failed.status, failed.error_code, failed.error_message], [
      "failed",
      "provider_failed",
      "It was busy.",
    ]);
    assertEquals(await claim(session, clock + 1e6), []);
  },
);

rolledBack("progress starts the count of attempts again", async (session) => {
  const client = await makeClient(session);
  const begun = await queued(session, client, "A");
  for (let n = 0; n < 8; n++) {
    const [work] = await claim(session, 100 * n);
    await store(session, { document_id: begun.document_id, lease: work!.lease }, [`Page ${n}.`], {
      from_index: n,
    });
    const { outcome } = await finish(session, work!, { code: "internal", retryable: true }, 100 * n);
    assertEquals(outcome, "retry");
  }
});

rolledBack("a fault for good fails at once, with its reason, and leaves no passage", async (session) => {
  const client = await makeClient(session);
  const begun = await begin(session, client, "A");
  await store(session, begun, ["One."]);
  const error = { code: "validation_failed", message: "The PDF is broken.", retryable: false };
  const ended = await finish(session, { id: begun.document_id, lease: begun.lease }, error, 0);
  assertEquals(ended.outcome, "failed");
  const failed = (await row(session, begun.document_id))!;
  assertEquals([
    failed.status,
    failed.chunk_count,
    failed.token_count,
    failed.progress,
    failed.state,
    failed.lease,
  ], [
    "failed",
    0,
    0,
    0,
    {},
    null,
  ]);
  assertEquals(await session.query("select from public.document_chunks"), []);
  assertEquals(await session.query("select from public.chunk_terms"), []);
  const nameless = await begin(session, client, "B");
  await finish(session, { id: nameless.document_id, lease: nameless.lease }, {}, 0);
  assertEquals((await row(session, nameless.document_id))!.error_code, "internal");
});

rolledBack(
  "a document whose worker dies every time is given up after the fifth, and not claimed before that",
  async (session) => {
    const client = await makeClient(session);
    const begun = await queued(session, client, "Killer");
    const giveUp = async (seconds: number) =>
      (await session.query<{ n: number }>("select private.fail_exhausted_documents($1) as n", [at(seconds)]))[
        0
      ]!.n;
    for (let n = 0; n < 5; n++) {
      assertEquals(await giveUp(61 * n), 0);
      assertEquals((await claim(session, 61 * n)).length, 1);
    }
    assertEquals(await claim(session, 61 * 5), []);
    assertEquals(await giveUp(61 * 4 + 59), 0);
    assertEquals(await giveUp(61 * 5), 1);
    const failed = (await row(session, begun.document_id))!;
    assertEquals([failed.status, failed.error_code, failed.lease], ["failed", "unavailable", null]);
  },
);

rolledBack("senseless claims and endings raise", async (session) => {
  const client = await makeClient(session);
  const begun = await begin(session, client, "A");
  for (
    const args of [{ kind: null }, { kind: "steps" }, { max_items: 0 }, { max_items: null }, {
      lease_seconds: 0,
    }, { as_of: null }]
  ) {
    assertEquals(
      await refusal(call(session, "public.claim_work", args)),
      "PT422 validation_failed",
      JSON.stringify(args),
    );
  }
  const ended = { kind: "documents", id: begun.document_id, lease: begun.lease };
  for (
    const args of [{ kind: "steps" }, { kind: null }, { error: '"x"' }, { error: { retryable: "yes" } }, {
      as_of: null,
    }]
  ) {
    const said = await refusal(call(session, "public.finish_work", { ...ended, ...args }));
    assertEquals(said, "PT422 validation_failed", JSON.stringify(args));
  }
  for (const args of [{ id: null }, { lease: null }, { lease: crypto.randomUUID() }]) {
    assertEquals(await call(session, "public.finish_work", { ...ended, ...args }), { outcome: "lost" });
  }
});
