import { assertEquals, assertRejects } from "@std/assert";
import type { Turn } from "../../../functions/chat/admission.ts";
import { type Found, retrieve } from "../../../functions/chat/retrieval.ts";
import { Timings } from "../../../functions/chat/timings.ts";
import type { Deps } from "../../../shared/deps.ts";
import { problem } from "../../../shared/errors.ts";
import { createLog } from "../../../shared/log.ts";
import type { Recalled } from "../../../shared/results.ts";
import type { Rpc } from "../../../shared/rpc.ts";

type Recall = Parameters<Rpc["recallContexts"]>[0];
type Search = Parameters<Rpc["matchDocuments"]>[0];

/** Retrieves for an agent; `embed` makes the question's vector. */
async function search(
  agent: { rag_enabled?: boolean; has_knowledge?: boolean; embedding_model?: string | null },
  embed: Deps["embed"] = () => Promise.resolve(["[1,2]"]),
  { signal = new AbortController().signal, recalls }: {
    signal?: AbortSignal;
    recalls?: () => Promise<Recalled>;
  } = {},
): Promise<{ searches: Search[]; logged: string[]; recalled: Recall[]; found: Found }> {
  const recalled: Recall[] = [];
  const searches: Search[] = [];
  const logged: string[] = [];
  const deps = {
    embed,
    log: createLog((line) => logged.push(JSON.parse(line).event)),
    rpc: {
      matchDocuments: (args: Search) => {
        searches.push(args);
        return Promise.resolve([]);
      },
      recallContexts: (args: Recall) => {
        recalled.push(args);
        return recalls!();
      },
    } as unknown as Rpc,
  };
  const defaults = {
    id: "a",
    rag_enabled: true,
    has_knowledge: true,
    embedding_model: "local",
    match_count: 5,
    match_threshold: null,
  };
  const turn = {
    admission: { agent: { ...defaults, ...agent }, conversation_id: "c", recall: recalls !== undefined },
    understood: { query: "How long is it?" },
    visitorId: "zoe",
    timings: new Timings(),
  } as Turn;
  return { searches, logged, recalled, found: await retrieve(turn, deps, signal) };
}

Deno.test("a question is searched by words and by its vector in the agent's own model", async () => {
  const { searches } = await search({});
  assertEquals(searches, [{
    agentId: "a",
    query: "How long is it?",
    queryEmbedding: "[1,2]",
    matchCount: 5,
    matchThreshold: null,
    embeddingModel: "local",
  }]);
});

Deno.test("an agent without knowledge, or with rag_enabled off, is not searched, and nothing is embedded", async () => {
  const never = () => Promise.reject(new Error("embedded"));
  for (const agent of [{ has_knowledge: false }, { rag_enabled: false }]) {
    assertEquals((await search(agent, never)).searches, []);
  }
});

Deno.test("when the question cannot be embedded, words alone are searched, and the log says so", async () => {
  const { searches, logged } = await search({}, () => Promise.reject(problem("provider_failed", "down")));
  assertEquals([searches[0]?.queryEmbedding, searches[0]?.embeddingModel, logged], [null, null, [
    "question_not_embedded",
  ]]);
});

Deno.test("an aborted turn is not searched", async () => {
  const controller = new AbortController();
  const embed: Deps["embed"] = () => {
    controller.abort();
    return Promise.reject(controller.signal.reason);
  };
  await assertRejects(() => search({}, embed, { signal: controller.signal }));
});

const nothing: Recalled = { contexts: [], memory: [] };

Deno.test("earlier conversations are searched with the same vector, only where the admission says that there are any", async () => {
  const { recalled, found } = await search({}, undefined, { recalls: () => Promise.resolve(nothing) });
  assertEquals(recalled, [{
    agentId: "a",
    visitorId: "zoe",
    conversationId: "c",
    queryEmbedding: "[1,2]",
    embeddingModel: "local",
  }]);
  assertEquals(found.recalled, nothing);
  assertEquals((await search({})).recalled, []);
});

Deno.test("with rag_enabled off the newest are recalled, and nothing is embedded", async () => {
  const never = () => Promise.reject(new Error("embedded"));
  const { searches, recalled } = await search({ rag_enabled: false }, never, {
    recalls: () => Promise.resolve(nothing),
  });
  assertEquals([searches, recalled[0]?.queryEmbedding, recalled[0]?.embeddingModel], [[], null, null]);
});

Deno.test("what cannot be recalled is missed, logged, and no reason not to answer", async () => {
  const { found, logged } = await search({}, undefined, {
    recalls: () => Promise.reject(problem("unavailable", "away")),
  });
  assertEquals([found.recalled, logged], [null, ["not_recalled"]]);
});

Deno.test("documents and earlier conversations are asked at once: no call waits for the other", async () => {
  const both = Promise.withResolvers<void>();
  let asked = 0;
  const wait = async <T>(answer: T): Promise<T> => {
    if (++asked === 2) both.resolve();
    await both.promise;
    return answer;
  };
  const rpc = { matchDocuments: () => wait([]), recallContexts: () => wait(nothing) } as unknown as Rpc;
  const agent = { id: "a", rag_enabled: true, has_knowledge: true, embedding_model: null };
  const turn = {
    admission: { agent, conversation_id: "c", recall: true },
    understood: { query: "Why?" },
    visitorId: "zoe",
    timings: new Timings(),
  };
  const deps = { rpc, embed: () => Promise.resolve([]), log: createLog(() => {}) };
  const found = await retrieve(turn as unknown as Turn, deps, new AbortController().signal);
  assertEquals(found, { chunks: [], recalled: nothing });
});
