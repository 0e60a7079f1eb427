import { assert, assertEquals, assertRejects } from "@std/assert";
import type { LanguageModelV4StreamPart } from "@ai-sdk/provider";
import { localModel } from "../../shared/local-model.ts";
import { renderSources, type Source } from "../../shared/sources.ts";
import { countTokens } from "../../shared/tokens.ts";

/** The sections of a demo handbook, as retrieval would hand them over. */
async function sections(language: "en" | "fr"): Promise<Source[]> {
  const file = new URL(`../../local/demo/handbook.${language}.md`, import.meta.url);
  const [head = "", ...rest] = (await Deno.readTextFile(file)).split(/^## /m);
  const title = head.split("\n")[0]!.slice(2);
  return rest.map((section) => {
    const [heading = "", ...lines] = section.split("\n");
    return { title, heading, content: lines.join("\n").trim() };
  });
}

const handbooks = { en: await sections("en"), fr: await sections("fr") };

function prompt(question: string, sources: readonly Source[]) {
  return [
    { role: "system" as const, content: `You are a helper.\n\n${renderSources(sources)}` },
    { role: "user" as const, content: [{ type: "text" as const, text: question }] },
  ];
}

async function ask(question: string, sources: readonly Source[]): Promise<string> {
  const { content } = await localModel.doGenerate({ prompt: prompt(question, sources) });
  return content.map((part) => part.type === "text" ? part.text : "").join("");
}

const answered: Record<"en" | "fr", [question: string, fact: RegExp][]> = {
  en: [
    ["When are you open on Saturday?", /8:00 to 13:00/],
    ["What is the deposit for power tools?", /£150/],
    ["How much does delivery cost?", /£18/],
    ["Can I cancel my booking for free?", /48 hours/],
    ["How many minutes late may I be?", /59 minutes/],
    ["What does the damage waiver cost?", /12 percent/],
    ["Does the waiver cover theft?", /does not cover theft/],
    ["Which card do I need for the mini digger?", /CPCS/],
    ["How long can one person use a demolition hammer?", /45 minutes/],
    ["Who do I write to with a complaint?", /Eileen Marsh/],
    ["What is the phone number of the breakdown line?", /0199/],
    ["How long do you keep hire notes?", /six years/],
  ],
  fr: [
    ["Quelle est la caution pour un Cargo ?", /900 €/],
    ["Combien coûte la garantie Sérénité ?", /3 € par jour/],
    ["Jusqu'à quand l'annulation est-elle gratuite ?", /24 heures/],
    ["Les étudiants ont-ils une remise ?", /15 %/],
    ["Quel est le numéro de l'assistance ?", /05 46 00 56 78/],
    ["Peut-on emmener un vélo sur l'île d'Aix ?", /bateau/],
    ["Combien de temps dure une recharge complète ?", /quatre heures et demie/],
    ["Quels sont les horaires de la boutique de la gare ?", /7 h 30/],
    ["Un retard de 20 minutes est il facture ?", /30 minutes/],
    ["Quel age faut il pour conduire un velo electrique ?", /14 ans/],
    ["Qui conduit la balade du samedi ?", /Maëlle Guérin/],
    ["Les chiens sont-ils admis pendant la balade ?", /chiens/],
  ],
};

const unanswered = {
  en: [
    "What is the capital of Mongolia?",
    "Who won the world cup in 1998?",
    "Can you write a poem about autumn?",
    "Do you sell mobile phones?",
    "How do I reset my password?",
    "What is your favourite colour?",
    "Do you have a vegetarian menu?",
    "Explain quantum physics",
  ],
  fr: [
    "Quelle est la capitale de la Mongolie ?",
    "Qui a gagné la coupe du monde en 1998 ?",
    "Peux-tu écrire un poème sur l'automne ?",
    "Vendez-vous des téléphones portables ?",
    "Comment réinitialiser mon mot de passe ?",
    "Quelle est ta couleur préférée ?",
    "Avez-vous un menu végétarien ?",
    "Explique la physique quantique",
  ],
};

for (const language of ["en", "fr"] as const) {
  const sources = handbooks[language];
  const unknown = { en: /^I do not know/, fr: /^Je ne sais pas/ }[language];

  Deno.test(`the offline model quotes what answers a question (${language})`, async () => {
    const wrong: string[] = [];
    for (const [question, fact] of answered[language]) {
      const answer = await ask(question, sources);
      if (!fact.test(answer)) wrong.push(`${question} -> ${answer}`);
    }
    assertEquals(wrong, []);
  });

  Deno.test(`the offline model says that it does not know (${language})`, async () => {
    const wrong: string[] = [];
    for (const question of unanswered[language]) {
      const answer = await ask(question, sources);
      if (!unknown.test(answer)) wrong.push(`${question} -> ${answer}`);
    }
    assertEquals(wrong, []);
  });

  Deno.test(`the offline model marks each sentence with a source that holds it (${language})`, async () => {
    const flat = (text: string) => text.replace(/[\s|*]+/g, " ");
    for (const [question] of answered[language]) {
      const answer = await ask(question, sources);
      const quotes = [...answer.matchAll(/(.+?) \[(\d+)\][.!?…]*\s*/g)];
      assert(quotes.length > 0 && quotes.length <= 3, answer);
      for (const [, quote, id] of quotes) {
        const words = quote!.split(/[^\p{L}\p{N}£€:.']+/u).filter((word) => word !== "").slice(0, 5);
        for (const word of words) assert(flat(sources[Number(id) - 1]!.content).includes(word), answer);
      }
    }
  });
}

Deno.test("the offline model answers in the language of the question, and greets back", async () => {
  assertEquals((await ask("Quelle est la capitale ?", [])).startsWith("Je ne sais pas"), true);
  assertEquals((await ask("What is the capital?", [])).startsWith("I do not know"), true);
  assertEquals((await ask("Bonjour !", handbooks.fr)).startsWith("Bonjour"), true);
  assertEquals((await ask("Hello", handbooks.en)).startsWith("Hello"), true);
});

Deno.test("the offline model streams the same words that it generates, and counts them", async () => {
  const [question] = answered.en[0]!;
  const { stream } = await localModel.doStream({ prompt: prompt(question, handbooks.en) });
  const parts = await Array.fromAsync(stream);
  const text = parts.map((part) => part.type === "text-delta" ? part.delta : "").join("");
  assertEquals(text, await ask(question, handbooks.en));
  assert(parts.filter(({ type }) => type === "text-delta").length > 3);
  const finish = parts.at(-1) as Extract<LanguageModelV4StreamPart, { type: "finish" }>;
  assertEquals([finish.finishReason.unified, finish.usage.outputTokens.total], ["stop", countTokens(text)]);
});

Deno.test("the offline model stops when it is told to", async () => {
  const controller = new AbortController();
  const { stream } = await localModel.doStream({
    prompt: prompt(answered.en[0]![0], handbooks.en),
    abortSignal: controller.signal,
  });
  const reader = stream.getReader();
  await reader.read();
  controller.abort(new Error("left"));
  await assertRejects(async () => {
    while (!(await reader.read()).done);
  }, "left");
});
