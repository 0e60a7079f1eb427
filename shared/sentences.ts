// A sentence ends at its full stop before white space (not that of an initial, a usual abbreviation or a list number),
// at a blank line, and at a line break beside a list item, heading or table row. Other line breaks are wrapping.
const BOUNDARY = new RegExp(
  [
    String
      .raw`(?<=[.!?…]["»”’)\]]*)(?<!(?:^|\s)(?:\p{Lu}|p|Mme|Mr|Dr|art|cf|réf|no|e\.g|i\.e)\.)(?<!^\s*\p{N}+\.)\s+(?=\S)`,
    String.raw`\n\s*\n`,
    String.raw`\n(?=\s*(?:[-*•#|]|\d+[.)]))`,
    String.raw`(?<=^[#|*•-][^\n]*)\n`,
  ].join("|"),
  "gmu",
);

/** The sentences of a text, trimmed, each an exact substring of it, in order. */
export function sentencesOf(text: string): string[] {
  return text.split(BOUNDARY).map((part) => part.trim()).filter((part) => part !== "");
}
