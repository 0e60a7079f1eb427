import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Tiktoken } from "js-tiktoken/lite";
import cl100k from "js-tiktoken/ranks/cl100k_base";
import { countTokens } from "../../shared/tokens.ts";
import { vocabulary } from "../../shared/vocabulary.ts";
import { anyText, frenchText } from "../fixtures/texts.ts";

const reference = new Tiktoken(cl100k);
const expected = (text: string) => reference.encode(text, [], []).length;

Deno.test("tokens are counted as the encoding's own implementation does", () => {
  const texts = [
    "",
    " ",
    "Bonjour, où est l’abonnement ?",
    "I'll say: don't, we've SHOULD'VE 's 'split",
    "3.14159 2024-05-01 12345678",
    "a  b   c\n\n d\t\te \n",
    "\r\n\r\nx\u00a0y\u2028z",
    "日本語のテキスト、ก็ไทย, العربية",
    "👩‍👩‍👧 🇫🇷 e\u0301",
    "<|endoftext|>",
    "```ts\nconst a = [1, 2];\n```",
    "https://example.com/a/b?c=d&e=f#g",
    frenchText(40),
  ];
  for (const text of texts) assertEquals(countTokens(text), expected(text), JSON.stringify(text));
});

Deno.test("any text is counted as the encoding's own implementation does", () => {
  const text = fc.oneof(
    anyText,
    fc.string({ unit: "grapheme", maxLength: 60 }),
    fc.string({ unit: "binary", maxLength: 60 }),
  );
  // Runs of more than 64 characters without a break are counted in pieces.
  const short = text.filter((value) => !/x{60}|[`|#.!?«»]{60}/.test(value));
  fc.assert(fc.property(short, (value) => assertEquals(countTokens(value), expected(value))), {
    numRuns: 150,
    endOnFailure: true,
  });
});

Deno.test("a run without a break is counted in pieces, at most a few tokens more for each", () => {
  const run = "abcdefghijklmnopqrstuvwxyzéà".repeat(40);
  const surplus = countTokens(run) - expected(run);
  assert(surplus >= 0 && surplus <= 6 * run.length / 64, `${surplus} tokens more`);
});

Deno.test("half of a surrogate pair is counted, not refused", () => {
  assert(countTokens("a \ud83d b") > 0);
  assert(countTokens("\udc00\ud800") > 0);
});

Deno.test("every token of the vocabulary has its own rank", () => {
  const [, first, ...tokens] = cl100k.bpe_ranks.split("\n")[0]!.split(" ");
  const wrong = tokens.filter((token, n) => {
    const bytes = Uint8Array.from(atob(token), (byte) => byte.charCodeAt(0));
    return vocabulary().rank(bytes, 0, bytes.length) !== Number(first) + n;
  });
  assertEquals(wrong, []);
  assert(tokens.length > 100_000);
});
