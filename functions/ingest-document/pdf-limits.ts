import { unreadable } from "./decode.ts";

/** What a PDF may hold: pages, bytes of one part unpacked (the content of a page, a font), and of all together. */
export const MAX_PAGES = 5000, MAX_STREAM = 16 * 1024 * 1024, MAX_STREAMS = 64 * 1024 * 1024;
/** What a page may hold, and the seconds it may take: a page of a book has a hundred pieces of text and takes 10 ms. */
export const MAX_ITEMS = 20_000, MAX_CHARACTERS = 1_000_000, MAX_PAGE_SECONDS = 5;
// Parts in other encodings are not measured, so they may only be as small as those of old files are.
const MOST_UNMEASURED = 64 * 1024;

const latin1 = new TextDecoder("latin1");
const unneeded = /\/Subtype\s*\/Image|\/Type\s*\/EmbeddedFile/;

/**
 * A copy of a PDF that is safe to open: the reader unpacks a part whole before it looks at it, so a bomb would hang it.
 * Pictures and attached files are emptied, which no text needs; the rest is measured. Throws for what is larger than the
 * limits.
 */
export async function checkedPdf(bytes: Uint8Array): Promise<Uint8Array> {
  const copy = bytes.slice();
  const text = latin1.decode(bytes);
  let total = 0;
  const sizes = new Map<string, number>(), texts = [text];
  for (const { 0: keyword, index } of text.matchAll(/(?<!end)stream\r?\n/g)) {
    const start = index + keyword.length;
    const object = text.lastIndexOf("obj", index);
    const dictionary = text.slice(Math.max(object, index - 3000), index);
    if (unneeded.test(dictionary)) copy.fill(0, start, start + 16);
    else {
      const length = text.indexOf("endstream", start) - start;
      // Objects that are packed together, which may be what the others are put together by.
      const kept = /\/ObjStm/.test(dictionary) ? [] : undefined;
      const size = await unpackedSize(bytes.subarray(start), dictionary, { length, kept });
      const number = /(\d+)\s+\d+\s+$/.exec(text.slice(Math.max(0, object - 40), object))?.[1];
      if (number) sizes.set(number, Math.max(size, sizes.get(number) ?? 0));
      if (kept) texts.push(kept.join(""));
      total += size;
    }
    if (total > MAX_STREAMS) throw unreadable(`the PDF has more than ${MAX_STREAMS} bytes unpacked`);
  }
  for (const objects of texts) checkLists(objects, sizes);
  return copy;
}

/** The content of a page can be a list of parts, and name the same one a thousand times. */
function checkLists(objects: string, sizes: Map<string, number>): void {
  for (const list of objects.split(/[[\]]/)) {
    let size = 0;
    for (const [, number] of list.matchAll(/(\d+)\s+\d+\s+R/g)) size += sizes.get(number!) ?? 0;
    if (size > MAX_STREAMS) throw unreadable(`the PDF has a list of more than ${MAX_STREAMS} bytes unpacked`);
  }
}

async function unpackedSize(
  rest: Uint8Array,
  dictionary: string,
  { length, kept }: { length: number; kept?: string[] },
): Promise<number> {
  const filters = /\/Filter\s*(?:\[([^\]]*)\]|(\/\w+))/.exec(dictionary)?.slice(1).join("").match(/\/\w+/g) ??
    [];
  if (filters.length === 0) return length;
  if (filters.length > 1 || !/^\/(?:FlateDecode|Fl)$/.test(filters[0]!)) {
    // Packed twice, a few bytes become a terabyte; nobody does that for another reason.
    const isTwice = filters.filter((filter) => /^\/(?:Fl|LZW|RL|RunLength|Br)/.test(filter)).length > 1;
    if (length > MOST_UNMEASURED || isTwice) {
      throw unreadable(`the PDF has a part of ${length} bytes in ${filters.join(" ")}`);
    }
    return 0;
  }
  let size = 0;
  try {
    for await (const piece of inPieces(rest, length).pipeThrough(new DecompressionStream("deflate"))) {
      size += piece.length;
      kept?.push(latin1.decode(piece));
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

// One piece ends where the packed data should: what comes after is an error, and loses what was unpacked with it.
function inPieces(bytes: Uint8Array, length: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let end = length;
  while (end > 0 && (bytes[end - 1] === 10 || bytes[end - 1] === 13)) end--;
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) controller.close();
      else controller.enqueue(bytes.slice(at, at = at < end ? Math.min(at + PIECE, end) : at + PIECE));
    },
  }, { highWaterMark: 0 });
}
