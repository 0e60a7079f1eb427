/** The types a document may have. */
export const mediaTypes = [
  "text/plain",
  "text/markdown",
  "text/html",
  "text/csv",
  "application/json",
  "application/pdf",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
] as const;

/** One of the types a document may have. */
export type MediaType = (typeof mediaTypes)[number];

/** The type of a Word document. */
export const docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

/** Types whose documents are files of bytes, not text that JSON could carry. */
export const binaryTypes: readonly MediaType[] = ["application/pdf", docx];

const byExtension: Record<string, MediaType> = {
  txt: "text/plain",
  text: "text/plain",
  log: "text/plain",
  md: "text/markdown",
  markdown: "text/markdown",
  mdx: "text/markdown",
  html: "text/html",
  htm: "text/html",
  xhtml: "text/html",
  csv: "text/csv",
  json: "application/json",
  pdf: "application/pdf",
  docx,
};

const aliases: Record<string, MediaType> = {
  "text/x-markdown": "text/markdown",
  "application/xhtml+xml": "text/html",
  "application/csv": "text/csv",
  "text/json": "application/json",
  "application/x-pdf": "application/pdf",
};

// What tools send when they do not know; the name and the first bytes say more.
const unknown = new Set(["", "application/octet-stream", "binary/octet-stream", "application/x-unknown"]);

/**
 * The type of a document: the declared one, else by its name, else by its first bytes. Null: one that cannot be read.
 */
export function mediaTypeOf(declared: string, name: string, bytes: Uint8Array): MediaType | null {
  const plain = declared.split(";")[0]!.trim().toLowerCase();
  if (unknown.has(plain)) return fromName(name) ?? fromBytes(bytes);
  const known = aliases[plain] ?? mediaTypes.find((type) => type === plain) ?? null;
  // Many tools call every text file text/plain; the name tells Markdown and CSV apart.
  const named = known === "text/plain" ? fromName(name) : null;
  return named && !binaryTypes.includes(named) ? named : known;
}

function fromName(name: string): MediaType | null {
  const extension = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? "";
  return Object.hasOwn(byExtension, extension) ? byExtension[extension]! : null;
}

function fromBytes(bytes: Uint8Array): MediaType | null {
  if (startsWith(bytes, "%PDF-")) return "application/pdf";
  if (startsWith(bytes, "PK\x03\x04")) return docx;
  return bytes.subarray(0, 4096).includes(0) ? null : "text/plain";
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  return [...text].every((letter, index) => bytes[index] === letter.charCodeAt(0));
}
