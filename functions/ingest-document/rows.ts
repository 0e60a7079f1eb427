import { unreadable } from "./decode.ts";

// Names are repeated with each value, so a small file could become a text of gigabytes.
const LONGEST_TEXT = 12_000_000;
const LONGEST_NAME = 100;

/** Lines of a text, together at most 12 million characters. */
export class Lines {
  #text = "";
  #isSeparate = true;

  add(line: string): void {
    checkLength(this.#text.length + line.length);
    this.#text += `${line}\n`;
    this.#isSeparate = false;
  }

  /** Adds an empty line, unless one stands there. */
  separate(): void {
    if (!this.#isSeparate) this.add("");
    this.#isSeparate = true;
  }

  /** All of them, without line breaks around. */
  text(): string {
    return this.#text.trim();
  }
}

/** Refuses a text that becomes too long. */
export function checkLength(length: number): void {
  if (length > LONGEST_TEXT) throw unreadable(`it has more than ${LONGEST_TEXT} characters as text`);
}

/** A row of a table as a line, "Name: Chair; Price: 49"; cells without a name stand alone. */
export function rowLine(row: string[], names: string[]): string {
  let line = "";
  for (const [column, value] of row.entries()) {
    if (value === "") continue;
    const name = names[column] ?? "";
    line += (line === "" ? "" : "; ") +
      (name === "" || name.length > LONGEST_NAME ? value : `${name}: ${value}`);
  }
  return line;
}
