import { cleanText } from "./decode.ts";
import type { Heading } from "./sections.ts";

/** The text of one page with its headings. */
export interface PageText {
  text: string;
  headings: Heading[];
}

interface TextItem {
  str: string;
  /** The last two are x and y, from the lower left corner. */
  transform: number[];
  width: number;
  height: number;
  hasEOL: boolean;
}

interface Line {
  text: string;
  /** The height of most of its characters. */
  size: number;
  y: number;
  right: number;
}

/** Puts a page together from the pieces a PDF has: lines to paragraphs, larger letters to headings. */
export function pageText(items: readonly object[]): PageText {
  const lines = withoutPageNumbers(linesOf(items.filter(isText)));
  const body = bodySize(lines), right = Math.max(0, ...lines.map((line) => line.right));
  let text = "";
  const headings: Heading[] = [];
  for (const [index, line] of lines.entries()) {
    const level = headingLevel(line, body);
    const previous = lines[index - 1];
    if (previous) {
      text = joined(text, previous, { line, isApart: level > 0 || isHeading(previous, body), right });
    }
    const open = headings.at(-1);
    // A long title goes on in the next line.
    if (level > 0 && open && open.level === level && open.end === text.length - 1 && !text.endsWith("\n\n")) {
      text += line.text;
      open.end = text.length;
      open.title = text.slice(open.start).replace(/\s+/g, " ");
    } else {
      if (level > 0) {
        headings.push({ start: text.length, end: text.length + line.text.length, level, title: line.text });
      }
      text += line.text;
    }
  }
  return { text, headings };
}

function isText(item: object): item is TextItem {
  return "str" in item;
}

// The dots between a title and its page in a table of contents.
const leaders = /(?: ?\.){5,}/g;

function linesOf(items: TextItem[]): Line[] {
  const lines: Line[] = [];
  let text = "", y = 0, right = 0;
  let sizes = new Map<number, number>();
  const end = () => {
    const line = cleanText(text.replaceAll("\0", "").toWellFormed()).replace(/\s+/g, " ").replace(
      leaders,
      " …",
    ).trim();
    if (line !== "") lines.push({ text: line, size: mostFrequent(sizes), y, right });
    text = "";
    right = 0;
    sizes = new Map();
  };
  for (const { str, transform, width, height, hasEOL } of items) {
    const [x = 0, itemY = 0] = transform.slice(4);
    if (str.trim() !== "") {
      const size = Math.round((height || Math.abs(transform[3] ?? 0)) * 2) / 2;
      sizes.set(size, (sizes.get(size) ?? 0) + str.length);
      y = itemY;
      right = Math.max(right, x + width);
    }
    text += str;
    if (hasEOL) end();
  }
  end();
  return lines;
}

function mostFrequent(counts: Map<number, number>): number {
  return [...counts].reduce((best, next) => next[1] > best[1] ? next : best, [0, 0])[0];
}

/** A number alone in the first or last line counts pages. */
function withoutPageNumbers(lines: Line[]): Line[] {
  const isNumber = (line: Line) =>
    /^(?:page\s*)?[-–]?\s*\d{1,4}\s*[-–]?(?:\s*(?:\/|of|sur|de|von)\s*\d{1,4})?$/i.test(line.text);
  return lines.filter((line, index) => (index > 0 && index < lines.length - 1) || !isNumber(line));
}

// A page with hardly any text is a title page: its letters say nothing about those of the others.
const USUAL_SIZE = 11, LEAST_TEXT = 200;

function bodySize(lines: Line[]): number {
  const counts = new Map<number, number>();
  let length = 0;
  for (const { size, text } of lines) {
    counts.set(size, (counts.get(size) ?? 0) + text.length);
    length += text.length;
  }
  const size = mostFrequent(counts);
  return length >= LEAST_TEXT ? size : Math.min(size, USUAL_SIZE);
}

const LONGEST_HEADING = 120;

/** 1 to 3 by how much larger than the text it is; 0 for text. */
function headingLevel({ text, size }: Line, body: number): number {
  if (text.length > LONGEST_HEADING || text.includes(" …") || !/\p{L}{2}/u.test(text) || body === 0) return 0;
  return size >= 1.8 * body ? 1 : size >= 1.4 * body ? 2 : size >= 1.15 * body ? 3 : 0;
}

function isHeading(line: Line, body: number): boolean {
  return headingLevel(line, body) > 0;
}

const item = /^(?:[-–•●▪◦*]|\d{1,3}[.)]|[a-z]\))\s/;

/** The text with what stands between it and the next line. */
function joined(
  text: string,
  previous: Line,
  { line, isApart, right }: { line: Line; isApart: boolean; right: number },
): string {
  const gap = previous.y - line.y;
  if (isApart && line.size !== previous.size || Math.abs(gap) > 1.7 * Math.max(line.size, previous.size)) {
    return `${text}\n\n`;
  }
  if (isApart) return `${text}\n`;
  // A word that was hyphenated at the end of a full line.
  if (/^\p{Ll}-$/u.test(text.slice(-2)) && /^\p{Ll}/u.test(line.text)) return text.slice(0, -1);
  const isFull = previous.right >= 0.85 * right;
  return item.test(line.text) || !isFull ? `${text}\n` : `${text} `;
}
