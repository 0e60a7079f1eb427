import { unreadable } from "./decode.ts";

/** What a PDF may hold: pages, bytes of one part unpacked (the content of a page, a font), and of all together. */
export const MAX_PAGES = 5000, MAX_STREAM = 16 * 1024 * 1024, MAX_STREAMS = 64 * 1024 * 1024;
/** What a page may hold, and the seconds it may take: a page of a book has a hundred pieces of text and takes 10 ms. */
export const MAX_ITEMS = 20_000, MAX_CHARACTERS = 1_000_000, MAX_PAGE_SECONDS = 5;
// Parts in other encodings are not measured, so they may only be as small as those of old files are.
const MOST_UNMEASURED = 64 * 1024;

// Every name the reader knows a filter by, in full and short.
const decoders =
  /\/(?:FlateDecode|Fl|LZWDecode|LZW|ASCIIHexDecode|AHx|ASCII85Decode|A85|RunLengthDecode|RL|BrotliDecode|CCITTFaxDecode|CCF|DCTDecode|DCT|JBIG2Decode|JPXDecode|JPX|Crypt)\b/g;
const indirect = /\/Filter(?:\s|%[^\r\n]*)*(?:\[[^\]/]*)?\d+\s+\d+\s+R\b/;

const latin1 = new TextDecoder("latin1");
const unneeded = /\/Subtype\s*\/Image|\/Type\s*\/EmbeddedFile/;
const encryption = /\/Encrypt(?:\s|%[^\r\n]*)*(?:<<|\d+\s+\d+\s+R)/;

/**
 * A copy of a PDF that is safe to open: the reader unpacks a part whole before it looks at it, so a bomb would hang it.
 * Pictures and attached files are emptied, which no text needs; the rest is measured, which an encrypted PDF does not
 * allow, even one that opens without a password. Throws for what is larger than the limits.
 */
export async function checkedPdf(bytes: Uint8Array): Promise<Uint8Array> {
  const copy = bytes.slice();
  const text = latin1.decode(bytes);
  let total = 0;
  const sizes = new Map<string, number>(), texts = [text];
  let previous = 0;
  for (const { 0: keyword, index } of text.matchAll(/(?<!end)stream\r?\n/g)) {
    const start = index + keyword.length;
    const object = text.lastIndexOf("obj", index);
    // Since the part before, for in a text of the dictionary may stand "obj".
    const dictionary = named(text.slice(previous, index));
    const end = text.indexOf("endstream", start);
    const length = (end < 0 ? text.length : end) - start;
    previous = start + length;
    if (encryption.test(dictionary)) throw encrypted();
    if (unneeded.test(dictionary)) copy.fill(0, start, previous);
    else {
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
  if (encryption.test(named(text.slice(previous)))) throw encrypted();
  for (const objects of texts) checkLists(objects, sizes);
  return copy;
}

function encrypted(): Error {
  return unreadable("the PDF is encrypted: save it without protection first");
}

/** A text of a PDF with its names as the reader takes them: "/Fl#61teDecode" is /FlateDecode. */
function named(text: string): string {
  return text.replace(/#([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
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
  // Wherever they stand: a name in another place costs a try to unpack, one overlooked could cost a gigabyte.
  const filters = dictionary.match(decoders) ?? [];
  if (indirect.test(dictionary)) throw unreadable("the PDF names the filter of a part in another place");
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
