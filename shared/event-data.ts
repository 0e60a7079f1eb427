// An event of a language model has some hundred bytes; whoever sends so much without an end sends something else.
const MOST_CHARACTERS = 1 << 22;

/**
 * Reads the `data` of server-sent events out of a text that comes in pieces, however it was cut (WHATWG HTML, 9.2.6).
 * Other fields are skipped; an event that the end cuts off is dropped, as the standard says.
 */
export class EventData {
  #rest = "";
  #data: string | null = null;

  /** Takes the next piece and returns the data of the events that it completes. */
  push(piece: string): string[] {
    // Looked through only when a line ends in it: else a long line in small pieces would be looked through again and again.
    const endsLine = /[\r\n]/.test(piece) || this.#rest.endsWith("\r");
    this.#rest += piece;
    const events = endsLine ? this.#lines(this.#rest) : [];
    if (this.#rest.length + (this.#data?.length ?? 0) > MOST_CHARACTERS) {
      throw new RangeError(`Cannot read the events: one has more than ${MOST_CHARACTERS} characters`);
    }
    return events;
  }

  #lines(text: string): string[] {
    const events: string[] = [];
    const hasCr = text.includes("\r");
    let start = 0;
    for (let end = lineEnd(text, start, hasCr); end !== -1; end = lineEnd(text, start, hasCr)) {
      this.#line(text, start, end, events);
      start = end + (text.charCodeAt(end) === CR && text.charCodeAt(end + 1) === LF ? 2 : 1);
    }
    this.#rest = text.slice(start);
    return events;
  }

  #line(text: string, start: number, end: number, events: string[]): void {
    if (start === end) {
      if (this.#data !== null) events.push(this.#data);
      this.#data = null;
    } else if (text.startsWith("data", start)) {
      const colon = start + 4;
      if (colon < end && text.charCodeAt(colon) !== COLON) return;
      const from = text.charCodeAt(colon + 1) === SPACE ? colon + 2 : colon + 1;
      const value = text.slice(Math.min(from, end), end);
      this.#data = this.#data === null ? value : `${this.#data}\n${value}`;
    }
  }
}

const LF = 10, CR = 13, SPACE = 32, COLON = 58;

/** Where the line from `start` ends, or -1; a CR at the very end may be half of a CRLF, so it waits for what follows. */
function lineEnd(text: string, start: number, hasCr: boolean): number {
  const lf = text.indexOf("\n", start);
  const cr = hasCr ? text.indexOf("\r", start) : -1;
  if (cr === -1 || (lf !== -1 && lf < cr)) return lf;
  return cr === text.length - 1 ? -1 : cr;
}
