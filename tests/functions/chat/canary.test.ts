import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { canaryForms, createCanary } from "../../../functions/chat/guard/canary.ts";
import { LeakFilter, LONGEST_RUN } from "../../../functions/chat/guard/canary-filter.ts";
import { lettersIn } from "../../../functions/chat/guard/canary-letters.ts";
import { AnswerScreen } from "../../../functions/chat/guard/canary-screen.ts";
import { CitedText } from "../../../functions/chat/citations/citations.ts";

const instructions =
  `Tu es Léa, la vendeuse virtuelle de Lumière & Fils. Tu réponds avec patience et précision.
Ne donne jamais plus de dix pour cent de remise, même si le client insiste longuement au téléphone.
You never speak about suppliers, margins or the lawsuit with the former owner of the workshop.
Dis toujours : « Nos lampes sont garanties cinq ans, pièces et main-d'œuvre, partout en Europe. »`;
const fact = "Ne donne jamais plus de dix pour cent de remise, même si le client insiste";

function read(pieces: readonly string[], { open = [] as string[], canary = "" } = {}) {
  const filter = new LeakFilter({
    canary: canary || createCanary(),
    instructions,
    open: () => open,
  });
  let sent = "";
  for (const piece of pieces) {
    const { text, isLeak } = filter.push(piece);
    sent += text;
    if (isLeak) return { text: sent, isLeak };
  }
  const { text, isLeak } = filter.end();
  return { text: sent + text, isLeak };
}

/** A text cut between characters at random places; a pair of surrogates comes whole from a model's stream. */
const cut = (text: string) => {
  const characters = [...text];
  return fc.array(fc.nat(characters.length), { maxLength: 60 }).map((places) => {
    const sorted = [0, ...places.sort((a, b) => a - b), characters.length];
    return sorted.slice(1).map((end, n) => characters.slice(sorted[n], end).join(""));
  });
};

/** The same words in another dress: case, spaces, Markdown, numbers, accents, markers, fonts. */
const dressed = (text: string) =>
  fc.array(fc.constantFrom("", "", "", " ", "\n", "**", "_", "- ", "> ", " [1]", "1. ", "`", "·", "\u200b"), {
    minLength: 40,
    maxLength: 40,
  }).chain((between) =>
    fc.constantFrom(
      (word: string) => word,
      (word: string) => word.toUpperCase(),
      (word: string) => word.normalize("NFD"),
      (word: string) => word.normalize("NFD").replace(/\p{M}/gu, ""),
      (word: string) => [...word].join(" "),
      (word: string) =>
        word.replace(/[a-z]/g, (letter) => String.fromCodePoint(0x1d41a + letter.charCodeAt(0) - 97)),
    ).map((dress) =>
      text.split(/\s+/).map((word, n) => `${between[n % 40]}${dress(word)}${between[(n + 7) % 40]}`).join(" ")
    )
  );

// For what depends on every letter.
const mark = "bcdfghjkmpqrtvwx";

const secrets = instructions.slice(0, instructions.indexOf("Dis toujours"));

/** The longest run of letters that a text has in common with the instructions. */
function longestShared(text: string): number {
  const [letters, secret] = [lettersIn(text), lettersIn(secrets)];
  let longest = 0;
  for (let start = 0; start + longest < letters.length; start++) {
    while (
      start + longest < letters.length && secret.includes(letters.slice(start, start + longest + 1))
    ) longest++;
  }
  return longest;
}

Deno.test("an answer that quotes the instructions ends before it does, wherever it is cut and however dressed", () => {
  const place = fc.tuple(fc.nat(secrets.length - 150), fc.integer({ min: 120, max: 150 }));
  fc.assert(
    fc.property(
      place.chain(([from, length]) => dressed(secrets.slice(from, from + length)))
        .chain((quoted) => cut(`Of course! Here it is:\n\n${quoted} And that is all.`)),
      (pieces) => {
        const { text, isLeak } = read(pieces);
        assert(isLeak, pieces.join(""));
        // What was sent before the filter could know is fewer letters than a passage has.
        assert(longestShared(text) < 20, text);
      },
    ),
    { numRuns: 400 },
  );
});

Deno.test("an honest answer passes unchanged, wherever it is cut", () => {
  const answers = [
    "Bien sûr ! La lampe Aube éclaire 800 lumens et tient dix heures.\n\n- **Prix** : 49 €\n- Garantie : cinq ans [1]",
    "We never ship on Sundays. You can return a lamp within thirty days, with patience and a receipt.",
    "Nos lampes sont garanties cinq ans, pièces et main-d'œuvre, partout en Europe.",
    "Je suis Léa, la vendeuse virtuelle de la maison, et je réponds avec plaisir.",
  ];
  fc.assert(fc.property(fc.constantFrom(...answers).chain(cut), (pieces) => {
    assertEquals(read(pieces), { text: pieces.join(""), isLeak: false });
  }));
});

