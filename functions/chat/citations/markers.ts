/** Receives what the filter lets through, in order. */
export interface MarkerSink {
  text(text: string): void;
  /** A marker that resolves; the sink writes it. */
  marker(n: number): void;
}

// What may stand between the brackets of a marker. Models also write [1, 2], which leaves as [1][2].
const WITHIN = /[\d ,;]/;
const NUMBERS = /^\[ *\d+(?: *[,;] *\d+)* *\]$/;
const LONGEST_MARKER = 40;
// An emitted text whose end could be completed to a marker by what follows.
const OPEN_TAIL = /\[[\d ,;]*$/;

/**
 * Passes an answer's text on, character by character, so that the result does not depend on how the text was cut.
 * Markers that name none of the `known` chunks (1 to `known`) are removed, with the space that becomes too much; a
 * beginning that could still become a marker is held back. A bracketed number inside `code` is code, no marker.
 */
export class MarkerFilter {
  readonly #known: number;
  readonly #sink: MarkerSink;
  readonly #code = new CodeSpans();
  #candidate = "";
  #spaces = "";
  // Set after a removed marker: the spaces before it, needed again when a word follows without any.
  #removedAfter: string | null = null;
  #tail = "";

  constructor(known: number, sink: MarkerSink) {
    this.#known = known;
    this.#sink = sink;
  }

  /** Takes the next piece of the text. */
  push(text: string): void {
    for (const character of text) this.#take(character);
  }

  /** Releases what was held back at the end of the text. */
  end(): void {
    this.#release();
    if (this.#removedAfter === null) this.#write(this.#spaces);
    this.#spaces = "";
  }

  #take(character: string): void {
    if (this.#candidate !== "") {
      if (character === "]") return this.#close();
      if (WITHIN.test(character) && this.#candidate.length < LONGEST_MARKER) {
        this.#candidate += character;
        return;
      }
      this.#release();
    }
    const isCode = this.#code.take(character);
    if (character === "[" && !isCode) {
      this.#candidate = character;
    } else if (character === " ") {
      this.#spaces += character;
    } else {
      this.#writeSpaces(character);
      this.#write(character);
    }
  }

  /** The brackets are complete: a marker that resolves, one that does not, or no marker at all, such as `[]`. */
  #close(): void {
    this.#candidate += "]";
    if (!NUMBERS.test(this.#candidate)) return this.#release();
    const named = new Set(this.#candidate.match(/\d+/g)?.map(Number));
    const resolved = [...named].filter((n) => n >= 1 && n <= this.#known);
    this.#candidate = "";
    if (resolved.length === 0) return this.#remove();
    this.#writeSpaces("[");
    for (const n of resolved) this.#sink.marker(n);
    this.#tail = "]";
  }

  #remove(): void {
    this.#removedAfter ||= this.#spaces;
    this.#spaces = "";
    // "[1[9]2]" without its inner marker would read "[12]", a marker that nobody checked.
    if (OPEN_TAIL.test(this.#tail)) this.#write(" ");
  }

  /** The candidate turned out to be plain text. */
  #release(): void {
    if (this.#candidate === "") return;
    this.#writeSpaces("[");
    const text = this.#candidate.trimEnd();
    this.#spaces = this.#candidate.slice(text.length);
    this.#candidate = "";
    this.#write(text);
  }

  /** Writes the held spaces before `next`; around a removed marker only as many as the text still needs. */
  #writeSpaces(next: string): void {
    const before = this.#removedAfter;
    const after = this.#spaces;
    this.#removedAfter = null;
    this.#spaces = "";
    if (before === null) return this.#write(after);
    if (this.#tail === "" || /[\r\n]/.test(next)) return;
    this.#write(after === "" && !/[.,;:!?…)\]»]/.test(next) ? before : after);
  }

  #write(text: string): void {
    if (text === "") return;
    this.#tail = (this.#tail + text).slice(-LONGEST_MARKER);
    this.#sink.text(text);
  }
}

/** A text without any marker, such as an earlier answer whose numbers mean nothing in this turn. */
export function withoutMarkers(text: string): string {
  let plain = "";
  const filter = new MarkerFilter(0, { text: (piece) => plain += piece, marker: () => {} });
  filter.push(text);
  filter.end();
  return plain;
}

/**
 * A passage whose bracketed numbers cannot be taken for markers of an answer that quotes it: "[2]" becomes "(2)". In code
 * they stay, since an answer's code has no markers.
 */
export function withoutBracketedNumbers(text: string): string {
  return text.replace(
    /`+[^`]*`+|\[ *\d+(?: *[,;] *\d+)* *\]/g,
    (found) => found.startsWith("`") ? found : `(${found.slice(1, -1)})`,
  );
}

/** Knows whether a character stands in a Markdown code span or fence; a span left open ends with its line. */
class CodeSpans {
  #open = 0;
  #ticks = 0;

  take(character: string): boolean {
    if (character === "`") {
      this.#ticks++;
      return true;
    }
    if (this.#ticks > 0) {
      if (this.#open === 0) this.#open = this.#ticks;
      else if (this.#ticks >= this.#open) this.#open = 0;
      this.#ticks = 0;
    }
    if (character === "\n" && this.#open < 3) this.#open = 0;
    return this.#open > 0;
  }
}
