import { Parser } from "htmlparser2";
import { cleanText, oneLine, unreadable } from "./decode.ts";
import { checkLength, rowLine } from "./rows.ts";
import type { TextSource } from "./sections.ts";
import { TextBuilder } from "./text-builder.ts";

// What is no text of the page, with all that is inside.
const dropped = new Set(
  "head script style noscript template iframe object embed svg canvas audio video map nav select button textarea dialog"
    .split(" "),
);
const blocks = new Set(
  "address article aside blockquote body center details div dl fieldset figure footer form header hr main p section"
    .split(" "),
);
const lines = new Set("br caption dd dt figcaption legend summary".split(" "));
const headings = /^h([1-6])$/;
// The parser takes longer for each tag the more are open; pages of people have some dozens.
const DEEPEST = 1000;

/** The text of an HTML page with its headings, lists, tables and preformatted parts. */
export function htmlText(html: string): TextSource {
  const reader = new HtmlReader();
  const parser = new Parser(reader, { decodeEntities: true });
  parser.write(html);
  parser.end();
  return reader.finish();
}

/** Builds the text while the parser meets tags: no tree, so neither size nor depth of a page costs memory. */
class HtmlReader {
  readonly #builder = new TextBuilder();
  /** Tags that are open inside of a dropped one, itself included. */
  readonly #droppedTags: string[] = [];
  readonly #lists: { ordered: boolean; count: number }[] = [];
  readonly #tables: Table[] = [];
  #depth = 0;

  finish(): TextSource {
    while (this.#tables.length > 0) this.#closeTable();
    return this.#builder.finish();
  }

  ontext(text: string): void {
    if (this.#droppedTags.length > 0) return;
    const table = this.#tables.at(-1);
    if (table) table.text(text);
    else this.#builder.text(text);
  }

  onopentag(name: string, attributes: Record<string, string>): void {
    if (++this.#depth > DEEPEST) throw unreadable(`its tags are nested deeper than ${DEEPEST}`);
    const isHidden = "hidden" in attributes || attributes["aria-hidden"] === "true";
    if (this.#droppedTags.length > 0 || dropped.has(name) || isHidden) {
      if (!isVoid(name)) this.#droppedTags.push(name);
      return;
    }
    const table = this.#tables.at(-1);
    if (name === "table") this.#tables.push(new Table());
    else if (table) table.open(name);
    else if (lines.has(name)) this.#builder.lineBreak();
    else if (name === "pre") this.#builder.openCode();
    else if (name === "ol" || name === "ul") this.#openList(name === "ol");
    else if (name === "li") this.#openItem();
    else if (headings.test(name)) this.#builder.openHeading(Number(name[1]));
    else if (blocks.has(name)) this.#breakBlock();
  }

  onclosetag(name: string): void {
    this.#depth--;
    if (this.#droppedTags.length > 0) {
      const opened = this.#droppedTags.lastIndexOf(name);
      if (opened >= 0) this.#droppedTags.length = opened;
      return;
    }
    const table = this.#tables.at(-1);
    if (name === "table") this.#closeTable();
    else if (table) table.close(name);
    else if (name === "pre") this.#builder.closeCode();
    else if (name === "ol" || name === "ul") this.#closeList();
    else if (blocks.has(name) || headings.test(name)) this.#breakBlock();
    else if (lines.has(name) && name !== "br") this.#builder.lineBreak();
  }

  // The paragraphs of an item stand together.
  #breakBlock(): void {
    if (this.#lists.length > 0) this.#builder.lineBreak();
    else this.#builder.paragraph();
  }

  #openList(ordered: boolean): void {
    // A list within an item stands below it without a blank line.
    if (this.#lists.length === 0) this.#builder.paragraph();
    this.#lists.push({ ordered, count: 0 });
  }

  #closeList(): void {
    this.#lists.pop();
    this.#breakBlock();
  }

  #openItem(): void {
    const list = this.#lists.at(-1);
    if (list) list.count++;
    const indent = "  ".repeat(Math.min(8, Math.max(0, this.#lists.length - 1)));
    this.#builder.line(`${indent}${list?.ordered ? `${list.count}.` : "-"} `);
  }

  #closeTable(): void {
    const lines = this.#tables.pop()?.lines() ?? [];
    const outer = this.#tables.at(-1);
    if (outer) outer.text([...lines].join(" "));
    else this.#builder.lines(lines);
  }
}

function isVoid(name: string): boolean {
  return /^(?:area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)$/.test(name);
}

/** A table being read; its rows become lines as those of CSV files do, with the names of their columns. */
class Table {
  readonly #rows: { cells: string[]; isHeader: boolean }[] = [];

  text(text: string): void {
    const cells = this.#rows.at(-1)?.cells;
    if (cells && cells.length > 0) cells[cells.length - 1] += text;
    else if (text.trim() !== "") this.#rows.push({ cells: [text], isHeader: false });
  }

  open(name: string): void {
    if (name === "tr") this.#rows.push({ cells: [], isHeader: true });
    if (name === "td" || name === "th") {
      if (this.#rows.length === 0) this.#rows.push({ cells: [], isHeader: true });
      const row = this.#rows.at(-1)!;
      row.cells.push("");
      if (name === "td") row.isHeader = false;
    } else if (name !== "tr") this.#space(name);
  }

  close(name: string): void {
    this.#space(name);
  }

  // Two blocks in a cell are two words at least.
  #space(name: string): void {
    const cells = this.#rows.at(-1)?.cells;
    if (cells && cells.length > 0 && (blocks.has(name) || lines.has(name) || name === "li")) {
      cells[cells.length - 1] += " ";
    }
  }

  *lines(): Generator<string> {
    const rows = this.#rows.map(({ cells, isHeader }) => ({
      isHeader,
      cells: cells.map((cell) => oneLine(cleanText(cell))),
    })).filter(({ cells }) => cells.some((cell) => cell !== ""));
    const names = rows.length > 1 && rows[0]!.isHeader ? rows.shift()!.cells : [];
    let length = 0;
    for (const { cells } of rows) {
      const line = rowLine(cells, names);
      checkLength(length += line.length);
      yield line;
    }
  }
}
