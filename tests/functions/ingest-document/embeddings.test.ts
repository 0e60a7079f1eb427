import { assert, assertEquals } from "@std/assert";
import { createHandler } from "../../../functions/ingest-document/handler.ts";
import { workFor } from "../../../functions/ingest-document/work.ts";
import { createDeps, type Deps } from "../../../shared/deps.ts";
import { readEnv } from "../../../shared/env.ts";
import { problem } from "../../../shared/errors.ts";
import { createLog } from "../../../shared/log.ts";
import type { Rpc } from "../../../shared/rpc.ts";
import { startStack } from "../../support/stack.ts";

const stack = await startStack();
Deno.test.afterAll(() => stack.close());

const variables: Record<string, string> = {
  SUPABASE_URL: stack.url,
  SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: stack.publishableKey }),
  SUPABASE_SECRET_KEYS: JSON.stringify({ default: stack.secretKey }),
};
const real = createDeps(readEnv({ get: (name) => variables[name] }));

/** Dependencies whose provider embeds as the offline model does, and notes what it was asked. */
function provider(replaced: { rpc?: Partial<Rpc>; fault?: (call: number) => Error | null } = {}) {
  const asked: { model: string; texts: string[] }[] = [];
  const deps: Deps = {
    ...real,
    log: createLog(() => {}),
    rpc: { ...real.rpc, ...replaced.rpc },
    embed: async (model, texts, options) => {
      asked.push({ model, texts });
      const error = replaced.fault?.(asked.length);
      if (error) throw error;
      return await real.embed("local", texts, options);
    },
  };
  return { deps, asked };
}

async function tenant() {
  const user = await stack.signUp();
  const agent = await stack.createAgent(user.token, { language: "en" });
  const { key } = await stack.createKey(user.token, agent.id, {
    scopes: ["ingest"],
    requests_per_minute: 10_000,
  });
  const agents = () => stack.client(user.token).from("agents");
  return {
    agentId: agent.id,
    key,
    client: stack.client(user.token),
    change: (embedding_model: string) =>
      agents().update({ embedding_model }).eq("id", agent.id).throwOnError(),
    wanted: async () =>
      (await agents().select("embedding_model").eq("id", agent.id).single().throwOnError()).data,
  };
}

async function send(key: string, content: string, deps: Deps = real) {
  const response = await createHandler(deps)(
    new Request("http://functions/ingest-document", {
      method: "POST",
      headers: { "x-api-key": key, "content-type": "application/json" },
      body: JSON.stringify({ title: content.slice(0, 20), content }),
    }),
  );
  assertEquals(response.status, 201);
}

/** Documents whose chunks are more than one call takes. */
async function learn(key: string) {
  for (const house of ["house", "garden"]) {
    const rules = Array.from({ length: 75 }, (_, n) => `Rule ${n} of the ${house}. `.repeat(40));
    await send(key, rules.join("\n\n"));
  }
}

const counts = (agentId: string) =>
  stack.database.query<{ model: string; vectors: number; chunks: number }>(
    `select embedding_model as model, count(*)::int as vectors, count(distinct (document_id, chunk_index))::int as chunks
     from public.document_chunks where agent_id = $1 group by 1 order by 1`,
    [agentId],
  );
const active = async (agentId: string) =>
  (await stack.database.query<{ embedding_model: string }>(
    "select embedding_model from public.agent_knowledge where agent_id = $1",
    [agentId],
  ))[0]!.embedding_model;
const makeDue = () =>
  stack.database.query(
    `update public.embedding_sets set next_attempt_at = now(), leased_until = case when lease is not null then now() end`,
  );

