import { assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Session } from "../../local/database.ts";
import { begin, learn, type Match, store } from "./documents.ts";
import { as, service } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { type Client, makeClient } from "./turns.ts";

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
        { numRuns: 10, seed: 20261120 },
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

rolledBack("a question of any length and any characters is answered", async (session) => {
  const client = await makeClient(session);
  await learn(session, client, ["Apples."]);
  for (
    const question of ["apples ".repeat(4000), "'\"\\&|!():*<->\n\t😀 apples", "x".repeat(32_000) + " apples"]
  ) {
    assertEquals(await contents(search(session, client, question)), ["Apples."]);
  }
});
