import { assert, assertEquals, assertGreater } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { claimSet, embed, learn, type Match, type Passage } from "./documents.ts";
import { as, refusal, service } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { change, type Client, makeClient } from "./turns.ts";

async function search(
  session: Session,
  client: Pick<Client, "agentId">,
  query: string,
  { vector, model = "test/one", ...args }: Record<string, unknown> = {},
): Promise<Match[]> {
  const given = Object.entries({
    agent_id: client.agentId,
    query,
    ...(vector ? { query_embedding: JSON.stringify(vector), embedding_model: model } : {}),
    ...args,
  });
  return await as<Match>(
    session,
    service,
    `select * from public.match_documents(${given.map(([name], n) => `${name} => $${n + 1}`)})`,
    given.map(([, argument]) => argument),
  );
}

const contents = async (found: Promise<Match[]>) => (await found).map(({ content }) => content);

/** A unit-free vector that points almost nowhere else than dimension `n`. */
const towards = (n: number, size = 8) =>
  Array.from({ length: size }, (_, i) => i === n ? 10 : i % 2 ? 1 : -1);

rolledBack("a passage is found with its place in its document", async (session) => {
  const client = await makeClient(session);
  const id = await learn(session, client, [
    "Shipping takes two days.",
    { content: "Returns are accepted within thirty days.", heading: "Policies > Returns", page: 3 },
  ], { title: "Handbook", source: "handbook.pdf", category: "policy" });
  const [match, ...rest] = await search(session, client, "How do I return a product?", {
    vector: [1, 1, 1, 1],
  });
  assertEquals({ ...match, id: 0, score: 0 }, {
    id: 0,
    document_id: id,
    content: "Returns are accepted within thirty days.",
    source: "handbook.pdf",
    category: "policy",
    language: "en",
    chunk_index: 1,
    similarity: 1,
    title: "Handbook",
    heading: "Policies > Returns",
    page: 3,
    char_start: 0,
    char_end: 40,
    score: 0,
  });
  assertGreater(match!.score, rest[0]!.score);
});

rolledBack(
  "the threshold drops what is found by vector alone, and keeps what has the words",
  async (session) => {
    const client = await makeClient(session);
    await learn(session, client, [
      { content: "Near by vector.", embedding: towards(0) },
      { content: "Far by vector.", embedding: towards(3) },
      { content: "Apples, far by vector.", embedding: towards(5) },
    ]);
    const found = async (args: Record<string, unknown>) =>
      (await contents(search(session, client, "apples", { vector: towards(0), ...args }))).sort();
    const [both, near] = [["Apples, far by vector.", "Near by vector."], "Near by vector."];
    assertEquals(await found({ match_threshold: 0.9 }), both);
    assertEquals(await found({ match_threshold: 0 }), ["Apples, far by vector.", "Far by vector.", near]);
    await change(session, "agents", client.agentId, { match_threshold: 0.9 });
    assertEquals(await found({}), both);
    assertEquals(await found({ match_threshold: 0 }), ["Apples, far by vector.", "Far by vector.", near]);
    await change(session, "agents", client.agentId, { match_threshold: null });
    assertEquals(await found({}), both);
  },
);

rolledBack("an agent's threshold is its own, else the one of its model and size", async (session) => {
  const rows = await session.query(
    `select private.similarity_threshold('local', 384) as local, private.similarity_threshold('gte-small', 384) as small,
       private.similarity_threshold('mistral/mistral-embed', 1024) as large`,
  );
  const { local, ...others } = rows[0]!;
  assertEquals(others, { small: 0.7, large: 0.65 });
  assert((local as number) > 0 && (local as number) < 0.7);
});

