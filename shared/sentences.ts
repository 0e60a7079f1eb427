// A row of a table or a value of JSON, as they are stored: "Name: Chair; Price: 49", "faq[0].question: How long?". French
// prose has a space before such a sign.
const RECORD = String.raw`[^\s:;][^:;\n]{0,100}(?<!\s)[:;] \S`;
// A sentence ends at its full stop before white space (not that of an initial, a usual abbreviation or a list number),
// at a blank line, at a line break beside a list item, heading or table row, and between records. Other line breaks are
// wrapping.
const BOUNDARY = new RegExp(
  [
    String
      .raw`(?<=[.!?…](?:[ \u00a0\u202f]?["»”’)\]])*)(?<!(?:^|\s)(?:\p{Lu}|p|M|Mme|Mr|Dr|art|cf|réf|no|e\.g|i\.e)\.)(?<!^\s*\p{N}+\.)(?:(?<=\.)|(?!\s+\p{Ll}))\s+(?=[^\s»”’)\]])`,
    String.raw`\n\s*\n`,
    String.raw`\n(?=\s*(?:[-*•#|]|\d+[.)]))`,
    String.raw`(?<=^[#|*•-][^\n]*)\n`,
    String.raw`(?<=^${RECORD}[^\n]*)\n(?=${RECORD})`,
  ].join("|"),
  "gmu",
);

/** The sentences of a text, trimmed, each an exact substring of it, in order. */
export function sentencesOf(text: string): string[] {
  return text.split(BOUNDARY).map((part) => part.trim()).filter((part) => part !== "");
}