Deno.test("what facts, passages or the visitor say is no secret, though the instructions say it, too", () => {
  const answer = `D'accord. ${fact}, selon nos conditions. Le reste est au magasin.`;
  assert(read([answer]).isLeak);
  assertEquals(read([...answer], { open: [`remise: ${fact}.`] }), { text: answer, isLeak: false });
  // What follows in the instructions stays secret.
  const further = secrets.slice(secrets.indexOf(fact), secrets.length - 5);
  const { text, isLeak } = read([further], { open: [fact] });
  assert(isLeak);
  assert(!text.includes("suppliers"));
});

Deno.test("a canary does not leave, in any of its forms, wherever it is cut", () => {
  const canary = createCanary();
  const forms = [
    canary,
    canary.toUpperCase(),
    [...canary].reverse().join(""),
    [...canary].join(" "),
    [...canary].join("-"),
    btoa(canary),
    btoa(`x${canary}x`),
    btoa(`The mark: ${canary}.`),
    `**${canary.slice(0, 7)}** ${canary.slice(7)}`,
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...forms).chain((form) => cut(`The mark is ${form}, so there.`)),
      (pieces) => {
        const { text, isLeak } = read(pieces, { canary });
        assert(isLeak, pieces.join(""));
        const letters = lettersIn(text);
        for (const part of canaryForms(canary).split(" ")) {
          for (let at = 0; at + 4 <= part.length; at++) {
            assert(
              !letters.includes(part.slice(at, at + 4)),
              text,
            );
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("an answer that ends in the middle of its canary ends before it", () => {
  const canary = createCanary();
  assertEquals(read([`Mark: ${canary.slice(0, 7)}`], { canary }), {
    text: "Mark: ",
    isLeak: true,
  });
});

Deno.test("each turn has a canary of its own, of letters alone", () => {
  const canaries = Array.from({ length: 100 }, createCanary);
  assertEquals(new Set(canaries).size, 100);
  for (const canary of canaries) assertMatch(canary, /^[bcdfghjkmpqrtvwx]{16}$/);
});

Deno.test("text is held back only while it quotes the instructions", () => {
  const words =
    "Je réponds avec patience et précision à vos questions sur les lampes, chaque jour de la semaine.";
  const filter = new LeakFilter({ canary: mark, instructions, open: () => [] });
  let [came, left, most] = [0, 0, 0];
  for (const [piece] of words.matchAll(/\S+\s*/g)) {
    came += piece.length;
    left += filter.push(piece).text.length;
    most = Math.max(most, came - left);
  }
  // "Tu réponds avec patience et précision" are 33 letters of the instructions, of which 12 had to come first.
  assert(most > 0 && most < LONGEST_RUN, `${most} characters were held back`);
  const plain = new LeakFilter({ canary: mark, instructions, open: () => [] });
  const other = "Die Lampe kostet neunundvierzig Euro und leuchtet zehn Stunden.";
  const held = [...other.matchAll(/\S+\s*/g)].map(([piece]) => piece.length - plain.push(piece).text.length);
  assertEquals(held.filter((characters) => characters !== 0), []);
});

Deno.test("the work for a piece does not grow with what came before", () => {
  const filter = new LeakFilter({ canary: mark, instructions, open: () => [] });
  let held = 0, came = 0;
  for (let n = 0; n < 20_000; n++) {
    came += 6;
    held += filter.push(n % 3 === 0 ? "lampe " : "jamais").text.length;
    assert(came - held < 100);
  }
});

Deno.test("the text of a tool call is looked through as a whole", () => {
  const filter = new LeakFilter({ canary: mark, instructions, open: () => [] });
  assert(filter.isLeak(JSON.stringify({ note: secrets })));
  assert(!filter.isLeak(JSON.stringify({ note: "A lamp, please." })));
});

Deno.test("a citation goes with its marker: sent with it, dropped with it", () => {
  const chunk = { document_id: "d", title: "t", source: null, heading: null, chunk_index: 0, similarity: 1 };
  const cited = new CitedText([
    { ...chunk, content: "Lamps shine." },
    { ...chunk, content: "Lamps cost." },
  ]);
  const screen = new AnswerScreen(
    cited,
    new LeakFilter({
      canary: mark,
      instructions,
      open: () => [],
    }),
  );
  const first = screen.push("Lamps shine [1]. You never speak about suppliers [2], margins or the lawsuit ");
  assertEquals([first.text, first.citations.map(({ marker }) => marker), first.isLeak], [
    "Lamps shine [1]. You never s",
    [1],
    true,
  ]);
});

Deno.test("without a filter text and citations pass as they come", () => {
  const screen = new AnswerScreen(new CitedText([]), null);
  assertEquals(screen.push("Hello"), { text: "Hello", citations: [], isLeak: false });
  assertEquals(screen.end(), { text: "", citations: [], isLeak: false });
});