Deno.test("an owner changes the model: the scheduler's calls embed all chunks, and then it answers", async () => {
  const { agentId, key, change, wanted, client } = await tenant();
  await learn(key);
  await change("test/new");
  assertEquals([(await wanted())!.embedding_model, await active(agentId)], ["test/new", "local"]);
  await send(key, "Uploaded meanwhile.");
  const [before] = await counts(agentId);
  assert(before!.model === "local" && before!.vectors > 128);
  const { deps, asked } = provider();
  assertEquals(await workFor(20_000, deps), { done: 1, failed: 0, more: false });
  assertEquals(await active(agentId), "test/new");
  assertEquals(asked.flatMap(({ texts }) => texts).length, before!.vectors);
  assert(asked.every(({ model }) => model === "test/new"));
  await stack.database.query("select private.remove_outdated_vectors()");
  assertEquals(await counts(agentId), [{ ...before!, model: "test/new" }]);
  await client.from("agents").select("id").throwOnError();
});

Deno.test("a process killed anywhere in between loses no vector and doubles none", async () => {
  const { agentId, key, change } = await tenant();
  await learn(key);
  const [before] = await counts(agentId);
  const dies = problem("unavailable", "the process was killed");
  for (const when of ["embedding", "before", "after", "switching"]) {
    await change(`test/${when}`);
    const killed = provider({
      fault: (call) => when === "embedding" && call === 2 ? dies : null,
      rpc: {
        storeVectors: async (args) => {
          if (when === "before") throw dies;
          const answer = await real.rpc.storeVectors(args);
          if (when === "after") throw dies;
          return answer;
        },
        switchModel: (args) => when === "switching" ? Promise.reject(dies) : real.rpc.switchModel(args),
        // A dead process reports nothing.
        finishWork: () => Promise.reject(dies),
      },
    });
    await workFor(20_000, killed.deps);
    assert(await active(agentId) !== `test/${when}`, "the old vectors answer");
    await makeDue();
    assertEquals((await workFor(20_000, provider().deps)).done, 1, `killed ${when}`);
    assertEquals(await active(agentId), `test/${when}`);
    const [now] = (await counts(agentId)).filter(({ model }) => model === `test/${when}`);
    assertEquals(now, { ...before!, model: `test/${when}` }, `killed ${when}`);
  }
});

Deno.test("a model that cannot be asked leaves the old one answering, says why, and is asked again later", async () => {
  const { agentId, key, change, client } = await tenant();
  await send(key, "A short text.");
  await change("test/away");
  const away = provider({ fault: () => problem("provider_not_configured", "No key for test/away") });
  assertEquals((await workFor(20_000, away.deps)).failed, 1);
  assertEquals((await workFor(20_000, away.deps)).failed, 0);
  const { data } = await client.from("embedding_sets").select("status, error_code, error_message")
    .throwOnError();
  assertEquals(data, [{
    status: "building",
    error_code: "provider_not_configured",
    error_message: "The model provider is not configured",
  }]);
  assertEquals(await active(agentId), "local");
  await makeDue();
  assertEquals((await workFor(20_000, provider().deps)).done, 1);
  assertEquals(await active(agentId), "test/away");
});

Deno.test("a small document takes one call where its vectors cost nothing, and where they do none is bought in vain", async () => {
  const { key, change } = await tenant();
  const calls: string[] = [];
  const rpc = {
    storeDocuments: (args) => (calls.push("storeDocuments"), real.rpc.storeDocuments(args)),
    storeChunks: (args) => (calls.push("storeChunks"), real.rpc.storeChunks(args)),
  } satisfies Partial<Rpc>;
  const { deps, asked } = provider({ rpc });
  await send(key, "A first text.", deps);
  assertEquals([calls.splice(0), asked.splice(0).length], [["storeDocuments"], 1]);
  await change("test/paid");
  await workFor(20_000, deps);
  asked.splice(0);
  await send(key, "A second text.", deps);
  assertEquals([calls.splice(0), asked.splice(0).length], [["storeDocuments", "storeChunks"], 1]);
  const again = await createHandler(deps)(
    new Request("http://functions/ingest-document", {
      method: "POST",
      headers: { "x-api-key": key, "content-type": "application/json" },
      body: JSON.stringify({ title: "Again", content: "A second text." }),
    }),
  );
  assertEquals([again.status, (await again.json()).deduplicated], [200, true]);
  assertEquals([calls.splice(0), asked.length], [["storeDocuments"], 0]);
});
