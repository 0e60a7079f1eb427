import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Said, standaloneQuestion } from "../../../functions/chat/memory/standalone.ts";
import { dialogues } from "../../fixtures/dialogues.ts";
import { faq } from "../../fixtures/faq.ts";
import { questions } from "../../fixtures/questions.ts";
import { type ChatAgent, type ChatFixture, startChat } from "./fixture.ts";

const after = (question: string, answer = "Yes."): Said[] => [
  { role: "user", content: question },
  { role: "assistant", content: answer },
];

/** What was asked before, the follow-up, and what it says by itself. */
const rewritten: [before: string, question: string, standalone: string][] = [
  ["How much is the deposit for a power tool?", "And for machines?", "How much is the deposit for machines?"],
  ["Is the depot open on Saturday?", "and on Sunday?", "Is the depot open on Sunday?"],
  ["Is there a small tower?", "and the large one?", "Is there a small tower, and the large one?"],
  [
    "Can I hire a mini digger?",
    "Which card do I need for it?",
    "Which card do I need for it? (hire, mini digger)",
  ],
  ["What is the damage waiver?", "How much?", "How much? (What is the damage waiver)"],
  ["What is the damage waiver?", "Does that cover theft?", "Does that cover theft? (damage waiver)"],
  ["What about training?", "When is it?", "When is it? (training)"],
  [
    "How long do you keep hire notes?",
    "what about identity cards?",
    "How long do you keep hire notes, what about identity cards?",
  ],
  ["Quelle est la caution d'un vélo ?", "et pour un Cargo ?", "Quelle est la caution pour un Cargo ?"],
  [
    "Le casque est-il obligatoire ?",
    "et pour les enfants ?",
    "Le casque est-il obligatoire pour les enfants ?",
  ],
  ["Avez-vous un siège pour enfant ?", "combien ça coûte ?", "combien ça coûte ? (siège pour enfant)"],
  ["Combien coûte le Cargo ?", "et la caution ?", "Combien coûte le Cargo, et la caution ?"],
  ["Peut-on louer un tandem ?", "Peut-on le recharger ?", "Peut-on le recharger ? (louer, tandem)"],
  ["Louez-vous des tandems ?", "Il y en a combien ?", "Il y en a combien ? (Louez-vous des tandems)"],
  [
    "Acceptez-vous les chèques ?",
    "Qu'en est-il des espèces ?",
    "Acceptez-vous les chèques, qu'en est-il des espèces ?",
  ],
  [
    "Y a-t-il une remise pour les étudiants ?",
    "pareil pour les groupes ?",
    "Y a-t-il une remise pour les groupes ?",
  ],
];

Deno.test("a follow-up is completed by the question before it", () => {
  assertEquals(
    rewritten.map(([before, question]) => [before, question, standaloneQuestion(question, after(before))]),
    rewritten,
  );
});

Deno.test("a yes to what the assistant offered is that question", () => {
  for (
    const [yes, offer] of [["Yes, please!", "Shall I tell you the prices?"], [
      "oui",
      "Voulez-vous les tarifs ?",
    ]]
  ) {
    assertEquals(standaloneQuestion(yes!, after("Do you deliver?", `We do [1]. ${offer}`)), offer);
    assertEquals(standaloneQuestion(yes!, after("Do you deliver?")), yes);
  }
});

Deno.test("a chain of follow-ups goes back to what it began with", () => {
  const history = after("What is the deposit for a drill?");
  const second = standaloneQuestion("And for machines?", history);
  const third = standaloneQuestion("When do I get it back?", [
    ...history,
    { role: "user", content: "And for machines?", standalone: second },
    { role: "assistant", content: "£400 [1]." },
  ]);
  assertEquals(third, "When do I get it back? (What is the deposit for machines)");
});

Deno.test("thanks in between do not cut a follow-up off from its question", () => {
  const history = [...after("Do you give training?"), ...after("Thank you!", "You are welcome!")];
  assertEquals(standaloneQuestion("How much is it?", history), "How much is it? (Do you give training)");
});

