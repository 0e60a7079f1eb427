import { asSeen } from "./guard-characters.ts";
import { fold } from "../../../shared/words.ts";

// What a code unit is read as: the code of one letter, or that it is none, or several; 0 is not known yet.
const NONE = 1, SEVERAL = 2;
const read = new Uint16Array(0x10000);

/**
 * Calls `visit` with each letter of `text[from..]` and its place, whatever its case, accents, script or font, and
 * with nothing of what stands between letters: spaces, digits, Markdown, punctuation.
 */
export function eachLetter(text: string, visit: (letter: number, at: number) => void, from = 0): void {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const isPair = code >= 0xd800 && code < 0xdc00;
    const known = isPair ? SEVERAL : read[code] ||= classify(code);
    if (known === NONE) continue;
    if (known !== SEVERAL) visit(known, at);
    else for (const letter of lettersOf(text.codePointAt(at)!)) visit(letter.charCodeAt(0), at);
    if (isPair && text.codePointAt(at)! > 0xffff) at++;
  }
}

/** The letters of a text in one run. */
export function lettersIn(text: string): string {
  const codes: number[] = [];
  eachLetter(text, (letter) => codes.push(letter));
  let letters = "";
  // In pieces, since a call takes a bounded number of arguments.
  for (let at = 0; at < codes.length; at += 4096) {
    letters += String.fromCharCode(...codes.slice(at, at + 4096));
  }
  return letters;
}

function classify(code: number): number {
  const letters = lettersOf(code);
  return letters.length === 0 ? NONE : letters.length > 1 ? SEVERAL : letters.charCodeAt(0);
}

function lettersOf(codePoint: number): string {
  const character = String.fromCodePoint(codePoint);
  return asSeen(fold(character.normalize("NFKD"))).replace(/[^\p{L}]/gu, "");
}
