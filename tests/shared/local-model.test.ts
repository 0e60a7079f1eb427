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
    ["What are your opening hours?", /7:00 to 18:00/],
    ["How much is delivery?", /£18/],
    ["Do you deliver?", /25 miles/],
    ["What is the late fee?", /fifth of the day rate/],
    ["late fee", /fifth of the day rate/],
    ["How old must I be?", /18/],
    ["Tell me about training", /introduction to power tools/],
    ["how much deposit machne", /£400/],
    ["What if it gets stolen?", /theft/i],
    ["opening hours, delivery?", /7:00 to 18:00.*25 miles/],
    ["Are you open on Sundays?", /closed on Sundays/],
    ["Is there parking?", /car park/],
    ["How much is a cement mixer?", /£32/],
    ["What happens if I don't clean the machine?", /£60/],
    ["Must the tank be full?", /full tank/],
    ["Can I extend my hire?", /extend it/],
    ["Do you require a proof of address?", /less than three months/],
    ["Do you lend goggles?", /free of charge/],
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
    ["horraires ouverture dimanche", /9 h à 19 h|7 h 30/],
    ["Où rouler ?", /piste du littoral/],
    ["Que faire en cas de crevaison ?", /^(?!.*alerte).*kit est sous la selle/],
    ["Quels sont vos horaires ?", /9 h à 19 h/],
    ["C'est combien un Cargo à la semaine ?", /210 €/],
    ["Le casque est-il obligatoire ?", /moins de 12 ans/],
    ["Acceptez-vous les chèques ?", /ni chèque ni espèces/],
    ["Où se trouve la boutique de la gare ?", /Pierre-Semard/],
    ["Que se passe-t-il si je suis en retard ?", /30 minutes/],
    ["Y a-t-il une remise pour les groupes ?", /10 %/],
    ["On m'a volé mon vélo", /vol/],
    ["Parlez-moi des balades accompagnées", /Maëlle/],
    ["Peut-on aller dans les dunes ?", /interdits/],
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
    "Can I pay with bitcoin?",
    "Do you sell gift vouchers?",
    "Do you have a shop in London?",
    "Is there a toilet for visitors?",
    "Do you have any jobs?",
    "Do you rent wedding dresses?",
    "Can I pay with PayPal?",
    "What is the weather tomorrow?",
    "Do you have a loyalty programme?",
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
    "Puis-je payer en bitcoin ?",
    "Avez-vous une carte de fidélité ?",
    "Recrutez-vous en ce moment ?",
    "Où dormir à Bordeaux ?",
    "Quel temps fera-t-il demain ?",
    "Vendez-vous des chèques cadeaux ?",
    "Proposez-vous des trottinettes ?",
    "Y a-t-il un restaurant à proximité ?",
    "Avez-vous le wifi ?",
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
  assertEquals((await ask("Hello", [])).startsWith("Hello"), true);
  assertEquals((await ask("Thanks!", [])).startsWith("You are welcome"), true);
  assertEquals((await ask("Merci beaucoup !", handbooks.fr)).startsWith("Avec plaisir"), true);
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
