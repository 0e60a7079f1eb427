import { unreadable } from "./decode.ts";
import { Lines } from "./rows.ts";

const DEEPEST = 100, LONGEST_PATH = 200;

/**
 * A JSON text as lines of path and value, "products[0].name: Chair", so that a value says what it is wherever the text
 * is cut; the elements of a list of objects stand apart like paragraphs. Empty values are left out.
 */
export function jsonText(json: string): string {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw unreadable(`it is not valid JSON (${(error as Error).message.slice(0, 200)})`);
  }
  const lines = new Lines();
  addLines(value, "", 0, lines);
  const text = lines.text();
  // JSON can name by escapes what no stored text may hold.
  if (text.includes("\0")) throw unreadable("it contains NUL characters");
  if (!text.isWellFormed()) throw unreadable("it contains a half of a surrogate pair");
  return text.normalize("NFC");
}

function addLines(value: unknown, path: string, depth: number, lines: Lines): void {
  if (depth > DEEPEST) throw unreadable(`it is nested deeper than ${DEEPEST}`);
  if (Array.isArray(value)) {
    value.forEach((element, index) => {
      if (typeof element === "object" && element !== null) lines.separate();
      addLines(element, `${path}[${index}]`, depth + 1, lines);
    });
  } else if (typeof value === "object" && value !== null) {
    for (const [key, member] of Object.entries(value)) {
      addLines(member, path === "" ? key : `${path}.${key}`, depth + 1, lines);
    }
  } else if (value !== null && value !== "") {
    lines.add(path === "" ? String(value) : `${nearest(path)}: ${value}`);
  }
}

/** The end of a long path, which says more than its beginning. */
function nearest(path: string): string {
  if (path.length <= LONGEST_PATH) return path;
  const end = path.slice(-LONGEST_PATH);
  const cut = end.search(/[.[]/);
  return `…${cut < 0 ? end.replace(/^[\uDC00-\uDFFF]/, "") : end.slice(cut)}`;
}
