import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type CitableChunk, CitedText } from "../../../functions/chat/citations/citations.ts";
import { bestQuote } from "../../../functions/chat/citations/quote.ts";
import { sentencesOf } from "../../../shared/sentences.ts";

const chunk = (content: string, index = 0): CitableChunk => ({
  document_id: `00000000-0000-7000-8000-00000000000${index}`,
  title: "Handbook",
  source: "handbook.md",
  heading: "Returns",
  chunk_index: index,
  content,
  similarity: 0.8,
});

const three = [
  chunk("Refunds take 30 days. A receipt is needed."),
  chunk("Shipping is free above 50 euros.\n- Gifts are wrapped.", 1),
  chunk("Nous livrons sous 48 heures. Le remboursement est gratuit.", 2),
];

function answer(text: string, cuts: number[] = [], chunks = three): { text: string; cited: CitedText } {
  const cited = new CitedText(chunks);
  let out = "";
  let from = 0;
  for (const cut of [...cuts.map((at) => at % (text.length + 1)).sort((a, b) => a - b), text.length]) {
    out += cited.push(text.slice(from, cut)).text;
    from = cut;
  }
  return { text: out + cited.end().text, cited };
}

const pieces = fc.array(
  fc.constantFrom(
    "[1]",
    "[9]",
    "[",
    "]",
    "1",
    "2",
    "9",
    ",",
    ";",
    " ",
    "  ",
    ". ",
    "word",
    "é",
    "\n",
    "[1, 9]",
    "[2,3]",
    "(",
    "🙂",
  ),
  { maxLength: 40 },
).map((parts) => parts.join(""));

Deno.test("citations do not depend on how the model's text was cut", () => {
  fc.assert(
    fc.property(pieces, fc.array(fc.nat(), { maxLength: 20 }), (text, cuts) => {
      const whole = answer(text);
      const cut = answer(text, cuts);
      assertEquals(cut.text, whole.text);
      assertEquals(cut.cited.citations, whole.cited.citations);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("every marker that leaves resolves to a chunk of the turn, and every quote is its substring", () => {
  fc.assert(
    fc.property(pieces, fc.nat({ max: 3 }), (text, known) => {
      const chunks = three.slice(0, known);
      const { text: out, cited } = answer(text, [], chunks);
      const markers = [...out.matchAll(/\[(\d+)\]/g)].map((match) => Number(match[1]));
      assertEquals(new Set(markers), new Set(cited.citations.map((citation) => citation.marker)));
      for (const citation of cited.citations) {
        const content = chunks[citation.marker - 1]?.content;
        assert(citation.quote !== "" && content?.includes(citation.quote));
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("text without brackets passes unchanged", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => {
    const plain = text.replaceAll(/[[\]]/g, "");
    assertEquals(answer(plain).text, plain);
  }));
});

Deno.test("a marker that does not resolve is removed with its space", () => {
  assertEquals(answer("Refunds take 30 days [9].").text, "Refunds take 30 days.");
  assertEquals(answer("Le délai [9] : 30 jours [8] [7] !").text, "Le délai : 30 jours !");
  assertEquals(answer("one [9] two").text, "one two");
  assertEquals(answer("one [9]two").text, "one two");
  assertEquals(answer("one [9]\ntwo [9]").text, "one\ntwo");
  assertEquals(answer("[0] and [2024] go").text, "and go");
});

Deno.test("a list of markers is split, and keeps those that resolve", () => {
  assertEquals(answer("Free [1, 9; 2].").text, "Free [1][2].");
});

Deno.test("what is no marker stays: links, empty brackets, code", () => {
  const text = "See [the page](https://example.com), [] and [a1], `list[7]`, ``x`[7]``\n```\na[8]\n```\nend";
  assertEquals(answer(text).text, text);
  assertEquals(answer("an `open span[7]\nand [7] after").text, "an `open span[7]\nand after");
});

Deno.test("the quote is the sentence that supports the one carrying the marker", () => {
  const { cited } = answer("As [1] says, a receipt is needed. Refunds are free. [3] Gifts are wrapped [2].");
  assertEquals(cited.citations.map(({ marker, quote }) => [marker, quote]), [
    [1, "A receipt is needed."],
    [3, "Nous livrons sous 48 heures."],
    [2, "- Gifts are wrapped."],
  ]);
});

Deno.test("a citation is sent as soon as its sentence ends", () => {
  const cited = new CitedText(three);
  assertEquals(cited.push("Refunds take 30 days [1]").citations, []);
  assertEquals(cited.push(". Next").citations.map((citation) => citation.quote), ["Refunds take 30 days."]);
  assertEquals(cited.end().citations, []);
});

Deno.test("a quote meets inflected words, accents and numbers, and the question breaks a tie", () => {
  const text = "Le délai est de 14 jours. Le remboursement est intégral. Contact : Mme. Roy, réf. 7.";
  assertEquals(bestQuote(text, "Vous serez remboursé en entier"), "Le remboursement est intégral.");
  assertEquals(bestQuote(text, "You have 14 days"), "Le délai est de 14 jours.");
  assertEquals(bestQuote(text, "Oui.", "Quel est le contact ?"), "Contact : Mme. Roy, réf. 7.");
});

Deno.test("a quote of any chunk is a substring of at most 400 characters", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", minLength: 1, maxLength: 900 }),
      fc.string(),
      (content, claim) => {
        const quote = bestQuote(content, claim);
        assert(content.includes(quote) && quote.length <= 400);
      },
    ),
  );
});

Deno.test("sentences end at full stops, list items and blank lines, not at initials or wrapped lines", () => {
  assertEquals(sentencesOf("# Title\nA line\nwrapped. M. Roy came.\n- one\n- two\n\nEnd"), [
    "# Title",
    "A line\nwrapped.",
    "M. Roy came.",
    "- one",
    "- two",
    "End",
  ]);
});
