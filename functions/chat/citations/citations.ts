import { MarkerFilter } from "./markers.ts";
import { bestQuote } from "./quote.ts";

/** A chunk retrieved for this turn, as an answer may cite it. */
export interface CitableChunk {
  document_id: string;
  title: string;
  source: string | null;
  heading: string | null;
  chunk_index: number;
  content: string;
  similarity: number | null;
}

/** One of an answer's `citations[]`, as the HTTP contract has it. */
export interface Citation {
  /** The `n` of the marker `[n]`. */
  marker: number;
  document_id: string;
  title: string;
  source: string | null;
  heading: string | null;
  chunk_index: number;
  /** An exact substring of the stored chunk. */
  quote: string;
  similarity: number | null;
}

/** What may be sent on: text first, then the citations that are now complete. */
export interface Filtered {
  text: string;
  citations: Citation[];
}

/**
 * Turns the model's text into the text and the citations that may be sent: every `[n]` that leaves names chunk `n` of
 * this turn, counted from 1. A citation is complete when the sentence that carries its marker is, since the quote
 * is chosen for that sentence.
 */
export class CitedText {
  /** What was cited so far, one entry for each marker, in order of first mention. */
  readonly citations: Citation[] = [];
  readonly #chunks: readonly CitableChunk[];
  readonly #question: string;
  readonly #filter: MarkerFilter;
  readonly #waiting = new Set<number>();
  #sentence = "";
  #previous = "";
  #text = "";

  constructor(chunks: readonly CitableChunk[], question = "") {
    this.#chunks = chunks;
    this.#question = question;
    this.#filter = new MarkerFilter(chunks.length, {
      text: (text) => this.#read(text),
      marker: (n) => this.#mark(n),
    });
  }

  /** Takes a piece of the model's text. */
  push(text: string): Filtered {
    const known = this.citations.length;
    this.#filter.push(text);
    return this.#take(known);
  }

  /** Releases what was held back, and the citations of the last sentence. */
  end(): Filtered {
    const known = this.citations.length;
    this.#filter.end();
    this.#endSentence();
    return this.#take(known);
  }

  #read(text: string): void {
    this.#text += text;
    for (const character of text) {
      const isEnd = character === "\n" ||
        (/\s/.test(character) && /[.!?…]["»”’)]*$/.test(this.#sentence.slice(-4)));
      if (isEnd) this.#endSentence();
      else this.#sentence += character;
    }
  }

  #mark(n: number): void {
    this.#text += `[${n}]`;
    if (this.#waiting.has(n) || this.citations.some((citation) => citation.marker === n)) return;
    // "Refunds take 30 days. [1]": no word yet, so the marker belongs to the sentence before it.
    if (/[\p{L}\p{N}]/u.test(this.#sentence)) this.#waiting.add(n);
    else this.#cite(n, this.#previous);
  }

  #endSentence(): void {
    if (!/[\p{L}\p{N}]/u.test(this.#sentence)) {
      this.#sentence = "";
      return;
    }
    for (const n of this.#waiting) this.#cite(n, this.#sentence);
    this.#waiting.clear();
    this.#previous = this.#sentence;
    this.#sentence = "";
  }

  #cite(n: number, claim: string): void {
    const chunk = this.#chunks[n - 1];
    if (!chunk) throw new RangeError(`Cannot cite chunk ${n}: ${this.#chunks.length} were retrieved`);
    const { document_id, title, source, heading, chunk_index, content, similarity } = chunk;
    const quote = bestQuote(content, claim, this.#question);
    this.citations.push({
      marker: n,
      document_id,
      title,
      source,
      heading,
      chunk_index,
      quote,
      similarity,
    });
  }

  #take(known: number): Filtered {
    const text = this.#text;
    this.#text = "";
    return { text, citations: this.citations.slice(known) };
  }
}
