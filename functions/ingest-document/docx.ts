import { Buffer } from "node:buffer";
import { type UnzipFileInfo, unzipSync, zipSync } from "fflate";
import mammoth from "mammoth";
import { unreadable } from "./decode.ts";
import { htmlText } from "./html.ts";
import type { TextSource } from "./sections.ts";

/** What a Word file may hold unpacked: its XML is read as a tree of thirty times its size, and a hosted call has 256 MB. */
export const MAX_ENTRIES = 2000, MAX_UNPACKED = 6 * 1024 * 1024;

// To Word a title is no heading; here it stands above all of them. Names of styles are English in every language.
const styleMap = [
  "p[style-name='Title'] => h1:fresh",
  ...[1, 2, 3, 4, 5].flatMap((level) =>
    ["heading", "Heading"].map((name) => `p[style-name='${name} ${level}'] => h${level + 1}:fresh`)
  ),
];

/** The text of a Word document with its headings, lists and tables. */
export async function docxText(bytes: Uint8Array): Promise<TextSource> {
  const entries = unpack(bytes);
  if (!entries["word/document.xml"] && !entries["word/document2.xml"]) {
    throw unreadable("it is no Word document (.docx)");
  }
  // Packed again without compression, so that mammoth unpacks nothing that was not measured.
  const buffer = Buffer.from(zipSync(entries, { level: 0 }));
  return htmlText(await toHtml(buffer));
}

async function toHtml(buffer: Buffer): Promise<string> {
  const options = { styleMap, convertImage: mammoth.images.imgElement(() => Promise.resolve({ src: "" })) };
  try {
    return (await mammoth.convertToHtml({ buffer }, options)).value;
  } catch {
    throw unreadable("the Word document is damaged");
  }
}

/** The text parts of the file, within the limits. Sizes are those of the zip directory, and what says less is cut there. */
function unpack(bytes: Uint8Array): Record<string, Uint8Array> {
  // An encrypted .docx, like an old .doc, is an OLE file.
  if (bytes[0] === 0xd0 && bytes[1] === 0xcf) throw unreadable("it is encrypted, or in the old format .doc");
  let count = 0, size = 0;
  const filter = ({ name, originalSize }: UnzipFileInfo) => {
    if (++count > MAX_ENTRIES) throw unreadable(`the Word document has more than ${MAX_ENTRIES} parts`);
    if (!/\.(?:xml|rels)$/.test(name)) return false;
    size += originalSize;
    if (size > MAX_UNPACKED) {
      throw unreadable(`the Word document has more than ${MAX_UNPACKED} bytes unpacked`);
    }
    return true;
  };
  try {
    return unzipSync(bytes, { filter });
  } catch (error) {
    if ((error as { code?: unknown }).code === "validation_failed") throw error;
    throw unreadable("it is no Word document (.docx), or a damaged one");
  }
}
