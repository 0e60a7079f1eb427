import { cleanText, oneLine } from "./decode.ts";
import { checkLength } from "./rows.ts";
import type { Heading, TextSource } from "./sections.ts";

/** Puts a text together from paragraphs, lines, headings and code, and knows where each heading stands. */
export class TextBuilder {
  #text = "";
  readonly #headings: Heading[] = [];
  #line = "";
  #prefix = "";
  // Line breaks due before the next line.
  #gap = 0;
  #level = 0;
  #isCode = false;

  /** Adds text; white space is one space, except in code. */
  text(text: string): void {
    this.#line += text;
  }

  /** Ends the line. */
  lineBreak(): void {
    if (this.#isCode) this.#line += "\n";
    else if (this.#level > 0) this.#line += " ";
    // A paragraph that opens an item stays on the item's line.
    else if (this.#prefix === "" || this.#line.trim() !== "") this.#flush(1);
  }

  /** Begins a line with a prefix, "- " of a list item. */
  line(prefix: string): void {
    this.#flush(1);
    this.#prefix = prefix;
  }

  /** Ends the paragraph. */
  paragraph(): void {
    this.#flush(2);
  }

  /** Adds lines that belong together, such as the rows of a table. */
  lines(lines: Iterable<string>): void {
    this.#flush(2);
    for (const line of lines) {
      this.#line = line;
      this.#flush(1);
    }
    this.#gap = 2;
  }

  /** The text up to the end of the paragraph is a heading. */
  openHeading(level: number): void {
    this.#flush(2);
    this.#level = level;
  }

  /** The text up to `closeCode` keeps its white space. */
  openCode(): void {
    this.#flush(2);
    this.#isCode = true;
  }

  /** Ends the code, which stands between fences: what cuts the text keeps it whole. */
  closeCode(): void {
    if (!this.#isCode) return;
    this.#isCode = false;
    const code = cleanText(this.#line).replace(/^\n+|\s+$/g, "");
    this.#line = "";
    if (code === "") return;
    const longest = Math.max(2, ...[...code.matchAll(/`+/g)].map(([run]) => run.length));
    const fence = "`".repeat(longest + 1);
    this.#add(`${fence}\n${code}\n${fence}`, 2);
  }

  /** The text with its headings. */
  finish(): TextSource {
    this.closeCode();
    this.#flush(2);
    return { text: this.#text, headings: this.#headings };
  }

  #flush(gap: number): void {
    if (this.#isCode) return this.closeCode();
    const line = oneLine(cleanText(this.#line));
    const prefix = this.#prefix, level = this.#level;
    this.#line = this.#prefix = "";
    this.#level = 0;
    if (line === "") {
      this.#gap = Math.max(this.#gap, this.#text === "" ? 0 : gap);
      return;
    }
    const start = this.#add(prefix + line, gap);
    if (level > 0) this.#headings.push({ start, end: this.#text.length, level, title: line });
  }

  #add(piece: string, gap: number): number {
    checkLength(this.#text.length + piece.length);
    this.#text += (this.#text === "" ? "" : "\n".repeat(Math.max(1, this.#gap))) + piece;
    this.#gap = gap;
    return this.#text.length - piece.length;
  }
}
