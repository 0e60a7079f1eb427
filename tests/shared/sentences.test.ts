import { assertEquals } from "@std/assert";
import { sentencesOf } from "../../shared/sentences.ts";

Deno.test("sentences end at their marks, not at abbreviations, initials or numbers of a list", () => {
  assertEquals(sentencesOf("M. J. Dupont paie 3.50 €. « Vraiment ? » Oui, cf. p. 12."), [
    "M. J. Dupont paie 3.50 €.",
    "« Vraiment ? »",
    "Oui, cf. p. 12.",
  ]);
  assertEquals(sentencesOf("« Ah ! » dit-il. Puis il part."), ["« Ah ! » dit-il.", "Puis il part."]);
  assertEquals(sentencesOf("Wait! See e.g. here.\n1. One\n2. Two"), [
    "Wait!",
    "See e.g. here.",
    "1. One",
    "2. Two",
  ]);
});

Deno.test("a wrapped line goes on, a paragraph, item or row does not", () => {
  assertEquals(sentencesOf("Le client de\nParis attend.\n\nFin\n- un\n- deux"), [
    "Le client de\nParis attend.",
    "Fin",
    "- un",
    "- deux",
  ]);
  assertEquals(sentencesOf("# Titre\nTexte\n| a | b |\n| c | d |"), [
    "# Titre",
    "Texte",
    "| a | b |",
    "| c | d |",
  ]);
});

Deno.test("each record of a table or of JSON stands alone", () => {
  assertEquals(sentencesOf("Nom: Chaise; Prix: 49 €\nNom: Table; Prix: 120 €\nNom: Lit"), [
    "Nom: Chaise; Prix: 49 €",
    "Nom: Table; Prix: 120 €",
    "Nom: Lit",
  ]);
  assertEquals(sentencesOf("faq[0].q: Délai ?\nfaq[0].r: 3 jours"), [
    "faq[0].q: Délai ?",
    "faq[0].r: 3 jours",
  ]);
  assertEquals(sentencesOf("Chaise; 49\nTable; 120"), ["Chaise; 49", "Table; 120"]);
});
