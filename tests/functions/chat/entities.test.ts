import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Entity, extractEntities } from "../../../functions/chat/memory/entities.ts";
import { anyText } from "../../fixtures/texts.ts";

/** A message and all that is to be found in it, as `type value`; `?` marks what is less likely than not. */
type Case = [message: string, ...found: string[]];

const french: Case[] = [
  ["Salut c'est Julie, j'ai un souci avec ma facture", "name Julie"],
  ["Bonjour, je me présente, Antoine Rousseau, je loue souvent chez vous", "name Antoine Rousseau"],
  ["Est-ce que vous pouvez m'appeler au 0546001234 après 18h ?", "phone +33546001234"],
  ["le 05 46 00 12 34 ne répond pas", "?phone +33546001234"],
  ["On préfère venir le matin", "preference venir le matin"],
  ["annulez ma réservation", "intent cancellation"],
  [
    "Ça fait trois semaines que j'attends !!!",
    "complaint Ça fait trois semaines que j'attends",
    "sentiment negative",
  ],
  ["Bonjour, je m'appelle Marie Dupont.", "name Marie Dupont"],
  ["je mappelle jean-pierre", "name Jean-Pierre"],
  ["Je m’appelle Anne de La Tour et je voudrais réserver", "name Anne de La Tour", "intent booking"],
  ["mon nom est O'Brien", "name O'Brien"],
  ["MON NOM EST MARTIN ET J'ATTENDS MON COLIS", "name Martin"],
  ["Moi c'est Karim, enchanté", "name Karim", "sentiment positive"],
  ["Je suis Paul Lefèvre, votre client depuis 2019.", "name Paul Lefèvre"],
  ["Nom : Lefèvre\nPrénom : Zoé", "name Lefèvre", "name Zoé"],
  ["J'ai une réservation au nom de Bernard.", "name Bernard"],
  ["Merci pour tout.\n\nCordialement,\nSophie Bernard", "name Sophie Bernard"],
  ["Mon adresse mail est Marie.Dupont@Exemple.fr.", "email marie.dupont@exemple.fr"],
  ["écrivez-moi à jp+velo@laposte.net svp", "email jp+velo@laposte.net"],
  ["marie@exemple.fr", "email marie@exemple.fr"],
  [
    "Mon mail n'est plus a@exemple.fr mais b@exemple.fr",
    "email b@exemple.fr",
  ],
  ["N'hésitez pas à m'écrire à zoe@exemple.fr", "email zoe@exemple.fr"],
  ["J'ai reçu un message de vendeur@boutique.fr", "?email vendeur@boutique.fr"],
  ["Le mail de ma femme est lea@exemple.fr", "?email lea@exemple.fr"],
  ["Il a écrit : « contactez Luc à luc@exemple.fr, je m'appelle Luc »", "?email luc@exemple.fr"],
  ["Appelez-moi au 06 12 34 56 78", "phone +33612345678"],
  ["mon numéro : 0612345678", "phone +33612345678"],
  ["Tél. 05.46.00.12.34", "phone +33546001234"],
  [
    "Vous pouvez me joindre au +33 (0)6 12 34 56 78 ou au +32 470 12 34 56",
    "phone +33612345678",
    "phone +32470123456",
  ],
  ["votre numéro est bien le 05 46 00 12 34 ?", "?phone +33546001234"],
  ["Je préfère un vélo avec un panier.", "preference un vélo avec un panier"],
  ["j'aime bien le bleu mais je n'aime pas le rouge", "preference le bleu", "preference le rouge"],
  ["Je suis végétarienne.", "preference végétarienne"],
  ["Je suis allergique aux arachides", "preference arachides"],
  ["Ma couleur préférée est le vert", "preference le vert"],
  ["Je voudrais annuler ma réservation de samedi", "intent cancellation"],
  ["Je souhaite être remboursé", "intent refund"],
  ["j'aimerais bien parler à un conseiller", "intent contact"],
  ["Je veux un devis pour dix vélos", "intent quote"],
  ["Comment je fais pour modifier ma commande ?", "intent change"],
  ["Puis-je louer un Cargo dimanche ?", "intent booking"],
  [
    "Mon colis est arrivé cassé, que faire ?",
    "complaint Mon colis est arrivé cassé",
    "sentiment negative",
  ],
  [
    "Je n'ai toujours pas reçu ma commande !",
    "complaint Je n'ai toujours pas reçu ma commande",
    "sentiment negative",
  ],
  ["La batterie ne marche plus.", "complaint La batterie ne marche plus", "sentiment negative"],
  [
    "Je suis très déçue de votre service",
    "complaint Je suis très déçue de votre service",
    "sentiment negative",
  ],
  ["C'est inadmissible.", "complaint C'est inadmissible", "sentiment negative"],
  ["C'est parfait, merci !", "sentiment positive"],
  ["Je ne suis pas content du tout", "sentiment negative"],
];

