/** How good a place is to cut a text: best before a paragraph, worst between two words. */
export const WORD = 0, LINE = 1, SENTENCE = 2, PARAGRAPH = 3;

/** A sentence, list item or line: `text[start..end]`, with how good it is to cut before it. */
export interface Sentence {
  start: number;
  end: number;
  cut: number;
}

// The end of a sentence: its marks and what closes it (French has a space before »), then white space; or a line's end.
// The look-behind keeps a line of thousands of dots from being tried from each of them.
const boundary = /(?<![.!?…])[.!?…]+(?:[ \u00a0\u202f]?[»”’"')\]]+)?(?=\s)|[。！？][」』）]?|\n/g;

// Words whose full stop ends no sentence.
const abbreviations = new Set(
  `m mm mme mmes mlle mlles dr drs pr prof me st ste mr mrs ms jr sr sra p pp art al cf ex env tél tel réf ref fig vol
  éd ed chap sect no nos n° nº vs approx dept est inc ltd co corp av bd boul hon gen e.g i.e p.ex c.-à-d z.b bzw usw nr
  abs d.h num`.split(/\s+/),
);

/** The sentences of `text[start..end]`, a paragraph or more lines without blank ones, in order. */
export function* sentencesOf(text: string, start: number, end: number): Generator<Sentence> {
  let cut = PARAGRAPH, from = start;
  for (const { 0: mark, index } of text.slice(start, end).matchAll(boundary)) {
    const at = start + index, to = mark === "\n" ? at : at + mark.length;
    if (mark !== "\n" && !endsSentence(text, at, to)) continue;
    const sentence = trimmed(text, { start: from, end: to, cut });
    if (sentence) yield sentence;
    const next = mark === "\n" ? lineCut(text, at) : SENTENCE;
    cut = sentence ? next : Math.max(cut, next);
    from = to;
  }
  const rest = trimmed(text, { start: from, end, cut });
  if (rest) yield rest;
}

/** A piece without the white space around it, or null when there is nothing else. */
export function trimmed(text: string, { start, end, cut }: Sentence): Sentence | null {
  const piece = text.slice(start, end);
  const first = end - piece.trimStart().length;
  return first === end ? null : { start: first, end: start + piece.trimEnd().length, cut };
}

/** Whether the marks `text[at..end]` end a sentence, and not an abbreviation or a quotation within one. */
function endsSentence(text: string, at: number, end: number): boolean {
  const next = text.slice(end, end + 8).trimStart();
  // « Vraiment ? » dit-il.
  if (/^\p{Ll}/u.test(next)) return false;
  if (text[at] !== "." || text[at + 1] === ".") return true;
  const word = /[\p{L}\p{N}.°º-]*$/u.exec(text.slice(Math.max(0, at - 12), at))![0];
  // An initial, or the number of a list item: "J. Dupont", "1. Connect the cable".
  if (/^\p{Lu}$/u.test(word)) return false;
  if (/^\d{1,3}$/.test(word) && /(?:^|\n)[ \t]*$/.test(text.slice(Math.max(0, at - 24), at - word.length))) {
    return false;
  }
  return !abbreviations.has(word.toLowerCase());
}

/** A new item, row or record is as good a cut as a sentence; a wrapped line is hardly better than a word. */
function lineCut(text: string, newline: number): number {
  const last = text.slice(Math.max(0, newline - 8), newline).trimEnd().at(-1) ?? "";
  const next = text.slice(newline, newline + 80).trimStart();
  return /[.!?…:;»”]/.test(last) || !/^[\p{Ll}(]/u.test(next) ? SENTENCE : LINE;
}
