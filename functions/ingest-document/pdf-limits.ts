import { unreadable } from "./decode.ts";

/** What a PDF may hold: pages, bytes of one part unpacked (the content of a page, a font), and of all together. */
export const MAX_PAGES = 5000, MAX_STREAM = 16 * 1024 * 1024, MAX_STREAMS = 64 * 1024 * 1024;
/** What a page may hold, and the seconds it may take: a page of a book has a hundred pieces of text and takes 10 ms. */
export const MAX_ITEMS = 20_000, MAX_CHARACTERS = 1_000_000, MAX_PAGE_SECONDS = 5;
// Parts in other encodings are not measured, so they may only be as small as those of old files are.
const MOST_UNMEASURED = 64 * 1024;

const unneeded = /\/Subtype\s*\/Image|\/Type\s*\/EmbeddedFile/;

/**
 * A copy of a PDF that is safe to open: the reader unpacks a part whole before it looks at it, so a bomb would hang it.
 * Pictures and attached files are emptied, which no text needs; the rest is measured. Throws for what is larger than the
 * limits.
 */
export async function checkedPdf(bytes: Uint8Array): Promise<Uint8Array> {
  const copy = bytes.slice();
  const text = new TextDecoder("latin1").decode(bytes);
  let total = 0;
  for (const { 0: keyword, index } of text.matchAll(/(?<!end)stream\r?\n/g)) {
    const start = index + keyword.length;
    const dictionary = text.slice(Math.max(text.lastIndexOf("obj", index), index - 3000), index);
    if (unneeded.test(dictionary)) copy.fill(0, start, start + 16);
    else {total += await unpackedSize(
        bytes.subarray(start),
        dictionary,
        text.indexOf("endstream", start) - start,
      );}
    if (total > MAX_STREAMS) throw unreadable(`the PDF has more than ${MAX_STREAMS} bytes unpacked`);
  }
  return copy;
}

async function unpackedSize(rest: Uint8Array, dictionary: string, length: number): Promise<number> {
  const filters = /\/Filter\s*(?:\[([^\]]*)\]|(\/\w+))/.exec(dictionary)?.slice(1).join("").match(/\/\w+/g) ??
    [];
  if (filters.length === 0) return 0;
  if (filters.length > 1 || !/^\/(?:FlateDecode|Fl)$/.test(filters[0]!)) {
    if (length > MOST_UNMEASURED) {
      throw unreadable(`the PDF has a part of ${length} bytes in ${filters.join(" ")}`);
    }
    return 0;
  }
  let size = 0;
  try {
    for await (const piece of inPieces(rest).pipeThrough(new DecompressionStream("deflate"))) {
      size += piece.length;
      if (size > MAX_STREAM) break;
    }
  } catch (error) {
    // The end of the packed data, which know it better than the file does; or data that are damaged or encrypted, which
    // the reader will notice too.
    if (!(error instanceof TypeError)) throw error;
  }
  if (size > MAX_STREAM) throw unreadable(`the PDF has a part of more than ${MAX_STREAM} bytes unpacked`);
  return size;
}

// So much can become a megabyte at most, which is then the most that is unpacked beyond the limit.
const PIECE = 1024;

function inPieces(bytes: Uint8Array): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) controller.close();
      else controller.enqueue(bytes.slice(at, at += PIECE));
    },
  }, { highWaterMark: 0 });
}