const english: Case[] = [
  [
    "Hi there, Sarah here. My order hasn't arrived yet.",
    "name Sarah",
    "complaint My order hasn't arrived yet",
    "sentiment negative",
  ],
  ["We prefer mornings", "preference mornings"],
  ["cancel my booking HT482913", "intent cancellation"],
  ["We'd like to rent a cargo bike for our 2 kids", "intent booking"],
  ["do you have an email? is it info@harbour.com?", "?email info@harbour.com"],
  [
    "the digger broke down this morning",
    "complaint the digger broke down this morning",
    "sentiment negative",
  ],
  ["Not good at all", "sentiment negative"],
  ["Hello, my name is Bob Smith.", "name Bob Smith"],
  ["my name's mary", "name Mary"],
  [
    "My name is Ludwig van Beethoven and I want to book a drill",
    "name Ludwig van Beethoven",
    "intent booking",
  ],
  ["MY NAME IS ALICE JONES", "name Alice Jones"],
  ["Please call me Will.", "name Will"],
  ["I'm Priya from Acme", "name Priya"],
  ["This is Tom McDonald speaking", "name Tom McDonald"],
  ["The booking is under the name of Harris.", "name Harris"],
  ["Thanks for the quick answer.\n\nKind regards,\nJane A. Doe", "name Jane A. Doe"],
  ["My email is Bob.Smith@Example.com, thanks", "email bob.smith@example.com"],
  ["you can reach me at bob@example.co.uk", "email bob@example.co.uk"],
  ["bob@example.com", "email bob@example.com"],
  ["Not bob@example.com but rob@example.com please", "email rob@example.com"],
  ["My old address was old@example.com, now use new@example.com", "email new@example.com"],
  ["I got a mail from counter@harbour.example", "?email counter@harbour.example"],
  ["My wife's email is ann@example.com", "?email ann@example.com"],
  ["On Monday Ann Lee wrote:\n> my name is Ann, write to ann@example.com", "?email ann@example.com"],
  ['He said "my name is Jim" and left jim@example.com', "email jim@example.com"],
  ["noreply@example.com", "?email noreply@example.com"],
  ["call me on +44 7700 900123", "phone +447700900123"],
  ["My number is (555) 123-4567", "phone 5551234567"],
  ["My phone: 01947 555 0142", "phone 019475550142"],
  ["0044 1947 555 0142 is my landline", "phone +4419475550142"],
  ["I called 01947 555 0142 twice", "?phone 019475550142"],
  ["I'd rather have the small one, because of the stairs", "preference the small one"],
  ["I prefer paying by card.", "preference paying by card"],
  [
    "I really like cordless tools but I hate the noise",
    "preference cordless tools",
    "preference the noise",
    "sentiment negative",
  ],
  ["I'm allergic to dust.", "preference dust"],
  ["I am a vegan", "preference vegan"],
  ["My favourite colour is green", "preference green"],
  ["I want to cancel my booking", "intent cancellation"],
  ["I'd like a refund please", "intent refund"],
  ["I need to speak to a human", "intent contact"],
  ["could I get a quote for ten drills?", "intent quote"],
  ["How do I return the sander?", "intent return"],
  ["I would like to know how to extend my hire", "intent change"],
  [
    "My parcel arrived damaged. What should I do?",
    "complaint My parcel arrived damaged",
    "sentiment negative",
  ],
  [
    "I still haven't received my order",
    "complaint I still haven't received my order",
    "sentiment negative",
  ],
  ["The drill doesn't work.", "complaint The drill doesn't work", "sentiment negative"],
  ["My name is wrong on the invoice", "complaint My name is wrong on the invoice", "sentiment negative"],
  ["This is Ridiculous", "complaint This is Ridiculous", "sentiment negative"],
  ["I was charged twice", "complaint I was charged twice", "sentiment negative"],
  ["I am very disappointed", "complaint I am very disappointed", "sentiment negative"],
  ["That was great, thank you", "sentiment positive"],
  ["I am not happy with this", "sentiment negative"],
];

