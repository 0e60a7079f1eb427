import { assertEquals, assertRejects } from "@std/assert";
import type { Turn } from "../../../functions/chat/admission.ts";
import { retrieve } from "../../../functions/chat/retrieval.ts";
import type { Deps } from "../../../shared/deps.ts";
import { problem } from "../../../shared/errors.ts";
import { createLog } from "../../../shared/log.ts";
import type { Rpc } from "../../../shared/rpc.ts";

type Search = Parameters<Rpc["matchDocuments"]>[0];

/** Retrieves for an agent; `embed` makes the question's vector. */
async function search(
  agent: { rag_enabled?: boolean; has_knowledge?: boolean; embedding_model?: string | null },
  embed: Deps["embed"] = () => Promise.resolve(["[1,2]"]),
  signal = new AbortController().signal,
): Promise<{ searches: Search[]; logged: string[] }> {
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
  const turn = { admission: { agent: { ...defaults, ...agent } }, question: "How long?" } as Turn;
  await retrieve(turn, deps, signal);
  return { searches, logged };
}

Deno.test("a question is searched by words and by its vector in the agent's own model", async () => {
  const { searches } = await search({});
  assertEquals(searches, [{
    agentId: "a",
    query: "How long?",
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
  await assertRejects(() => search({}, embed, controller.signal));
});
