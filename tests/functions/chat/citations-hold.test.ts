import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { eventually, startChat } from "./fixture.ts";
import { EventReader } from "./read-events.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

const passages = [
  "Refunds take thirty days.\nA receipt   is needed for refunds.",
  "Gifts are wrapped: refunds of gifts take ten days, too 🙂.",
  "Le remboursement des « refunds » est gratuit. Nous livrons sous 48 heures.",
];

// What a model may write: statements, markers that resolve, markers that do not, and what only looks like one.
const words = fc.constantFrom(
  "Refunds take thirty days",
  " A receipt is needed",
  "Gifts are wrapped",
  "[1]",
  "[2]",
  " [3]",
  "[4]",
  "[99]",
  "[0]",
  "[1, 7]",
  "[2;3]",
  "[",
  "]",
  "[1[9]2]",
  "1",
  ". ",
  "!\n",
  " ",
  "🙂",
  "é",
);
const answers = fc.record({
  text: fc.array(words, { minLength: 1, maxLength: 25 }).map((parts) => `Yes${parts.join("")}`),
  cuts: fc.array(fc.nat(), { maxLength: 12 }),
});

function cutAt(text: string, cuts: number[]): string[] {
  const places = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length];
  // Never inside a surrogate pair: a provider sends whole characters.
  const whole = places.map((place) => /[\udc00-\udfff]/.test(text[place] ?? "") ? place + 1 : place);
  return whole.slice(1).map((end, at) => text.slice(whole[at], end)).filter((piece) => piece !== "");
}

interface Stored {
  content: string;
  citations: { marker: number; document_id: string; chunk_index: number; quote: string }[];
  retrieved: { chunk_id: number; document_id: string }[];
}

const oneSpace = (text: string) => text.replaceAll(/\s+/g, " ").trim();

/** What is wrong with the citations of a stored answer. */
async function broken({ content, citations, retrieved }: Stored): Promise<string[]> {
  const markers = new Set([...content.matchAll(/\[(\d+)\]/g)].map(([, n]) => Number(n)));
  const known = new Set(citations.map(({ marker }) => marker));
  const unresolved = [...markers].filter((marker) => !known.has(marker)).map((marker) =>
    `[${marker}] resolves to nothing`
  );
  const chunks = await chat.rows<{ id: number; document_id: string; chunk_index: number; content: string }>(
    "select id::float8 as id, document_id, chunk_index, content from public.document_chunks where id = any ($1)",
    [retrieved.map(({ chunk_id }) => chunk_id)],
  );
  const unfounded = citations.filter(({ document_id, chunk_index, quote }) => {
    const chunk = chunks.find((one) => one.document_id === document_id && one.chunk_index === chunk_index);
    return quote === "" || !chunk || !oneSpace(chunk.content).includes(oneSpace(quote));
  }).map(({ marker }) => `the quote of [${marker}] is in no chunk of this turn`);
  return [...unresolved, ...unfounded];
}

Deno.test("whatever a model writes and however it is cut, what is sent and stored cites this turn's chunks alone", async () => {
  const agent = await chat.agent();
  await agent.learn("Handbook", passages);
  for (const [n, { text, cuts }] of fc.sample(answers, 25).entries()) {
    const session_id = `session-${n}`;
    chat.models.play(agent.model, { steps: cutAt(text, cuts) });
    const events = await agent.stream({ message: "How long do refunds of gifts take?", session_id });
    const [stored] = await chat.rows<Stored>(
      `select m.content, m.citations, t.retrieved from public.messages m join public.turns t on t.id = m.turn_id
       join public.conversations c on c.id = m.conversation_id
       where m.role = 'assistant' and c.agent_id = $1 and c.session_id = $2`,
      [agent.id, session_id],
    );
    assertEquals(await broken(stored!), [], text);
    const sent = events.filter(({ event }) => event === "delta").map(({ data }) => data.text).join("");
    const cited = events.filter(({ event }) => event === "citation").map(({ data }) => data);
    assertEquals([sent, cited], [stored!.content, stored!.citations]);
  }
});

Deno.test("an answer that its client leaves in the middle of a marker cites this turn's chunks alone", async () => {
  const endings = [
    "Refunds take thirty days [",
    "Refunds take thirty days [1",
    "Refunds [1] take [9",
    "Refunds [9]. A receipt [2",
  ];
  for (const ending of endings) {
    const agent = await chat.agent({ steps: ["Well: ", ending, { stall: true }] });
    await agent.learn("Handbook", passages);
    const reader = new EventReader(
      (await agent.ask({ message: "How long do refunds take?", stream: true })).body!,
    );
    let sent = "";
    while (!sent.includes("Refunds")) {
      const event = await reader.next();
      if (event?.event === "delta") sent += event.data.text;
    }
    await reader.leave();
    await eventually(async () => (await agent.record()).turn.settled_at !== null);
    const { turn, messages } = await agent.record();
    const answer = messages.find(({ role }) => role === "assistant")!;
    const stored = { ...answer, retrieved: turn.retrieved } as Stored;
    assertEquals(await broken(stored), [], ending);
    assert(stored.content.startsWith("Well: Refunds"), stored.content);
    assertEquals(answer.status, "aborted");
  }
});
