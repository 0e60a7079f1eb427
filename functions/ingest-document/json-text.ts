import { unreadable } from "./decode.ts";

const DEEPEST = 100;

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
  const lines: string[] = [];
  addLines(value, "", 0, lines);
  const text = lines.join("\n").trim();
  // JSON can name by escapes what no stored text may hold.
  if (text.includes("\0")) throw unreadable("it contains NUL characters");
  if (!text.isWellFormed()) throw unreadable("it contains a half of a surrogate pair");
  return text.normalize("NFC");
}

function addLines(value: unknown, path: string, depth: number, lines: string[]): void {
  if (depth > DEEPEST) throw unreadable(`it is nested deeper than ${DEEPEST}`);
  if (Array.isArray(value)) {
    value.forEach((element, index) => {
      if (typeof element === "object" && element !== null && lines.length > 0 && lines.at(-1) !== "") {
        lines.push("");
      }
      addLines(element, `${path}[${index}]`, depth + 1, lines);
    });
  } else if (typeof value === "object" && value !== null) {
    for (const [key, member] of Object.entries(value)) {
      addLines(member, path === "" ? key : `${path}.${key}`, depth + 1, lines);
    }
  } else if (value !== null && value !== "") {
    lines.push(path === "" ? String(value) : `${path}: ${value}`);
  }
}