rolledBack("filters by category and language still give the k best of what is left", async (session) => {
  const client = await makeClient(session);
  const near = Array.from(
    { length: 60 },
    (_, n): Passage => ({ content: `Apple ${n}.`, embedding: towards(0) }),
  );
  await learn(session, client, near, { category: "fruit" });
  const far = Array.from(
    { length: 7 },
    (_, n): Passage => ({ content: `Apple tool ${n}.`, embedding: towards(4) }),
  );
  await learn(session, client, far, { category: "tools", language: "fr" });
  const args = { vector: towards(0), match_count: 5, match_threshold: -1 };
  for (const filter of [{ category: "tools" }, { language: "fr" }, { category: "tools", language: "fr" }]) {
    const matches = await search(session, client, "apple", { ...args, ...filter });
    assertEquals(matches.length, 5);
    assertEquals(new Set(matches.map(({ category }) => category)), new Set(["tools"]));
    assertEquals((await search(session, client, "nothing", { ...args, ...filter })).length, 5);
  }
  assertEquals(await search(session, client, "apple", { ...args, category: "tools", language: "en" }), []);
  assertEquals(await search(session, client, "apple", { ...args, category: "none" }), []);
});

rolledBack(
  "an agent with many passages gets the k nearest, by signs first and then exactly",
  async (session) => {
    const client = await makeClient(session);
    let seed = 7;
    const random = () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647 - 0.5;
    const vector = () => Array.from({ length: 1024 }, () => Math.round(random() * 100));
    const passages = Array.from(
      { length: 240 },
      (_, n): Passage => ({ content: `Passage ${n}.`, embedding: vector() }),
    );
    for (let n = 0; n < 4; n++) await learn(session, client, passages.slice(60 * n, 60 * n + 60));
    await learn(session, await makeClient(session), passages.slice(0, 60));
    for (const n of [0, 59, 60, 133, 239]) {
      const asked = passages[n]!.embedding!.map((x) => x + Math.round(random() * 60));
      const matches = await search(session, client, "?", {
        vector: asked,
        match_count: 10,
        match_threshold: -1,
      });
      assertEquals(matches.length, 10);
      assertEquals(matches[0]!.content, `Passage ${n}.`);
      const similarities = matches.map(({ similarity }) => similarity!);
      assertEquals(similarities, [...similarities].sort((a, b) => b - a));
    }
  },
);

rolledBack("a question never meets a vector of another model", async (session) => {
  const client = await makeClient(session);
  await learn(session, client, [{ content: "Apples of both models.", embedding: [1, 2, 3, 4] }]);
  await change(session, "agents", client.agentId, { embedding_model: "test/two" });
  await embed(session, await claimSet(session), [1, 2]);
  await learn(session, client, [{ content: "Apples of the old model.", embedding: [1, 2, 3, 4] }]);
  const by = async (model: string, vector: number[]) =>
    (await search(session, client, "apples", { vector, model, match_threshold: 0 })).map((
      { content, similarity },
    ) => [
      content.split(" ")[2],
      similarity === null,
    ]).sort();
  assertEquals(await by("test/two", [1, 2]), [["both", false], ["the", true]]);
  assertEquals(await by("test/one", [1, 2, 3, 4]), [["both", false], ["the", false]]);
  assertEquals(await by("test/three", [1]), [["both", true], ["the", true]]);
  assertEquals(
    await search(session, client, "nothing", { vector: [1], model: "test/three", match_threshold: 0 }),
    [],
  );
});

rolledBack("a vector of zeros has no angle and spoils nothing", async (session) => {
  const client = await makeClient(session);
  await learn(session, client, [
    { content: "Blank apples.", embedding: [0, 0, 0, 0] },
    { content: "Near.", embedding: [1, 2, 3, 4] },
  ]);
  const matches = await search(session, client, "apples", { vector: [1, 2, 3, 4] });
  assertEquals(matches.map(({ content, similarity }) => [content, similarity]).sort(), [[
    "Blank apples.",
    null,
  ], ["Near.", 1]]);
  assert(matches.every(({ score }) => Number.isFinite(score)));
  assertEquals(await contents(search(session, client, "apples", { vector: [0, 0, 0, 0] })), [
    "Blank apples.",
  ]);
});

rolledBack("senseless searches raise", async (session) => {
  const client = await makeClient(session);
  const said = (args: Record<string, unknown>) => refusal(search(session, client, "apples", args));
  for (
    const args of [
      { agent_id: null },
      { query: null },
      { match_count: null },
      { match_count: 0 },
      { match_count: 201 },
      { vector: [1, 1], embedding_model: null },
    ]
  ) {
    assertEquals(await said(args), "PT422 validation_failed", JSON.stringify(args));
  }
});
