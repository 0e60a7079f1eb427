/** A small fast generator of pseudo-random numbers (mulberry32), so that every run has the same data. */
export function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Values with mean 0 and variance 1, cheap and close enough to normal: the sum of four uniform ones. */
export function noise(next: () => number, length: number): Float32Array {
  const values = new Float32Array(length);
  for (let index = 0; index < length; index++) {
    values[index] = (next() + next() + next() + next() - 2) * 1.7320508;
  }
  return values;
}

/** The weighted sum of vectors of one length. */
export function blend(parts: readonly (readonly [number, Float32Array])[]): Float32Array {
  const sum = new Float32Array(parts[0]![1].length);
  for (const [weight, part] of parts) {
    for (let index = 0; index < sum.length; index++) sum[index]! += weight * part[index]!;
  }
  return sum;
}

/** A vector as pgvector reads it; whole numbers, because cosine distance does not know a vector's length. */
export function vectorText(vector: Float32Array): string {
  const whole = new Int16Array(vector.length);
  for (let index = 0; index < vector.length; index++) whole[index] = Math.round(vector[index]! * 200);
  return `[${whole.join(",")}]`;
}

const stopWords = "the of and to in a is that was for on with as by it from at be are his".split(" ");

/**
 * Makes the texts of a document after another: made-up words whose frequencies follow Zipf's law, two fifths of
 * the words stop words, and a sixth drawn from the document's own subject. That is 60 different stems in 125
 * words, as in English encyclopaedia text.
 */
export function writer(next: () => number, vocabularySize = 30_000): () => (words: number) => string {
  const draw = zipf(next, vocabularySize);
  return () => {
    const subject = Array.from({ length: 60 }, draw);
    const word = () => {
      const kind = next();
      if (kind < 0.4) return stopWords[Math.floor(next() * stopWords.length)]!;
      return kind < 0.55 ? subject[Math.floor(next() * next() * subject.length)]! : draw();
    };
    return (words) => Array.from({ length: words }, word).join(" ");
  };
}

function zipf(next: () => number, size: number): () => string {
  const consonants = "bcdfglmnprstv", vowels = "aeiou";
  const syllable = () => consonants[Math.floor(next() * 13)]! + vowels[Math.floor(next() * 5)]!;
  const words = Array.from(
    { length: size },
    () => Array.from({ length: 2 + Math.floor(next() * 3) }, syllable).join(""),
  );
  const upTo = new Float64Array(size);
  let total = 0;
  for (let rank = 0; rank < size; rank++) upTo[rank] = total += 1 / (rank + 2.7);
  return () => {
    const wanted = next() * total;
    let low = 0, high = size - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (upTo[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return words[low]!;
  };
}