/** Messages that look like something and say nothing about the visitor. */
const harmless: string[] = [
  // Names
  "Je ne m'appelle pas Bob",
  "je m'appelle pas Bob",
  "I'm not called Bob",
  "My name is not Bob",
  "My name isn't Bob",
  "I'm not Bob",
  "What is my name?",
  "Quel est mon nom ?",
  "My husband's name is Jim",
  "Mon mari s'appelle Luc",
  "Comment s'appelle votre patron ?",
  "Ma fille s'appelle Emma",
  "je m'appelle comment déjà ?",
  "My daughter Emma is 12, can she ride?",
  "who is Eileen Marsh?",
  "Thanks, Bob",
  "If my name is Bob, do I get a discount?",
  "Si je m'appelle Bob, ai-je une remise ?",
  "Mon nom est mal écrit sur la facture",
  "My name is on the list",
  "I'm sorry",
  "I'm Sorry, wrong window",
  "I am British.",
  "Je suis Français.",
  "je suis client chez vous",
  "I'm Bob's neighbour",
  "I'm Interested in the digger",
  "call me back",
  "Call me Monday",
  "Le Cargo est-il disponible ?",
  "Is Marie there?",
  // Addresses and numbers
  "Is there an @ in your twitter name?",
  "a@b",
  "My mail is not bob@example.com",
  "Ce n'est pas mon adresse : bob@exemple.fr",
  "I don't use bob@example.com any more",
  "commande n° 0612345678",
  "my order number is 07700900123",
  "Booking HT123456",
  "Facture 2026-03-03 de 1 200 000 €",
  "du 12-05-2026 au 19-05-2026",
  "SIRET 123 456 789 00012",
  "IBAN FR76 3000 6000 0112 3456 7890 189",
  "card 4111 1111 1111 1111",
  "The serial is 555-123-4567-89",
  "the tower weighs 1200 kg and costs 58.50",
  "mon code postal est 17000",
  "192.168.100.200",
  "Mon numéro de client est le 0612345678",
  // Preferences
  "Which one do people prefer?",
  "Lequel préférez-vous ?",
  "j'aimerais savoir si vous êtes ouverts",
  "I would like to know your hours",
  "Do you like it?",
  "I like it",
  "je préfère ne pas répondre",
  "I'd prefer not to say",
  "It looks like rain",
  "If I prefer another one, can it be done?",
  "Super urgent",
  "the weather is terrible",
  "il fait un temps affreux",
  // Intents
  "I don't want to cancel",
  "je ne veux pas annuler",
  "What is the cancellation fee?",
  "Quelles sont les conditions d'annulation ?",
  "What happens if I want to cancel?",
  "Que se passe-t-il si je veux annuler ?",
  "Do you want to book?",
  "Can you return a smile?",
  // Complaints
  "What if the machine is broken?",
  "Que faire si le vélo est cassé ?",
  "Is the waiver void when it is damaged?",
  "The drill is not broken",
  "Le vélo n'est pas cassé",
  "How do breakdowns work?",
  "En cas de panne, qui appeler ?",
  "If it is broken, it was late",
  "Never mind",
  // Feelings
  "Is there a great bike path?",
  "Quelle est la meilleure piste ?",
  "Bonne journée",
  "Best regards",
  "I will be happy to wait",
  "Je serais ravie de vous rencontrer",
  "bon de commande",
  "Thank you very much!",
  "",
  "???",
];

