import type { Heading } from "./sections.ts";

const fence = /^ {0,3}(`{3,}|~{3,})/;
const hashes = /^ {0,3}(#{1,6})(?:[ \t]|$)/;
const underline = /^ {0,3}(=+|-+)[ \t]*$/;
// A line that begins a list, quote or table, or is code, is no title for an underline below it.
const noTitle = /^(?:\s*$| {0,3}(?:[-*+>|#]|\d+[.)])|\t| {4})/;

/** The headings of a Markdown text: `# …`, and lines underlined with `===` or `---`; not those in code or front matter. */
export function markdownHeadings(text: string): Heading[] {
  const headings: Heading[] = [];
  let open = "", previous = { start: 0, line: "" };
  for (let start = afterFrontMatter(text); start < text.length;) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(start, end);
    const mark = fence.exec(line)?.[1] ?? "";
    if (open !== "") {
      if (mark.startsWith(open) && line.trim() === mark) open = "";
    } else if (mark !== "") {
      open = mark;
    } else {
      const atx = hashes.exec(line), under = underline.exec(line);
      if (atx) {
        headings.push({
          start,
          end,
          level: atx[1]!.length,
          title: plainTitle(line.slice(atx[0].length).trim().replace(/(?:^|[ \t])#+$/, "")),
        });
      } else if (under && !noTitle.test(previous.line)) {
        const level = under[1]!.startsWith("=") ? 1 : 2;
        headings.push({ start: previous.start, end, level, title: plainTitle(previous.line) });
      }
    }
    previous = { start, line: mark === "" && open === "" ? line : "" };
    start = end + 1;
  }
  return headings;
}

function afterFrontMatter(text: string): number {
  return /^---[ \t]*\n(?:.*\n)*?---[ \t]*(?:\n|$)/.exec(text.slice(0, 20_000))?.[0].length ?? 0;
}

/** A title without the marks of Markdown: emphasis, code, links, anchors. */
function plainTitle(title: string): string {
  // The expressions below take the square of the length in the worst case.
  return title.slice(0, 1000)
    .replace(/\s*\{#[^}]*\}\s*$/, "")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/<[^>]+>/g, "")
    .replace(/(\*\*|__|`+)(.+?)\1/g, "$2")
    .replace(/(^|\s)([*_])(\S(?:.*?\S)?)\2(?=\W|$)/g, "$1$3")
    .trim();
}
