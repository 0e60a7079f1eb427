import { wordWeight } from "./stop-words.ts";
import { eachWord, fold, hashPair } from "./words.ts";

/** The dimensions of a vector of the offline embedder. */
export const LOCAL_DIMENSIONS = 384;

const SIZE = LOCAL_DIMENSIONS;
const PREFIX = 5;
const LONGEST_WORD = 24;
// A word is its n-grams, and with half of their square its beginning: what is measured at both stays best so.
const GRAMS = 16, BEGINNING = 11;
// An n-gram touches an eighth of the dimensions, since a word has a dozen of them; the word itself touches all.
const TOUCHED = SIZE / 8;
// Words of one step; the frequency of a word is damped within a step.
const STEP = 4096;

/**
 * The vector of a text as a pgvector text, from nothing but its letters: each word has a fixed random direction,
 * the sum of those of its 3- and 4-grams (typing errors and compounds meet) and of its first five letters (inflections
 * meet: "livrer", "livraison"), without accents, weighted by how much such a word tells and by 1 + ln(frequency).
 * Components are odd integers: short as text, and never zero, so that each says something when only its sign is kept.
 */
export function embedLocally(text: string): string {
  const sum = new Float32Array(SIZE);
  let words = 0;
  const count = (start: number, end: number) => {
    if (words++ === STEP) words = addWords(sum);
    const slot = slotOf(text, start, end);
    if (frequencies[slot]!++ === 0) counted.push(slot);
  };
  eachWord(text, (start, end) => {
    for (let at = start; at < end; at += LONGEST_WORD) count(at, Math.min(end, at + LONGEST_WORD));
  });
  // Signs alone ("!!!", "€") are one word.
  if (words === 0) count(0, Math.min(text.length, LONGEST_WORD));
  addWords(sum);
  return quantize(sum);
}

/** Adds what was counted and forgets it. */
function addWords(sum: Float32Array): 0 {
  let heaviest = 0;
  for (const slot of counted) heaviest = Math.max(heaviest, weights[slot]!);
  for (const slot of counted) {
    // Function words count only where there is nothing else: "to be or not to be".
    if (weights[slot]! >= 0.1 || heaviest < 0.1) {
      addDirection(sum, slot, weights[slot]! * (1 + Math.log(frequencies[slot]!)));
    }
    frequencies[slot] = 0;
  }
  counted.length = 0;
  if (slots.size > SLOTS - STEP) {
    slots.clear();
    spelled.fill(0);
  }
  return 0;
}

function addDirection(sum: Float32Array, slot: number, factor: number): void {
  const start = slot * SIZE;
  for (let n = 0; n < SIZE; n++) sum[n]! += factor * directions[start + n]!;
}

// Directions of the words met so far: a long text repeats its words, and adding is cheaper than hashing.
const SLOTS = 32_768;
const directions = new Int8Array(SLOTS * SIZE);
const weights = new Float32Array(SLOTS);
const slots = new Map<string, number>();
// The words of the text at hand: how often each, and which.
const frequencies = new Uint16Array(SLOTS);
const counted: number[] = [];

// Slot + 1 of the spellings met last, found by two hashes; 0 is an empty place.
const PLACES = 1 << 17;
const spelled = new Uint32Array(PLACES);
const checks = new Uint32Array(2 * PLACES);
const hashes = new Uint32Array(2);

function slotOf(text: string, start: number, end: number): number {
  hashPair(text, start, end, hashes);
  const place = hashes[0]! & PLACES - 1;
  const isKnown = checks[2 * place] === hashes[0] && checks[2 * place + 1] === hashes[1];
  if (isKnown && spelled[place] !== 0) return spelled[place]! - 1;
  const word = fold(text.slice(start, end));
  const slot = slots.get(word) ?? newSlot(word);
  checks[2 * place] = hashes[0]!;
  checks[2 * place + 1] = hashes[1]!;
  spelled[place] = slot + 1;
  return slot;
}

function newSlot(word: string): number {
  const slot = slots.size;
  slots.set(word, slot);
  weights[slot] = wordWeight(word);
  writeDirection(word, directions.subarray(slot * SIZE, (slot + 1) * SIZE));
  return slot;
}

// Written here without care for the range of 8 bits, which a sum of many n-grams may leave.
const draft = new Int32Array(SIZE);

function writeDirection(word: string, direction: Int8Array): void {
  draft.fill(0);
  addDense(hash("p", word, 0, Math.min(PREFIX, word.length)), BEGINNING);
  const marked = `<${word}>`;
  const grams = Math.max(0, marked.length - 2) + Math.max(0, marked.length - 3);
  const value = Math.round(GRAMS * Math.sqrt(SIZE / TOUCHED / grams));
  for (let at = 0; at + 3 <= marked.length; at++) {
    addSparse(hash("g", marked, at, at + 3), value);
    if (at + 4 <= marked.length) addSparse(hash("g", marked, at, at + 4), value);
  }
  for (let n = 0; n < SIZE; n++) direction[n] = Math.max(-127, Math.min(127, draft[n]!));
}

function addDense(seed: number, value: number): void {
  for (let n = 0; n < SIZE; n += 32) {
    seed = scramble(seed + n);
    for (let bit = 0; bit < 32; bit++) draft[n + bit]! += value - (seed >>> bit & 1) * 2 * value;
  }
}

/** Two places from each 32 random bits: 15 bits say where, one bit the sign. */
function addSparse(seed: number, value: number): void {
  for (let n = 0; n < TOUCHED; n += 2) {
    seed = scramble(seed + n);
    draft[(seed & 0x7fff) * SIZE >>> 15]! += value - (seed >>> 15 & 1) * 2 * value;
    draft[(seed >>> 16 & 0x7fff) * SIZE >>> 15]! += value - (seed >>> 31) * 2 * value;
  }
}

/** FNV-1a over `text[start..end]`, scrambled. */
function hash(kind: string, text: string, start: number, end: number): number {
  let value = Math.imul(0x811c9dc5 ^ kind.charCodeAt(0), 0x01000193);
  for (let at = start; at < end; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return scramble(value);
}

/** The finalizer of MurmurHash3: every bit of the input moves every bit of the output. */
function scramble(value: number): number {
  value = Math.imul(value ^ value >>> 16, 0x85ebca6b);
  value = Math.imul(value ^ value >>> 13, 0xc2b2ae35);
  return value ^ value >>> 16;
}

// Six steps to the standard deviation lose less than a hundredth of the cosine.
const DEVIATION = 6, LARGEST = 63;
const names = Array.from({ length: LARGEST + 1 }, (_, n) => String(2 * n - LARGEST));

function quantize(sum: Float32Array): string {
  let squares = 0;
  for (const value of sum) squares += value * value;
  const scale = squares > 0 ? DEVIATION / Math.sqrt(squares / SIZE) : 0;
  let text = "[";
  for (let n = 0; n < SIZE; n++) {
    // The odd integer below or above: its index among -63, -61, … 63.
    const index = Math.floor(sum[n]! * scale / 2) + (LARGEST + 1) / 2;
    text += (n > 0 ? "," : "") + names[Math.max(0, Math.min(LARGEST, index))];
  }
  return text + "]";
}
