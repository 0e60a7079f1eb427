import { rotated } from "./guard-encodings.ts";
import { lettersIn } from "./canary-letters.ts";

// Consonants alone: such a run of them stands in no text by chance.
const LETTERS = "bcdfghjkmpqrtvwx";
const LENGTH = 16;

/** A word that nobody can guess, for one turn's system prompt: an answer that has it quotes the prompt. */
export function createCanary(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(LENGTH)), (byte) => LETTERS[byte % 16]).join("");
}

/** The letters of a canary as an answer may have them: as it is, backwards, in rot13 and in base64. */
export function canaryForms(canary: string): string {
  const capitals = canary.toUpperCase();
  const encoded = [canary, capitals].flatMap((word) =>
    // Base64 looks different at each of three alignments; its first and last letters depend on what stands beside.
    ["", "_", "__"].map((before) => btoa(`${before}${word}`).slice(before === "" ? 0 : 4, -4))
  );
  return [canary, reversed(canary), rotated(canary), ...encoded.map(lettersIn)].join(" ");
}

function reversed(text: string): string {
  return [...text].reverse().join("");
}
