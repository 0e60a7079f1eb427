/** The kinds of characters that the scanners of texts and tokens tell apart. */
export const LETTER = 1, NUMBER = 2, SPACE = 3, NEWLINE = 4, MARK = 5, OTHER = 6;

// Filled as characters are met: asking a regular expression each time would cost ten times the scan.
const kinds = new Uint8Array(0x10000);

/** The kind of a code point. */
export function kindOf(codePoint: number): number {
  if (codePoint > 0xffff) return classify(codePoint);
  return kinds[codePoint] || (kinds[codePoint] = classify(codePoint));
}

function classify(codePoint: number): number {
  if (codePoint === 10 || codePoint === 13) return NEWLINE;
  if (codePoint >= 0xd800 && codePoint <= 0xdfff) return OTHER;
  const character = String.fromCodePoint(codePoint);
  if (/\p{L}/u.test(character)) return LETTER;
  if (/\p{N}/u.test(character)) return NUMBER;
  if (/\s/.test(character)) return SPACE;
  return /\p{M}/u.test(character) ? MARK : OTHER;
}

/** Calls `visit` with the place of each run of letters, digits and combining marks: "l'été 2024" has l, été, 2024. */
export function eachWord(text: string, visit: (start: number, end: number) => void): void {
  let start = -1;
  for (let at = 0; at < text.length; at++) {
    const first = at;
    let code = text.charCodeAt(at);
    if (code >= 0xd800 && code < 0xdc00) {
      code = text.codePointAt(at)!;
      if (code > 0xffff) at++;
    }
    const kind = kindOf(code);
    if (kind <= NUMBER || kind === MARK) {
      if (start < 0) start = first;
    } else if (start >= 0) {
      visit(start, first);
      start = -1;
    }
  }
  if (start >= 0) visit(start, text.length);
}

/** Two hashes of `text[start..end]`, 32 bits each: tables of words find by them without making a string of each word. */
export function hashPair(text: string, start: number, end: number, pair: Uint32Array): void {
  let first = 0x811c9dc5, second = end - start;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    first = Math.imul(first ^ code, 0x01000193);
    second = Math.imul(second ^ code, 0x5bd1e995) ^ second >>> 15;
  }
  pair[0] = first ^ first >>> 15;
  pair[1] = second;
}

/** The words of a text, folded. */
export function foldedWords(text: string): string[] {
  const words: string[] = [];
  eachWord(text, (start, end) => words.push(fold(text.slice(start, end))));
  return words;
}

const ligatures: Record<string, string> = { œ: "oe", æ: "ae", ß: "ss", ø: "o", ł: "l", ı: "i" };

/** Lower case without accents and ligatures, so that "Œuvre", "œuvre" and "oeuvre" are one word. */
export function fold(word: string): string {
  const lower = word.toLowerCase();
  if (isAscii(lower)) return lower;
  return lower.normalize("NFKD").replace(/\p{M}+/gu, "").replace(/[œæßøłı]/g, (letter) => ligatures[letter]!);
}

/** Whether a text has only ASCII characters. */
export function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 127) return false;
  return true;
}
