import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { rollSummary, SUMMARY_TOKENS, supportedSentence } from "../../../functions/chat/memory/summary.ts";
import { countTokens } from "../../../shared/tokens.ts";
import { anyText } from "../../fixtures/texts.ts";

const user = (content: string, standalone: string | null = null) => ({ role: "user", content, standalone });
const assistant = (content: string) => ({ role: "assistant", content });

Deno.test("a summary has a line for each exchange: the question as it stands alone, and what the answer rests on", () => {
  const summary = rollSummary(null, [
    user("What is the deposit for a drill?"),
    assistant("Hello! The deposit is £150 [1]. It comes back within five days [2]."),
    user("and for machines?", "What is the deposit for machines?"),
    assistant("It is £400."),
  ]);
  assertEquals(
    summary,
    "What is the deposit for a drill? → The deposit is £150.\nWhat is the deposit for machines? → It is £400.",
  );
});

Deno.test("a summary rolls forward: what was summarized is kept, and the new comes behind it", () => {
  const first = rollSummary(null, [user("One?"), assistant("Yes.")]);
  assertEquals(rollSummary(first, [user("Two?"), assistant("No.")]), "One? → Yes.\nTwo? → No.");
  assertEquals(rollSummary(first, []), first);
});

Deno.test("a question without an answer, and an answer whose question was cut off, have their lines", () => {
  assertEquals(rollSummary(null, [user("Lost?"), user("Again?"), assistant("Yes.")]), "Lost?\nAgain? → Yes.");
  assertEquals(rollSummary(null, [assistant("Yes."), user("Two?")]), " → Yes.\nTwo?");
});

Deno.test("the oldest lines lose their answers first, and then go; the newest is whole", () => {
  let summary: string | null = null;
  for (let n = 0; n < 60; n++) {
    summary = rollSummary(summary, [
      user(`How long does delivery number ${n} take to my house?`),
      assistant(`Delivery number ${n} takes three working days, and longer to the islands [1].`),
    ]);
    assert(countTokens(summary) <= SUMMARY_TOKENS, `${countTokens(summary)} tokens`);
  }
  const lines = summary!.split("\n");
  assertMatch(lines.at(-1)!, /number 59 .* → Delivery number 59 takes/);
  assert(!lines[0]!.includes("→") && lines.length > 12, summary!);
  assertEquals(lines.map((line) => line.includes("→")).toSorted(), lines.map((line) => line.includes("→")));
});

Deno.test("whatever was said, a summary stays within its tokens, on one line an exchange", () => {
  fc.assert(
    fc.property(fc.array(anyText, { maxLength: 12 }), (texts) => {
      const messages = texts.map((text, n) => n % 2 ? assistant(text) : user(text));
      const summary = rollSummary(null, messages);
      assert(summary.isWellFormed());
      assert(countTokens(summary) <= SUMMARY_TOKENS + 10 || summary.split("\n").length === 1);
      assert(summary.split("\n").length <= messages.length || messages.length === 0);
    }),
    { numRuns: 60, endOnFailure: true },
  );
});

Deno.test("the first sentence with a marker counts, without it", () => {
  assertEquals(supportedSentence("Good question. Yes, within 30 days [2]. Bye."), "Yes, within 30 days.");
  assertEquals(supportedSentence("I do not know."), "I do not know.");
  assertEquals(supportedSentence(""), "");
});
