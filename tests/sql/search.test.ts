import { assert, assertAlmostEquals, assertEquals, assertGreater } from "@std/assert";
import fc from "fast-check";
import type { Session } from "../../local/database.ts";
import { begin, learn, type Match, type Passage, store } from "./documents.ts";
import { as, refusal, service, user, value } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { admit, call, change, type Client, exchange, makeClient } from "./turns.ts";

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
  "any term matches, a heading counts, and a question of stop words alone finds nothing by words",
  async (session) => {
    const client = await makeClient(session);
    await learn(session, client, [
      "Apples are red.",
      { content: "It is far.", heading: "Distance" },
      "Nothing here.",
    ]);
    assertEquals(await contents(search(session, client, "apples or bananas or cherries")), [
      "Apples are red.",
    ]);
    assertEquals(await contents(search(session, client, "distances")), ["It is far."]);
    assertEquals(await search(session, client, "is it the?"), []);
    assertEquals(await search(session, client, ""), []);
    assertEquals((await search(session, client, "is it the?", { vector: [1, 1, 1, 1] })).length, 3);
  },
);

rolledBack("words alone have no similarity", async (session) => {
  const client = await makeClient(session);
  await learn(session, client, ["Apples are red."]);
  const [match] = await search(session, client, "apples");
  assertEquals(match!.similarity, null);
});

// BM25 with the constants of the migration, over the stems that PostgreSQL makes.
function bm25(chunks: string[][], question: string[]): number[] {
  const n = chunks.length;
  return chunks.map((stems) =>
    [...new Set(question)].reduce((sum, stem) => {
      const tf = stems.filter((other) => other === stem).length;
      const df = chunks.filter((other) => other.includes(stem)).length;
      const weight = tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * stems.length / 80));
      return sum + weight * Math.log(1 + (n - df + 0.5) / (df + 0.5));
    }, 0)
  );
}

async function stems(session: Session, text: string, language: string): Promise<string[]> {
  const rows = await session.query<{ stem: string; times: number }>(
    `select private.fold(lexeme) as stem, cardinality(positions) as times
     from unnest(to_tsvector(private.text_config($2), private.plain_text($1)))`,
    [text, language],
  );
  return rows.flatMap(({ stem, times }) => Array<string>(times).fill(stem));
}

const words = {
  en: "return refund parcel shipping day week shop order price colour apples running better".split(" "),
  fr: "résilier résiliation l’abonnement colis livraison d'achat remboursé été jours œuvre prix garantie"
    .split(" "),
};

for (const language of ["en", "fr"] as const) {
  rolledBack(
    `the lexical score is BM25 over the stems of the agent's passages, in ${language}`,
    async (session) => {
      const passage = fc.array(fc.constantFrom(...words[language]), { minLength: 1, maxLength: 60 }).map((
        w,
      ) => w.join(" "));
      const corpus = fc.array(fc.array(passage, { minLength: 1, maxLength: 6 }), {
        minLength: 1,
        maxLength: 4,
      });
      await fc.assert(
        fc.asyncProperty(
          corpus,
          fc.array(fc.constantFrom(...words[language]), { minLength: 1, maxLength: 4 }),
          async (docs, asked) => {
            await session.exec("savepoint run");
            const client = await makeClient(session);
            const other = await makeClient(session);
            const places: string[] = [];
            for (const passages of docs) {
              const begun = await begin(session, client, crypto.randomUUID());
              const half = Math.ceil(passages.length / 2);
              await store(session, begun, passages.slice(0, half), { language });
              await store(session, begun, passages.slice(half), { language, from_index: half, done: true });
              places.push(...passages.map((_, n) => `${begun.document_id} ${n}`));
            }
            await learn(session, other, [words[language].join(" ")], { language });
            const chunks = await Promise.all(docs.flat().map((text) => stems(session, text, language)));
            const question = await stems(session, asked.join(" "), language);
            const expected = new Map(
              bm25(chunks, question).map((score, n) => [places[n]!, score]).filter(([, s]) =>
                s as number > 0
              ) as [string, number][],
            );
            const found = await session.query<{ place: string; score: number }>(
              `select document_id || ' ' || chunk_index as place, score from private.match_words($1, $2, $3, null, null, 200)`,
              [client.agentId, [...new Set(question)], chunks.length],
            );
            assertEquals(found.map(({ place }) => place).sort(), [...expected.keys()].sort());
            for (const { place, score } of found) {
              assertAlmostEquals(score, expected.get(place)!, 0.002 * expected.get(place)! + 0.002);
            }
            assertEquals(
              found.map(({ score }) => score),
              found.map(({ score }) => score).sort((a, b) => b - a),
            );
            await session.exec("rollback to savepoint run");
          },
        ),
        { numRuns: 20, seed: 20261120 },
      );
    },
  );
}

