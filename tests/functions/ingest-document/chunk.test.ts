import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type Chunk, chunkText, MOST, OVERLAP } from "../../../functions/ingest-document/chunk.ts";
import { chunkPages, type PagesState } from "../../../functions/ingest-document/chunk-pages.ts";
import { markdownHeadings } from "../../../functions/ingest-document/markdown.ts";
import type { Page } from "../../../functions/ingest-document/pdf.ts";
import type { TextSource } from "../../../functions/ingest-document/sections.ts";
import { Problem } from "../../../shared/errors.ts";
import { countTokens } from "../../../shared/tokens.ts";
import { anyText, frenchText } from "../../fixtures/texts.ts";

const plain = (text: string): TextSource => ({ text, headings: [] });
const markdown = (text: string): TextSource => ({ text, headings: markdownHeadings(text) });
// A counterexample is small enough without being shrunk for minutes.
const runs = { numRuns: 60, endOnFailure: true };

const chunksOf = (source: TextSource): Chunk[] => [...chunkText(source)].map(({ chunk }) => chunk);

Deno.test("a chunk is the text between its offsets, within the limit, and says how many tokens it has", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      for (const chunk of chunksOf(markdown(text))) {
        assertEquals(text.slice(chunk.char_start, chunk.char_end), chunk.content);
        assertEquals(chunk.content.trim(), chunk.content);
        assertEquals(chunk.tokens, countTokens(chunk.content));
        // Tokens of the white space between sentences come on top of those of the sentences.
        assert(chunk.tokens <= MOST * 1.25, `${chunk.tokens} tokens`);
        assert(chunk.content.isWellFormed());
      }
    }),
    runs,
  );
});

Deno.test("chunks leave nothing out and go forward", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      let covered = 0, start = -1;
      for (const chunk of chunksOf(markdown(text))) {
        assert(chunk.char_start > start && chunk.char_end > covered);
        if (chunk.char_start > covered) assertEquals(text.slice(covered, chunk.char_start).trim(), "");
        covered = chunk.char_end;
        start = chunk.char_start;
      }
      assertEquals(text.slice(covered).trim(), "");
    }),
    runs,
  );
});

Deno.test("no chunk begins or ends within a word", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      for (const { char_start, char_end } of chunksOf(plain(text))) {
        for (const at of [char_start, char_end]) {
          const around = text.slice(at - 1, at + 1);
          assert(
            around.length < 2 || /[\s。！？」』）]/.test(around),
            `cut within ${JSON.stringify(text.slice(at - 10, at + 10))}`,
          );
        }
      }
    }),
    runs,
  );
});

Deno.test("the same text gives the same chunks, and a run that was left goes on where it was", () => {
  fc.assert(
    fc.property(anyText, fc.nat(), (text, seed) => {
      const all = [...chunkText(markdown(text))];
      assertEquals([...chunkText(markdown(text))], all);
      if (all.length < 2) return;
      const left = seed % (all.length - 1);
      assertEquals([...chunkText(markdown(text), all[left]!.next)], all.slice(left + 1));
    }),
    runs,
  );
});

Deno.test("pages give the same chunks however many are read at a time", () => {
  fc.assert(
    fc.property(fc.array(anyText, { minLength: 1, maxLength: 6 }), fc.array(fc.nat(2)), (texts, groups) => {
      // A document without any text is refused.
      fc.pre(texts.some((text) => text.trim() !== ""));
      const pages = texts.map((text, n): Page => ({ page: n + 1, text, headings: markdownHeadings(text) }));
      const atOnce = chunkPages(pages, null, true).chunks;
      const inRuns: Chunk[] = [];
      let state: PagesState | null = null;
      for (let first = 0, run = 0; first < pages.length; run++) {
        const count = 1 + (groups[run] ?? 0);
        const next = chunkPages(pages.slice(first, first + count), state, first + count >= pages.length);
        inRuns.push(...next.chunks);
        // What the database keeps between two runs.
        state = JSON.parse(JSON.stringify(next.state));
        first += count;
      }
      assertEquals(inRuns, atOnce);
    }),
    runs,
  );
});

