import { type Chunk, cutText, toChunk } from "./chunk.ts";
import { unreadable } from "./decode.ts";
import type { Page } from "./pdf.ts";
import { below, type Heading } from "./sections.ts";

/** What is left of the pages read so far, to go on with the next ones; it survives JSON. */
export interface PagesState {
  /** The end of the text read so far that is in no chunk yet, with a little before it. */
  tail: string;
  /** Where in the tail the next chunk begins. */
  from: number;
  /** Where the tail begins in the text of all pages. */
  offset: number;
  /** The headings that are open where the tail begins, and those within it. */
  above: Pick<Heading, "level" | "title">[];
  headings: Heading[];
  /** Where pages begin in the tail; the first entry is the page the tail begins on. */
  pages: { start: number; page: number }[];
}

// What tells whether a sentence ends stands this close before its end.
const CONTEXT = 40;

/**
 * The chunks of a run of pages, in order. The same pages give the same chunks, however many are read at a time: `state`
 * is what the run before returned, and `isLast` says that no page follows. Pages without any text are refused at the end.
 */
export function chunkPages(
  pages: readonly Page[],
  state: PagesState | null,
  isLast: boolean,
): { chunks: Chunk[]; state: PagesState } {
  const tail = pages.reduce(
    append,
    state ?? { tail: "", from: 0, offset: 0, above: [], headings: [], pages: [] },
  );
  if (isLast && tail.tail.trim() === "" && tail.offset === 0) {
    throw unreadable("it has no text: scanned pages must go through text recognition first");
  }
  const source = { text: tail.tail, headings: tail.headings, above: tail.above };
  const chunks: Chunk[] = [];
  let next = tail.from;
  for (const cut of cutText(source, { from: tail.from, isMarkup: false, isOpen: !isLast })) {
    const start = tail.offset + cut.start;
    chunks.push(
      toChunk(tail.tail.slice(cut.start, cut.end), {
        heading: cut.heading,
        page: pageAt(tail, cut.start),
        start,
      }),
    );
    next = cut.next;
  }
  return { chunks, state: isLast ? shortened(tail, tail.tail.length) : shortened(tail, next) };
}

/** The state with one more page: a sentence that goes on there is not torn apart. */
function append(state: PagesState, { page, text, headings }: Page): PagesState {
  const goesOn = /[^.!?…:;»”]/.test(state.tail.at(-1) ?? ".") && /^[\p{Ll}(«"]/u.test(text) &&
    headings[0]?.start !== 0;
  const gap = state.tail === "" || text === "" ? "" : goesOn ? "\n" : "\n\n";
  const start = state.tail.length + gap.length;
  return {
    ...state,
    tail: state.tail + gap + text,
    headings: [...state.headings, ...headings.map((heading) => moved(heading, start))],
    pages: text === "" ? state.pages : [...state.pages, { start, page }],
  };
}

function moved(heading: Heading, by: number): Heading {
  return { ...heading, start: heading.start + by, end: heading.end + by };
}

function pageAt({ pages }: PagesState, at: number): number | null {
  return pages.findLast(({ start }) => start <= at)?.page ?? null;
}

/** Forgets what lies before `next` but for the context. */
function shortened(state: PagesState, next: number): PagesState {
  const start = Math.max(0, next - CONTEXT);
  const isGone = (heading: Heading) => heading.start < start;
  return {
    tail: state.tail.slice(start),
    from: next - start,
    offset: state.offset + start,
    above: state.headings.filter(isGone).reduce<PagesState["above"]>(below, state.above),
    headings: state.headings.filter((heading) => !isGone(heading)).map((heading) => moved(heading, -start)),
    pages: [
      ...state.pages.filter((page) => page.start <= start).slice(-1).map(({ page }) => ({ start: 0, page })),
      ...state.pages.filter((page) => page.start > start).map((page) => ({
        ...page,
        start: page.start - start,
      })),
    ],
  };
}