rolledBack(
  "French is found without its accents, through elisions, in both spellings of œ and in both ways to write é",
  async (session) => {
    const client = await makeClient(session);
    const passages = [
      "Le client peut résilier l’abonnement à tout moment.",
      "Nos œufs viennent d'une ferme.",
      "La société rembourse les dégâts.",
      "Un sœur au grand cœur.",
      "Garantie e\u0301tendue.",
    ];
    await learn(session, client, passages, { language: "fr" });
    const first = async (question: string) => (await contents(search(session, client, question)))[0];
    assertEquals(await first("Comment resilier mon abonnement ?"), passages[0]);
    assertEquals(await first("résiliés"), passages[0]);
    assertEquals(await first("qu'est-ce que l'abonnement"), passages[0]);
    assertEquals(await first("d’abonnements"), passages[0]);
    assertEquals([await first("oeufs"), await first("œuf")], [passages[1], passages[1]]);
    assertEquals([await first("SOCIETE"), await first("degat")], [passages[2], passages[2]]);
    assertEquals(await first("coeur"), passages[3]);
    assertEquals(await search(session, client, "cour"), []);
    assertEquals(
      [await first("étendue"), await first("e\u0301tendues"), await first("etendu")],
      Array(3).fill(passages[4]),
    );
  },
);

rolledBack("an agent with documents in two languages is asked in either", async (session) => {
  const client = await makeClient(session);
  await learn(session, client, ["Returns are accepted."], { language: "en" });
  await learn(session, client, ["Les retours sont acceptés."], { language: "fr" });
  await learn(session, client, ["Palautukset hyväksytään."], { language: "et" });
  assertEquals(await contents(search(session, client, "return")), ["Returns are accepted."]);
  assertEquals(await contents(search(session, client, "retour")), ["Les retours sont acceptés."]);
  assertEquals(await contents(search(session, client, "palautukset")), ["Palautukset hyväksytään."]);
  assertEquals(await contents(search(session, client, "retour return", { language: "fr" })), [
    "Les retours sont acceptés.",
  ]);
});