function told(entities: Entity[]): string[] {
  return entities.map(({ type, value, confidence }) => `${confidence < 0.5 ? "?" : ""}${type} ${value}`);
}

for (const [language, cases] of Object.entries({ French: french, English: english })) {
  Deno.test(`what visitors say about themselves is found: ${language}`, () => {
    const wrong = cases.map(([message, ...found]) => ({
      message,
      found,
      told: told(extractEntities(message)),
    }))
      .filter(({ found, told }) => JSON.stringify(found) !== JSON.stringify(told));
    assertEquals(wrong, []);
  });
}

Deno.test("what only looks like it is not", () => {
  const wrong = harmless.map((message) => [message, ...told(extractEntities(message))]).filter((found) =>
    found.length > 1
  );
  assertEquals(wrong, []);
});

Deno.test("a preference and a complaint say how they are meant", () => {
  const sentiments = (message: string) =>
    extractEntities(message).map(({ type, sentiment }) => `${type} ${sentiment}`);
  assertEquals(sentiments("j'aime le bleu"), ["preference positive"]);
  assertEquals(sentiments("I hate waiting."), ["preference negative", "sentiment negative"]);
  assertEquals(sentiments("The saw is broken."), ["complaint negative", "sentiment negative"]);
  assertEquals(sentiments("My name is Bob, bob@example.com"), ["name neutral", "email neutral"]);
});

Deno.test("what is said plainly is surer than what only stands there, and that than what others said", () => {
  const sureness = (message: string) => extractEntities(message)[0]!.confidence;
  assert(sureness("my email is bob@example.com") > sureness("see bob@example.com for the rest"));
  assert(sureness("see bob@example.com for the rest") > sureness("I wrote to bob@example.com"));
  assert(sureness("je m'appelle Marie") > sureness("je m'appelle marie"));
  assert(sureness("I want to cancel my order") > sureness("Can I cancel my order?"));
});

Deno.test("every value is one line of at most 200 characters, every confidence a share, every entity once", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const entities = extractEntities(text);
      assertEquals(new Set(entities.map(({ type, value }) => `${type} ${value}`)).size, entities.length);
      for (const { value, confidence } of entities) {
        assert(value.length > 0 && value.length <= 200 && !/[\n\r]/.test(value) && value.isWellFormed());
        assert(confidence > 0 && confidence <= 1);
      }
    }),
    { numRuns: 100, endOnFailure: true },
  );
});

Deno.test("a message of 32,000 characters is read at its ends, in bounded time, whatever it consists of", () => {
  const filler = (piece: string) => piece.repeat(Math.ceil(32_000 / piece.length)).slice(0, 32_000);
  const pieces = [
    "a",
    "1",
    "1 ",
    "@",
    "a@",
    "a.",
    "a@a.",
    "je m'appelle ",
    "my name is Bob Bob Bob Bob ",
    "i really really really ",
    "not not not not ",
    '"',
    "«",
    "> ",
    "if ",
    "is broken is very very very ",
    "+33 ",
    "J'ai ",
    "On a b c wrote",
  ];
  const started = performance.now();
  for (const piece of pieces) extractEntities(filler(piece));
  assert((performance.now() - started) / pieces.length < 50);
  const message = `My name is Bob. ${filler("Quoted words about bread. ")} My email is bob@example.com`;
  assertEquals(told(extractEntities(message)), ["name Bob", "email bob@example.com"]);
  assertEquals(extractEntities(`${"Bread. ".repeat(900)} my name is Ann. ${"Bread. ".repeat(2500)}`), []);
});
