import { cleanText, decodeText, unreadable } from "./decode.ts";
import { csvText } from "./csv.ts";
import { htmlText } from "./html.ts";
import { jsonText } from "./json-text.ts";
import { markdownHeadings } from "./markdown.ts";
import { docx, type MediaType } from "./media-type.ts";
import type { PdfDocument } from "./pdf.ts";
import type { TextSource } from "./sections.ts";

/** What was read from a document: one text, or pages to be read one by one. */
export type Extraction = { kind: "text"; source: TextSource } | { kind: "pages"; document: PdfDocument };

/**
 * Reads a document of a known type. Throws a problem `validation_failed` that says what is wrong with it: broken,
 * encrypted, too large unpacked, no text in it.
 */
export async function extract(bytes: Uint8Array, type: MediaType): Promise<Extraction> {
  // The PDF and Word readers are large, and most documents need neither.
  if (type === "application/pdf") {
    return { kind: "pages", document: await (await import("./pdf.ts")).openPdf(bytes) };
  }
  const source = type === docx ? await (await import("./docx.ts")).docxText(bytes) : textSource(bytes, type);
  if (source.text.trim() === "") throw unreadable("it has no text");
  return { kind: "text", source };
}

function textSource(bytes: Uint8Array, type: MediaType): TextSource {
  if (type === "application/json") return plain(jsonText(cleanText(decodeText(bytes))));
  if (type === "text/html") {
    return htmlText(decodeText(bytes, { declared: charsetOf(bytes), isLegacyAllowed: true }));
  }
  const text = cleanText(decodeText(bytes, { isLegacyAllowed: true }));
  if (type === "text/csv") return plain(csvText(text));
  return type === "text/markdown" ? { text, headings: markdownHeadings(text) } : plain(text);
}

function plain(text: string): TextSource {
  return { text, headings: [] };
}

/** The encoding an HTML page names in its first kilobyte. */
function charsetOf(bytes: Uint8Array): string | null {
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 1024));
  return /<meta[^>]+charset\s*=\s*["']?([\w:.-]+)/i.exec(head)?.[1] ?? null;
}