rolledBack("rare words weigh more than frequent ones, by the agent's own texts", async (session) => {
  const client = await makeClient(session);
  const passages = Array.from({ length: 20 }, (_, n) => `The parcel number ${n} has a colour.`);
  await learn(session, client, [...passages, "The parcel has a warranty."]);
  assertEquals((await contents(search(session, client, "parcel warranty")))[0], "The parcel has a warranty.");
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
  await learn(session, client, [{ content: "Apples of the old model.", embedding: [1, 2, 3, 4] }]);
  await change(session, "agents", client.agentId, { embedding_model: "test/two" });
  await learn(session, client, [{ content: "Apples of the new model.", embedding: [1, 2] }]);
  const by = async (model: string, vector: number[]) =>
    (await search(session, client, "apples", { vector, model, match_threshold: 0 })).map((
      { content, similarity },
    ) => [
      content.split(" ")[3],
      similarity === null,
    ]).sort();
  assertEquals(await by("test/two", [1, 2]), [["new", false], ["old", true]]);
  assertEquals(await by("test/one", [1, 2, 3, 4]), [["new", true], ["old", false]]);
  assertEquals(await by("test/three", [1]), [["new", true], ["old", true]]);
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

rolledBack("passages of documents that are not ready, failed or deleted are not found", async (session) => {
  const client = await makeClient(session);
  const ready = await learn(session, client, ["Apples of the ready one."], { source: "a.txt" });
  const open = await begin(session, client, "Open", { source: "a.txt" });
  await store(session, open, ["Apples of the open one."]);
  const broken = await begin(session, client, "Broken");
  await store(session, broken, ["Apples of the broken one."]);
  const found = () =>
    contents(search(session, client, "apples", { vector: [1, 1, 1, 1], match_threshold: 0 }));
  assertEquals(await found(), ["Apples of the ready one."]);
  await call(session, "public.finish_work", {
    kind: "documents",
    id: broken.document_id,
    lease: broken.lease,
    error: { code: "x", retryable: false },
  });
  assertEquals(await found(), ["Apples of the ready one."]);
  await store(session, open, ["Pears."], { from_index: 1, done: true });
  assertEquals((await found()).sort(), ["Apples of the open one.", "Pears."]);
  assertEquals(await session.query("select from public.documents where id = $1", [ready]), []);
  await call(session, "public.delete_document", { agent_id: client.agentId, document_id: open.document_id });
  assertEquals(await found(), []);
});

rolledBack(
  "an agent finds its own passages alone; a hidden and an empty one find nothing",
  async (session) => {
    const [client, other, empty] = [
      await makeClient(session),
      await makeClient(session),
      await makeClient(session),
    ];
    await learn(session, client, ["Apples of mine."]);
    await learn(session, other, ["Apples of theirs."]);
    const vector = [1, 1, 1, 1];
    assertEquals(await contents(search(session, client, "apples", { vector })), ["Apples of mine."]);
    assertEquals(await search(session, empty, "apples", { vector }), []);
    assertEquals(await search(session, { agentId: crypto.randomUUID() }, "apples", { vector }), []);
    await change(session, "agents", client.agentId, { deleted_at: "2026-11-01" });
    assertEquals(await search(session, client, "apples", { vector }), []);
  },
);

/** Takes every comparison with the agent or conversation out of the functions that read for a key holder. */
async function forgetWhere(session: Session): Promise<string[]> {
  const readers = await session.query<{ name: string; definition: string }>(
    `select p.proname as name, pg_get_functiondef(p.oid) as definition from pg_proc p
     where p.pronamespace = 'private'::regnamespace and p.prosrc ~ 'public\\.(documents|document_chunks|chunk_terms|messages|agents)'
       and (p.proowner = 'agent_reader'::regrole
         or has_function_privilege('agent_reader', p.oid, 'execute') and not has_function_privilege('service_role', p.oid, 'execute'))`,
  );
  const changed: string[] = [];
  for (const { name, definition } of readers) {
    const forgetful = definition.replaceAll(
      /\b\w+\.(agent_id|conversation_id|id) = \w+\.(agent_id|conversation_id)\b/g,
      "true",
    );
    if (forgetful === definition) continue;
    changed.push(name);
    await session.exec(forgetful);
  }
  return changed.sort();
}

rolledBack("a search that forgot its WHERE still finds nothing of another agent", async (session) => {
  const [client, other] = [await makeClient(session), await makeClient(session)];
  const vector = [1, 1, 1, 1];
  await learn(session, client, ["Apples of mine."]);
  for (let n = 0; n < 3; n++) await learn(session, other, [`Apples of theirs ${n}.`]);
  assertEquals(await forgetWhere(session), ["find_chunks", "match_vectors", "match_words", "turn_memory"]);
  for (const args of [{}, { vector }, { vector, match_threshold: 0, match_count: 200 }, { language: "en" }]) {
    assertEquals(await contents(search(session, client, "apples", args)), ["Apples of mine."]);
  }
  // The same functions without the reader's policies find them: the WHERE is really gone.
  const leaked = await session.query<{ content: string }>(
    `select content from private.find_chunks($1, 'apples', null, 50, null, null, null, null)`,
    [client.agentId],
  );
  assertEquals(leaked.length, 4);
});

rolledBack("a history that forgot its WHERE still holds nothing of another agent", async (session) => {
  const [client, other] = [await makeClient(session), await makeClient(session)];
  await exchange(session, client, { session_id: "s", message: "mine" }, { answer: "mine" });
  const foreign = await exchange(session, other, { session_id: "s", message: "theirs" }, {
    answer: "theirs",
  });
  await session.query(
    "insert into public.entity_memory (agent_id, conversation_id, type, value) values ($1, $2, 'name', 'theirs')",
    [other.agentId, foreign.conversation_id],
  );
  await forgetWhere(session);
  const { history, memory } = await admit(session, client, { session_id: "s" });
  assertEquals([history.map(({ content }) => content), memory], [["mine", "mine"], []]);
});

rolledBack("the agent of a search is forgotten after it, also after one that failed", async (session) => {
  const client = await makeClient(session);
  await learn(session, client, ["Apples."]);
  const agent = () => session.query("select coalesce(current_setting('app.agent_id', true), '') as agent");
  await search(session, client, "apples", { vector: [1, 1, 1, 1] });
  assertEquals(await agent(), [{ agent: "" }]);
  const failed = search(session, client, "apples", { vector: [1, 1], match_threshold: 0 });
  assertEquals(await refusal(failed), "22000");
  assertEquals(await agent(), [{ agent: "" }]);
  await session.exec("set local role agent_reader");
  assertEquals(await session.query("select from public.document_chunks"), []);
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

rolledBack("search is for the service role alone", async (session) => {
  const client = await makeClient(session);
  const sql = `public.match_documents('${client.agentId}', 'apples')`;
  assertEquals(await refusal(value(session, user(client.ownerId), sql)), "42501");
  assertEquals(await refusal(value(session, { name: "anon", role: "anon", claims: null }, sql)), "42501");
  assertEquals(
    await refusal(value(session, { name: "r", role: "agent_reader", claims: null }, "private.reap_turns()")),
    "42501",
  );
});

rolledBack("a question of any length and any characters is answered", async (session) => {
  const client = await makeClient(session);
  await learn(session, client, ["Apples."]);
  for (
    const question of ["apples ".repeat(4000), "'\"\\&|!():*<->\n\t😀 apples", "x".repeat(32_000) + " apples"]
  ) {
    assertEquals(await contents(search(session, client, question)), ["Apples."]);
  }
});