Deno.test("where the question before names little, what the answer says first counts too", () => {
  const history = after("What if it gets stolen?", "The waiver does not cover theft [1]. Call us.");
  assertMatch(standaloneQuestion("Is it dear?", history), /stolen.*waiver/);
});

Deno.test("without an earlier question nothing is added, and a long message brings its own context", () => {
  assertEquals(standaloneQuestion("And for machines?", []), "And for machines?");
  assertEquals(standaloneQuestion("How much is it?", after("Hello", "Hello!")), "How much is it?");
  const long = `How much is it? ${"I want to know everything. ".repeat(20)}`;
  assertEquals(standaloneQuestion(long, after("Do you deliver?")), long);
});

// These ask about "it", or about nothing: asked second, they are follow-ups.
const dependent = new Set([
  "ça marche comment ?",
  "how does it work",
  "Is it compatible with Windows 11?",
  "In what year did the war end?",
  "Est-ce compatible avec Windows 11 ?",
]);

Deno.test("a question that stands alone stays as it is, whatever came before", () => {
  const standing = [
    ...questions.fr!,
    ...questions.en!,
    ...faq.flatMap((entry) => [...entry.questions, ...entry.misspelt]),
    ...Object.values(dialogues).flat().map(({ before }) => before),
  ].filter((question) => !dependent.has(question));
  assert(standing.length > 150);
  for (const before of ["What is the deposit for a drill?", "Quelle est la caution d'un vélo électrique ?"]) {
    const changed = standing.filter((question) => standaloneQuestion(question, after(before)) !== question);
    assertEquals(changed, []);
  }
});

Deno.test("retrieval finds the right passage of the demo's handbooks for follow-ups, and hardly without rewriting", async () => {
  const chat = await startChat();
  try {
    for (const language of ["en", "fr"] as const) {
      const agent = await learnHandbook(chat, language);
      let alone = 0, first = 0, amongThree = 0;
      for (const { before, answer, question, fact } of dialogues[language]) {
        if (await place(chat, agent, question, fact) === 1) alone++;
        const found = await place(chat, agent, standaloneQuestion(question, after(before, answer)), fact);
        if (found === 1) first++;
        if (found >= 1 && found <= 3) amongThree++;
      }
      const count = dialogues[language].length;
      console.log(
        `${language}: of ${count} follow-ups the right passage is the best for ${first}, and for ${alone} as asked`,
      );
      assert(first >= 0.85 * count && amongThree >= 0.95 * count && alone <= 0.55 * count);
    }
  } finally {
    await chat.close();
  }
});

async function learnHandbook(chat: ChatFixture, language: "en" | "fr"): Promise<ChatAgent> {
  const agent = await chat.agent({}, { language });
  const file = new URL(`../../../local/demo/handbook.${language}.md`, import.meta.url);
  const response = await fetch(chat.stack.functionUrl("ingest-document"), {
    method: "POST",
    headers: { authorization: `Bearer ${agent.key}`, "content-type": "application/json" },
    body: JSON.stringify({
      title: "Handbook",
      content: await Deno.readTextFile(file),
      mime_type: "text/markdown",
      language,
    }),
  });
  assertEquals((await response.json()).status, "ready");
  return agent;
}

/** The place of the first passage that has the fact, from 1; 0 when none of the best five has. */
async function place(
  { deps }: ChatFixture,
  { id }: ChatAgent,
  question: string,
  fact: RegExp,
): Promise<number> {
  const [vector] = await deps.embed("local", [question], { purpose: "query" });
  const found = await deps.rpc.matchDocuments({
    agentId: id,
    query: question,
    queryEmbedding: vector,
    matchCount: 5,
    embeddingModel: "local",
  });
  return found.findIndex(({ content }) => fact.test(content)) + 1;
}
