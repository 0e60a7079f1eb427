import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { claimsOf } from "../../../functions/chat/citations/claims.ts";
import { type Source, supportOf } from "../../../functions/chat/citations/support.ts";

const source = (content: string, language: string | null = "en", heading: string | null = null): Source => ({
  title: "Handbook",
  heading,
  content,
  language,
});

const en = [
  source("Refunds take 30 days. A receipt is needed.", "en", "Returns"),
  source("Shipping is free above 50 euros.\n- Gifts are wrapped at no charge."),
];

Deno.test("a claim is supported by the words and numbers of the chunk that its marker names", () => {
  for (
    const [answer, share] of [
      ["Refunds take 30 days [1].", 1],
      ["Refunds take 30 days. [1]", 1],
      ["Your refund will take thirty days [1].", 1],
      ["Refunds take 14 days [1].", 0],
      ["Refunds take 30 days [2].", 0],
      ["Refunds take 30 days.", 0],
      ["Refunds take 30 days [1]. Gifts are wrapped [2].", 1],
      ["Refunds take 30 days [1]. Gifts are wrapped.", 0.5],
      [
        "Returned with a receipt, you are refunded after 30 days, and shipping above 50 euros is free [1][2].",
        1,
      ],
      ["- Refunds: 30 days [1]\n- Shipping: free above 50 euros [2]\n- Warranty: 2 years [2]", 2 / 3],
      ["Refunds take 30 days [7].", 0],
    ] as const
  ) assertEquals(supportOf(answer, en), share, answer);
});

Deno.test("what claims nothing does not count, in French and in English", () => {
  const nothing = [
    "",
    "Hello! How can I help you?",
    "Bonjour ! Que puis-je faire pour vous ?",
    "You are welcome! Is there anything else?",
    "Avec plaisir ! Avez-vous une autre question ?",
    "I do not know: the documents I have do not hold the answer.",
    "Je ne sais pas : les documents dont je dispose ne contiennent pas la réponse.",
    "I'm sorry, I couldn't find any information about that.",
    "Désolé, je n’ai pas trouvé cette information.",
    "The sources do not mention a warranty.",
    "Les sources ne mentionnent pas la garantie.",
    "Aucune information sur la livraison en Suisse.",
    "Let me know if you need anything else!",
    "N'hésitez pas à me contacter si vous avez d'autres questions.",
    "Feel free to contact us. Have a great day!",
    "Bonne journée !",
    "Here are the details:",
    "Voici les informations :",
    "## Returns",
    "**Retours**",
    "```\nrefund(30)\n```",
    "🙂",
    "[1]",
  ];
  for (const answer of nothing) assertEquals(supportOf(answer, en), null, answer);
  assertEquals(supportOf(nothing.join("\n\n"), en), null);
  assertEquals(supportOf(`Hello! Refunds take 30 days [1]. ${nothing[12]}`, en), 1);
});

Deno.test("a courtesy beside a claim leaves the claim", () => {
  for (const answer of ["I'm sorry, refunds take 40 days.", "Bien sûr, la livraison prend deux jours."]) {
    assertEquals(supportOf(answer, en), 0, answer);
  }
});

Deno.test("what the company's facts tell needs no marker and is left out", () => {
  const facts = [{ key: "contact_email", value: "help@shop.example" }, {
    key: "return_policy",
    value: "30 days",
  }];
  for (
    const [answer, share] of [
      ["You can write to help@shop.example.", null],
      ["Returns are taken back within 30 days.", null],
      ["Returns are taken back within 60 days.", 0],
      ["Write to help@shop.example. Gifts are wrapped [2].", 1],
      ["Write to help@shop.example. Delivery takes two days.", 0],
    ] as const
  ) assertEquals(supportOf(answer, en, facts), share, answer);
});

Deno.test("numbers are one however they are written", () => {
  const price = [
    source("Le prix est de 1 250,50 € depuis le 3 mars 2026.", "fr"),
    source("It costs 1,250.5 euros."),
  ];
  for (
    const [answer, share] of [
      ["The price is 1,250.50 euros since 3 March 2026 [1].", 1],
      ["Le prix est de 1250,5 € [1].", 1],
      ["Le prix est de 1 250,50 € [1].", 1],
      ["It costs 1250.5 euros [2].", 1],
      ["It costs 125.5 euros [2].", 0],
      ["It costs 1 euros [2].", 0],
    ] as const
  ) assertEquals(supportOf(answer, price), share, answer);
});

Deno.test("of a source in another language only the numbers can be compared", () => {
  const french = [source("Le remboursement prend trente jours, sur présentation du ticket de caisse.", "fr")];
  for (
    const [answer, share] of [
      ["You get your money back within 30 days [1].", 1],
      ["You get your money back within 14 days [1].", 0],
      ["You get your money back when you show the receipt [1].", null],
      ["You get your money back when you show the receipt.", 0],
    ] as const
  ) assertEquals(supportOf(answer, french), share, answer);
});