Deno.test("a chunk of pages names the page it begins on and its offsets in the whole text", () => {
  const pages = Array.from(
    { length: 12 },
    (_, n): Page => ({ page: n + 1, text: frenchText(30, n), headings: [] }),
  );
  const { chunks } = chunkPages(pages, null, true);
  for (const { content, page } of chunks) {
    assert(pages[page! - 1]!.text.includes(content.slice(0, 40)), `page ${page}: ${content.slice(0, 40)}`);
  }
  assertEquals(new Set(chunks.map(({ page }) => page)).size, 12);
  assert(chunks.every((chunk, n) => n === 0 || chunk.char_start < chunks[n - 1]!.char_end + 3));
});

Deno.test("a sentence that goes on on the next page is not torn apart", () => {
  const pages: Page[] = [
    { page: 1, text: "Le remboursement est fait dans un délai de", headings: [] },
    { page: 2, text: "quatorze jours après réception du colis.", headings: [] },
  ];
  const { chunks } = chunkPages(pages, null, true);
  assertEquals(chunks.map(({ content, page }) => [content, page]), [
    ["Le remboursement est fait dans un délai de\nquatorze jours après réception du colis.", 1],
  ]);
});

Deno.test("a chunk keeps the path of its headings, also over pages", () => {
  const text =
    "# Guide\n\n## Livraison\n\nTrois jours.\n\n## Retours\n\nTrente jours.\n\n# Contact\n\nPar courriel.";
  const expected = [["Guide > Livraison", "# Guide\n\n## Livraison\n\nTrois jours."], [
    "Guide > Retours",
    "## Retours\n\nTrente jours.",
  ], [
    "Contact",
    "# Contact\n\nPar courriel.",
  ]];
  assertEquals(chunksOf(markdown(text)).map(({ heading, content }) => [heading, content]), expected);
  const pages = text.split("\n\n## Retours").map((part, n): Page => {
    const content = n === 0 ? part : `## Retours${part}`;
    return { page: n + 1, text: content, headings: markdownHeadings(content) };
  });
  const first = chunkPages(pages.slice(0, 1), null, false);
  const second = chunkPages(pages.slice(1), first.state, true);
  assertEquals([...first.chunks, ...second.chunks].map(({ heading, page }) => [heading, page]), [
    ["Guide > Livraison", 1],
    ["Guide > Retours", 2],
    ["Contact", 2],
  ]);
});

Deno.test("a heading without a text stands in the chunk below it", () => {
  const chunks = chunksOf(markdown("# Guide\n\n## Vide\n\n## Prix\n\n49 €\n\n# Fin"));
  assertEquals(chunks.map(({ heading, content }) => [heading, content]), [
    ["Guide > Prix", "# Guide\n\n## Vide\n\n## Prix\n\n49 €"],
    ["Fin", "# Fin"],
  ]);
});

Deno.test("chunks overlap by whole sentences, or by words of a long one", () => {
  for (const text of [frenchText(200), frenchText(200).replaceAll(".", ",")]) {
    const chunks = chunksOf(plain(text));
    assert(chunks.length > 3);
    for (const [n, chunk] of chunks.entries()) {
      if (n === 0) continue;
      const repeated = text.slice(chunk.char_start, chunks[n - 1]!.char_end);
      const tokens = countTokens(repeated);
      assert(tokens > 0 && tokens <= OVERLAP + 5, `${tokens} tokens of overlap`);
      assert(chunk.content.startsWith(repeated));
      if (text.includes(".")) assert(/^[A-ZÀÉL«]/.test(repeated), repeated);
    }
  }
});

Deno.test("text is cut between paragraphs rather than sentences", () => {
  const paragraph = frenchText(6);
  const text = Array.from({ length: 20 }, () => paragraph).join("\n\n");
  for (const { char_end } of chunksOf(plain(text))) {
    assert(char_end === text.length || text.slice(char_end, char_end + 2) === "\n\n");
  }
});

