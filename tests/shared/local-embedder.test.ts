import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { embedLocally, LOCAL_DIMENSIONS } from "../../shared/local-embedder.ts";
import { faq } from "../fixtures/faq.ts";
import { anyText, frenchText } from "../fixtures/texts.ts";

const vectorOf = (text: string): number[] => JSON.parse(embedLocally(text));

function cosine(a: number[], b: number[]): number {
  const dot = (x: number[], y: number[]) => x.reduce((sum, value, n) => sum + value * y[n]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

const similarity = (a: string, b: string) => cosine(vectorOf(a), vectorOf(b));

Deno.test("every text has a vector of 384 small odd integers, the same each time", () => {
  fc.assert(
    fc.property(fc.oneof(anyText, fc.string({ unit: "binary" })), (text) => {
      const vector = vectorOf(text);
      assertEquals(vector.length, LOCAL_DIMENSIONS);
      assert(vector.every((value) => Math.abs(value % 2) === 1 && Math.abs(value) <= 63));
      assertEquals(vectorOf(text), vector);
    }),
    { numRuns: 60, endOnFailure: true },
  );
});

Deno.test("vectors stay the same from version to version: stored ones must fit new questions", () => {
  assertEquals(vectorOf("Comment retourner un article ?").slice(0, 8), [7, -1, 5, 5, 3, -11, 3, 1]);
});

Deno.test("a vector is short as text and uses both signs alike", () => {
  const text = embedLocally(frenchText(12));
  assert(text.length < 1200, `${text.length} characters`);
  const positive = (JSON.parse(text) as number[]).filter((value) => value > 0).length;
  assert(positive > 150 && positive < 234, `${positive} positive`);
});

Deno.test("accents, case and typography make no difference", () => {
  assertEquals(embedLocally("L’ÉTÉ à Besançon : œuvre"), embedLocally("l'ete a besancon oeuvre"));
});

Deno.test("words of one family, compounds and misspelt words are near, others are not", () => {
  const near: [string, string][] = [
    ["livraison", "livrer"],
    ["rembourser", "remboursement"],
    ["abonnement", "abonnements"],
    ["cancel", "cancellation"],
    ["delivery", "deliveries"],
    ["Kaffeemaschine", "Maschine"],
    ["remboursement", "rembousement"],
    ["password", "pasword"],
    ["Besançon", "Besancon"],
  ];
  for (const [a, b] of near) assert(similarity(a, b) > 0.25, `${a} ${b} ${similarity(a, b)}`);
  const far: [string, string][] = [
    ["livraison", "garantie"],
    ["password", "delivery"],
    ["chaise", "facture"],
    ["prix", "taille"],
  ];
  for (const [a, b] of far) assert(similarity(a, b) < 0.2, `${a} ${b} ${similarity(a, b)}`);
});

Deno.test("function words count only where there is nothing else", () => {
  assert(similarity("Quel est le prix de la livraison ?", "prix livraison") > 0.95);
  assert(similarity("to be or not to be", "to be or not to be, that") > 0.7);
});

Deno.test("the right answer is found by the vector alone, also for misspelt questions", () => {
  const answers = faq.map(({ answer }) => vectorOf(answer));
  const rankOf = (question: string, right: number) => {
    const vector = vectorOf(question);
    const own = cosine(vector, answers[right]!);
    return answers.filter((answer) => cosine(vector, answer) > own).length + 1;
  };
  for (const [kind, least] of [["questions", 0.9], ["misspelt", 0.9]] as const) {
    const ranks = faq.flatMap((entry, n) => entry[kind].map((question) => rankOf(question, n)));
    const share = ranks.filter((rank) => rank === 1).length / ranks.length;
    assert(share >= least, `${kind}: ${share} of ${ranks.length} at rank 1`);
  }
});

Deno.test("related texts are above the threshold of the offline embedder, unrelated ones below", () => {
  const threshold = 0.2;
  const related: number[] = [], unrelated: number[] = [];
  for (const [n, { questions }] of faq.entries()) {
    for (const question of questions) {
      for (const [m, { answer }] of faq.entries()) {
        (n === m ? related : unrelated).push(similarity(question, answer));
      }
    }
  }
  const above = (values: number[]) => values.filter((value) => value >= threshold).length / values.length;
  assert(above(related) > 0.9, `${above(related)} of the related`);
  assert(above(unrelated) < 0.02, `${above(unrelated)} of the unrelated`);
});