// Chunks, what a model may say of them, and what it may make up: other numbers, other subjects.
const table: { chunk: Source; said: string[]; invented: string[] }[] = [
  {
    chunk: source(
      "The depot is open from Monday to Friday from 7:00 to 18:00 and on Saturday from 8:00 to 13:00. We are closed on Sundays and on public holidays.",
      "en",
      "Opening hours",
    ),
    said: [
      "On weekdays the depot opens from 7:00 to 18:00.",
      "On Saturday you can come from 8:00 to 13:00.",
      "We are closed on Sundays and public holidays.",
      "The depot does not open on public holidays.",
    ],
    invented: [
      "We are open until 20:00 on weekdays.",
      "Parking costs nothing for customers.",
      "Our staff speak French and German.",
    ],
  },
  {
    chunk: source(
      "We take a refundable deposit for each hire: £50 for hand tools, £150 for power tools and £400 for machines. The deposit is returned to the same card within five working days after the item came back complete.",
    ),
    said: [
      "A deposit of £150 is taken for power tools.",
      "You get the deposit back on the same card within 5 working days.",
      "The refundable deposit for machines is £400.",
      "Hand tools need a deposit of £50.",
    ],
    invented: [
      "The deposit for power tools is £200.",
      "Deposits are returned within ten working days.",
      "Students receive a discount with their card.",
    ],
  },
  {
    chunk: source(
      "We deliver within 25 miles of Whitby. Delivery costs £18 for the first 5 miles and £2 for every further mile, each way. Someone over 18 must be present to sign the hire note.",
    ),
    said: [
      "Delivery within 25 miles of Whitby is possible.",
      "It costs £18 for the first five miles.",
      "Every further mile costs £2.",
      "An adult over 18 has to sign the hire note when it is delivered.",
    ],
    invented: [
      "Delivery is free for orders above £500.",
      "Drivers arrive before noon.",
      "We deliver within 50 miles of Whitby.",
    ],
  },
  {
    chunk: source(
      "Vous disposez de trente jours pour retourner un article qui ne vous convient pas. L’étiquette de retour se télécharge dans votre compte, et les frais de retour sont à notre charge.",
      "fr",
    ),
    said: [
      "Vous avez 30 jours pour retourner un article.",
      "L'étiquette de retour peut être téléchargée dans votre compte.",
      "Les frais de retour sont pris en charge par nos soins.",
      "Un article qui ne convient pas se retourne sous trente jours.",
    ],
    invented: [
      "Vous avez 14 jours pour retourner un article.",
      "Les soldes commencent en janvier.",
      "Un bon d'achat vous sera offert.",
    ],
  },
  {
    chunk: source(
      "Le magasin de Lyon, 12 rue Mercière, ouvre du mardi au samedi de 10 h à 19 h. Il est fermé le dimanche, le lundi et les jours fériés.",
      "fr",
    ),
    said: [
      "Le magasin de Lyon est ouvert du mardi au samedi, de 10 h à 19 h.",
      "Il se trouve au 12 rue Mercière, à Lyon.",
      "Le magasin est fermé le dimanche et le lundi.",
      "Les jours fériés, le magasin reste fermé.",
    ],
    invented: [
      "Le magasin de Lyon ferme à 21 h.",
      "Un parking gratuit attend les clients.",
      "Nous ouvrirons bientôt à Marseille.",
    ],
  },
  {
    chunk: source(
      "La garantie légale de conformité dure deux ans. Les moteurs sont garantis cinq ans, les batteries un an. Conservez votre facture : elle fait foi.",
      "fr",
    ),
    said: [
      "La garantie légale est de 2 ans.",
      "Les moteurs bénéficient d'une garantie de cinq ans.",
      "Les batteries sont garanties un an.",
      "Gardez la facture, elle fait foi pour la garantie.",
    ],
    invented: [
      "Les moteurs sont garantis 10 ans.",
      "Les réparations se font à domicile.",
      "Une extension peut être souscrite en ligne.",
    ],
  },
];

Deno.test("said and invented sentences are told apart in both languages", () => {
  const rates: Record<string, number[]> = { en: [0, 0, 0, 0], fr: [0, 0, 0, 0] };
  const wrong: string[] = [];
  for (const { chunk, said, invented } of table) {
    for (const [sentences, expected, at] of [[said, 1, 0], [invented, 0, 2]] as const) {
      for (const sentence of sentences) {
        const rate = rates[chunk.language!]!;
        rate[at + 1]!++;
        if (supportOf(sentence.replace(/\.$/, " [1]."), [chunk]) === expected) rate[at]!++;
        else wrong.push(sentence);
      }
    }
  }
  for (const [language, [said, ofSaid, invented, ofInvented]] of Object.entries(rates)) {
    console.log(
      `support ${language}: ${said}/${ofSaid} said found, ${invented}/${ofInvented} invented refused`,
    );
  }
  assert(wrong.length <= 2, wrong.join("\n"));
});

Deno.test("a sentence quoted from its chunk is supported, and one of another chunk is not", () => {
  for (const { chunk } of table) {
    const others = table.filter((other) => other.chunk !== chunk && other.chunk.language === chunk.language);
    for (const { text } of claimsOf(chunk.content)) {
      assertEquals(supportOf(`${text} [1]`, [chunk]), 1, text);
      for (const other of others) assertEquals(supportOf(`${text} [1]`, [other.chunk]), 0, text);
    }
  }
});

Deno.test("the share of any answer is null or 0 to 1, and grows by what is quoted", () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(
        "[1]",
        "[2]",
        "[9]",
        ". ",
        "! ",
        "? ",
        "\n",
        "- ",
        "# ",
        "```",
        "**",
        "Refunds take 30 days",
        "I do not know",
      ),
      fc.string({ unit: "grapheme", maxLength: 12 }),
    ),
    { maxLength: 30 },
  ).map((parts) => parts.join(""));
  // Of no known language, since what is added may change what the answer's language is taken for.
  const chunks = en.map((chunk) => ({ ...chunk, language: null }));
  fc.assert(fc.property(pieces, (answer) => {
    const share = supportOf(answer, chunks);
    assert(share === null || (share >= 0 && share <= 1), `${share}`);
    if (answer.includes("```")) return;
    const more = supportOf(`${answer}\n\nRefunds take 30 days [1].`, chunks);
    assert(more !== null && more > 0 && more >= (share ?? 0), `${more} after ${share}`);
  }));
});
