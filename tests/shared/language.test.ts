import { assert, assertEquals } from "@std/assert";
import { detectLanguage } from "../../shared/language.ts";
import { questions, unclear } from "../fixtures/questions.ts";
import { frenchText } from "../fixtures/texts.ts";

for (const [language, texts] of Object.entries(questions)) {
  Deno.test(`short questions are recognized: ${language}`, () => {
    assertEquals(texts.filter((text) => detectLanguage(text) !== language), []);
  });
}

Deno.test("there are at least 80 French and English questions", () => {
  assert(questions.fr!.length + questions.en!.length >= 80);
});

Deno.test("what says no language has none", () => {
  assertEquals(unclear.filter((text) => detectLanguage(text) !== null), []);
});

Deno.test("a text in two languages is that of its larger part", () => {
  assertEquals(detectLanguage(`${frenchText(10)} The end.`), "fr");
  assertEquals(detectLanguage("The button « Envoyer » sends the message to the owner of the shop."), "en");
});

Deno.test("a long text is recognized by pieces from all over it", () => {
  const text = `${"Table of contents. ".repeat(60)}${frenchText(80_000)}`;
  assert(text.length > 5_000_000);
  const start = performance.now();
  assertEquals(detectLanguage(text), "fr");
  assert(performance.now() - start < 500);
});
