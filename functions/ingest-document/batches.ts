import { detectLanguage } from "../../shared/language.ts";
import { type Chunk, chunkText } from "./chunk.ts";
import { chunkPages, type PagesState } from "./chunk-pages.ts";
import { extract } from "./extract.ts";
import type { MediaType } from "./media-type.ts";
import type { PdfDocument } from "./pdf.ts";
import type { TextSource } from "./sections.ts";

/** Chunks that are stored together. */
export interface Batch {
  chunks: Chunk[];
  /** The language of their text, where it says. */
  language: string | null;
  /** Where the next batch begins; it survives JSON. Any process can go on from it. */
  state: Record<string, unknown>;
  /** The share of the document that is read, 0 to 1. */
  progress: number;
  /** Whether this is the last batch. */
  done: boolean;
}

/** The batches of a document, one after the other. */
export interface Batches {
  next(): Promise<Batch>;
  close(): Promise<void>;
}

// Large enough that calls do not count, small enough that two calls of an embedding model do.
const chunksPerBatch = 128;
// 300 pages cost a second of computing.
const pagesPerBatch = 50;
const languageSample = 20_000;

/**
 * The batches of a document from where `state` says, else from its beginning; the same document gives the same chunks
 * wherever it was interrupted. Throws `validation_failed` for what cannot be read.
 */
export async function readBatches(
  { bytes, mimeType, state = {} }: {
    bytes: Uint8Array;
    mimeType: MediaType;
    state?: Record<string, unknown>;
  },
): Promise<Batches> {
  const extraction = await extract(bytes, mimeType);
  return extraction.kind === "text"
    ? textBatches(extraction.source, state as Partial<TextState>)
    : pageBatches(extraction.document, state as Partial<PageState>);
}

interface TextState extends Record<string, unknown> {
  from: number;
}

function textBatches(source: TextSource, { from = 0 }: Partial<TextState>): Batches {
  const { text } = source;
  const chunks = chunkText(source, from);
  // One ahead, so that the last batch knows that it is the last.
  let ahead = chunks.next();
  return {
    next() {
      const batch: Chunk[] = [];
      const start = from;
      while (!ahead.done && batch.length < chunksPerBatch) {
        batch.push(ahead.value.chunk);
        from = ahead.value.next;
        ahead = chunks.next();
      }
      const state: TextState = { from };
      return Promise.resolve({
        chunks: batch,
        language: detectLanguage(text.slice(start, start + languageSample)),
        state,
        progress: from / text.length,
        done: ahead.done ?? false,
      });
    },
    close: () => Promise.resolve(),
  };
}

interface PageState extends Record<string, unknown> {
  page: number;
  pages: PagesState | null;
}

function pageBatches(
  document: PdfDocument,
  { page: first = 1, pages: carried = null }: Partial<PageState>,
): Batches {
  const { pageCount } = document;
  const reader = document.pages(first);
  let next = first;
  return {
    async next() {
      const pages = [];
      let text = "";
      while (next <= pageCount && pages.length < pagesPerBatch) {
        const { value } = await reader.next();
        if (value === undefined) break;
        pages.push(value);
        if (text.length < languageSample) text += `${value.text}\n`;
        next++;
      }
      const done = next > pageCount;
      const { chunks, state: rest } = chunkPages(pages, carried, done);
      carried = rest;
      const state: PageState = { page: next, pages: rest };
      return { chunks, language: detectLanguage(text), state, progress: (next - 1) / pageCount, done };
    },
    close: () => document.close(),
  };
}
