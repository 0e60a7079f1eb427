import { unreadable } from "./decode.ts";

// Names are repeated with each value, so a small file could become a text of gigabytes.
const LONGEST_TEXT = 20_000_000;
const LONGEST_NAME = 100;

/** Lines of a text, together at most 20 million characters. */
export class Lines {
  readonly #lines: string[] = [];
  #length = 0;

  add(line: string): void {
    this.#length += line.length + 1;
    if (this.#length > LONGEST_TEXT) throw unreadable(`it has more than ${LONGEST_TEXT} characters as text`);
    this.#lines.push(line);
  }

  /** Adds an empty line, unless one stands there. */
  separate(): void {
    if (this.#lines.length > 0 && this.#lines.at(-1) !== "") this.add("");
  }

  all(): string[] {
    return this.#lines;
  }
}

/** The rows of a table as lines, "Name: Chair; Price: 49"; cells without a name stand alone. */
export function rowLines(rows: string[][], names: string[]): string[] {
  const lines = new Lines();
  for (const row of rows) {
    const cells = row.map((value, column) => {
      const name = names[column] ?? "";
      return value === "" || name === "" || name.length > LONGEST_NAME ? value : `${name}: ${value}`;
    });
    lines.add(cells.filter((cell) => cell !== "").join("; "));
  }
  return lines.all();
}
