import cl100k from "js-tiktoken/ranks/cl100k_base";

/** The ranks of a byte pair encoding's tokens, looked up in a buffer without making a string of each candidate. */
export interface Vocabulary {
  /** The rank of `bytes[start..end]`, -1 when it is no token. */
  rank(bytes: Uint8Array, start: number, end: number): number;
}

let read: Vocabulary | undefined;

/** OpenAI's `cl100k_base`; read on first use, so that a process that counts nothing does not pay for it. */
export function vocabulary(): Vocabulary {
  return read ??= readVocabulary();
}

// A third of the places is taken: 100,256 tokens.
const PLACES = 1 << 18;

/** In the package a line is `! <rank of the first> <base64> <base64> …`. */
function readVocabulary(): Vocabulary {
  const table = new HashTable();
  for (const line of cl100k.bpe_ranks.split("\n")) {
    const [, first = ""] = line.split(" ", 2);
    let rank = Number(first);
    decodeBase64(line.slice(first.length + 3), (bytes, start, end) => table.add(bytes, start, end, rank++));
  }
  return table;
}

/**
 * Open addressing with two hashes of 32 bits: one says where, the other whether. Strings as keys of a Map cost ten times
 * as much in the inner loop of the encoding.
 */
class HashTable implements Vocabulary {
  readonly #checks = new Uint32Array(PLACES);
  /** Rank + 1; 0 is an empty place. */
  readonly #ranks = new Uint32Array(PLACES);
  #check = 0;

  add(bytes: Uint8Array, start: number, end: number, rank: number): void {
    let place = this.#place(bytes, start, end);
    while (this.#ranks[place] !== 0) place = (place + 1) % PLACES;
    this.#checks[place] = this.#check;
    this.#ranks[place] = rank + 1;
  }

  rank(bytes: Uint8Array, start: number, end: number): number {
    let place = this.#place(bytes, start, end);
    while (this.#ranks[place] !== 0 && this.#checks[place] !== this.#check) place = (place + 1) % PLACES;
    return this.#ranks[place]! - 1;
  }

  /** FNV-1a for the place; the same bytes under another multiplier for the check. */
  #place(bytes: Uint8Array, start: number, end: number): number {
    let place = 0x811c9dc5, check = end - start;
    for (let at = start; at < end; at++) {
      place = Math.imul(place ^ bytes[at]!, 0x01000193);
      check = Math.imul(check ^ bytes[at]!, 0x5bd1e995) ^ check >>> 15;
    }
    this.#check = check >>> 0;
    return (place ^ place >>> 15) & PLACES - 1;
  }
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Decodes base64 words between spaces in one pass: 100,000 calls of `atob` would take 60 ms. */
function decodeBase64(words: string, visit: (bytes: Uint8Array, start: number, end: number) => void): void {
  const values = new Int8Array(128).fill(-1);
  for (let n = 0; n < 64; n++) values[ALPHABET.charCodeAt(n)] = n;
  const bytes = new Uint8Array(words.length);
  let start = 0, end = 0, bits = 0, held = 0;
  for (let at = 0; at <= words.length; at++) {
    const code = at < words.length ? words.charCodeAt(at) : 32;
    if (code === 32) {
      visit(bytes, start, end);
      start = end;
      bits = held = 0;
    } else if (values[code]! >= 0) {
      held = (held << 6 | values[code]!) & 0xffff;
      bits += 6;
      if (bits >= 8) bytes[end++] = held >> (bits -= 8);
    }
  }
}
