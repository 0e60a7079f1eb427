import { oneLine, unreadable } from "./decode.ts";
import { Lines, rowLine } from "./rows.ts";

/**
 * A table as text: each row with the names of its columns, "Name: Chair; Price: 49", so that a row says what it means
 * wherever the text is cut. Without a header row the cells alone.
 */
export function csvText(text: string): string {
  const { body, delimiter } = dialectOf(text);
  const lines = new Lines();
  let names: string[] | null = null;
  for (const cells of parseCsv(body, delimiter)) {
    const row = cells.map(oneLine);
    if (row.every((cell) => cell === "")) continue;
    if (names === null && isHeader(row)) names = row;
    else lines.add(rowLine(row, names ??= []));
  }
  // A header alone is all there is.
  return lines.text() || rowLine(names ?? [], []);
}

/**
 * The rows of a CSV text (RFC 4180): cells may be quoted, and then hold the delimiter, line breaks and doubled quotes.
 * A quote that never closes would make one cell of all that follows: it is refused, unless the text `isCut`.
 */
export function* parseCsv(
  text: string,
  delimiter: string,
  { isCut = false }: { isCut?: boolean } = {},
): Generator<string[]> {
  let row: string[] = [], at = 0;
  while (at < text.length) {
    let cell = "";
    if (text[at] === '"') {
      const quoted = quotedCell(text, at + 1);
      if (quoted === null && !isCut) throw unclosed(text, at);
      [cell, at] = quoted ?? [text.slice(at + 1), text.length];
    }
    // Characters behind a closing quote belong to the cell: nothing is lost of a sloppy file.
    const end = cellEnd(text, at, delimiter);
    row.push(cell + text.slice(at, end));
    at = end + 1;
    if (text[end] === delimiter) {
      if (at < text.length) continue;
      row.push("");
    }
    yield row;
    row = [];
  }
}

function unclosed(text: string, quote: number): Error {
  const line = text.slice(0, quote).split("\n").length;
  return unreadable(`the quote that opens in line ${line} of the table never closes`);
}

function quotedCell(text: string, start: number): [string, number] | null {
  let cell = "", from = start;
  while (true) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return null;
    if (text[quote + 1] !== '"') return [cell + text.slice(from, quote), quote + 1];
    cell += text.slice(from, quote + 1);
    from = quote + 2;
  }
}

function cellEnd(text: string, from: number, delimiter: string): number {
  for (let at = from; at < text.length; at++) if (text[at] === delimiter || text[at] === "\n") return at;
  return text.length;
}

const delimiters = [",", ";", "\t", "|"];

/** The delimiter: as Excel's first line `sep=;` says, else the one that cuts the first rows alike and most often. */
function dialectOf(text: string): { body: string; delimiter: string } {
  const named = /^sep=(.)\n/.exec(text);
  if (named) return { body: text.slice(named[0].length), delimiter: named[1]! };
  const head = text.slice(0, 10_000).split("\n").slice(0, 20).join("\n");
  const scores = delimiters.map((delimiter) => {
    const widths = [...parseCsv(head, delimiter, { isCut: true })].filter((row) => row.join("") !== "").map((
      row,
    ) => row.length);
    const alike = widths.filter((width) => width === widths[0]).length / widths.length;
    return (widths[0] ?? 1) > 1 ? alike * 100 + widths[0]! : 0;
  });
  return { body: text, delimiter: delimiters[scores.indexOf(Math.max(...scores))]! };
}

/** A header has a name for most columns, none twice, and no numbers. */
function isHeader(row: string[]): boolean {
  const names = row.filter((cell) => cell !== "");
  return names.length >= row.length / 2 && new Set(names).size === names.length &&
    names.every((name) => name.length <= 100 && !/^[-+\d.,\s€$%]+$/.test(name));
}