Deno.test("sentences end at their marks in French and English, not at abbreviations or within quotations", () => {
  const sentences = [
    "M. Dupont et Mme Durand habitent au 12 av. Foch depuis l’an 2001.",
    "« Vraiment ? » demanda-t-il à J. Martin, cf. p. 12 du guide.",
    "Aujourd’hui, l’abonnement coûte 3.50 € par mois (env. 42 € par an) !",
    "He said “Stop!” and left, e.g. through the door of Smith & Co. in London.",
    "Mr. Brown paid $1.5 million, i.e. less than Dr. White.",
    "Est-ce que ça marche ?",
    "Wait… No, it does not.",
  ];
  const filler = Array.from({ length: 40 }, () => "Une phrase courte de remplissage se trouve ici.").join(
    " ",
  );
  for (const [n, sentence] of sentences.entries()) {
    // Wherever the limit falls, no chunk ends inside of the sentence.
    for (let words = 20; words < 60; words += 3) {
      const before = filler.split(". ").slice(0, words).join(". ");
      const text = `${before}. ${sentence} ${filler}`;
      const start = text.indexOf(sentence), end = start + sentence.length;
      for (const { char_end } of chunksOf(plain(text))) {
        assert(
          char_end <= start || char_end >= end || sentence.startsWith("Wait"),
          `${n}: …${text.slice(char_end - 20, char_end)}`,
        );
      }
    }
  }
});

Deno.test("code and tables that fit in a chunk are kept whole", () => {
  const code = `\`\`\`sql\n${
    Array.from({ length: 12 }, (_, n) => `select ${n} from prices;\n`).join("\n")
  }\`\`\``;
  const table = [
    "| Taille | Prix |",
    "|---|---|",
    ...Array.from({ length: 15 }, (_, n) => `| ${n} | ${n * 3} € |`),
  ].join("\n");
  for (let sentences = 1; sentences < 30; sentences++) {
    const chunks = chunksOf(
      markdown(`${frenchText(sentences)}\n\n${code}\n\n${frenchText(9)}\n${table}\n${frenchText(9)}`),
    );
    assert(chunks.some(({ content }) => content.includes(code)), `code after ${sentences} sentences`);
    assert(chunks.some(({ content }) => content.includes(table)), `table after ${sentences} sentences`);
  }
});

Deno.test("a word longer than a chunk is cut, but no character is", () => {
  for (const character of ["a", "é", "👩‍👩‍👧", "🇫🇷", "ก็", "字", "0"]) {
    const text = character.repeat(6000);
    const chunks = chunksOf(plain(text));
    assert(chunks.length > 1);
    for (const { content, tokens } of chunks) {
      assert(content.isWellFormed());
      assert(tokens <= MOST);
      if (character !== "🇫🇷") assertEquals(content.replaceAll(character, ""), "");
    }
    assertEquals(chunks.at(-1)!.char_end, text.length);
  }
});

Deno.test("chunks with the same heading and content have the same hash", () => {
  const [first] = chunksOf(markdown("# A\n\nBonjour."));
  const [same] = chunksOf(markdown("# A\n\nBonjour.\n\n# B\n\nautre"));
  const [other] = chunksOf(plain("# A\n\nBonjour."));
  assertEquals(first!.hash, same!.hash);
  assert(first!.hash !== other!.hash);
  assert(/^[0-9a-f]{64}$/.test(first!.hash));
});

Deno.test("pages without any text are refused at the end, as scans are", () => {
  const blank = (page: number): Page => ({ page, text: "", headings: [] });
  const { chunks, state } = chunkPages([blank(1), blank(2)], null, false);
  assertEquals(chunks, []);
  assertThrows(() => chunkPages([blank(3)], state, true), Problem, "no text");
  assertEquals(chunkPages([{ ...blank(3), text: "Fin." }], state, true).chunks.map(({ page }) => page), [3]);
});

Deno.test("a text without words has no chunks", () => {
  assertEquals(chunksOf(plain("")), []);
  assertEquals(chunksOf(plain(" \n\n\t\u00a0 ")), []);
});
