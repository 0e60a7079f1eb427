import { getDocumentProxy } from "unpdf";
import { Problem } from "../../shared/errors.ts";
import { unreadable } from "./decode.ts";
import { withDeadline } from "./pdf-deadline.ts";
import { checkedPdf, MAX_CHARACTERS, MAX_ITEMS, MAX_PAGE_SECONDS, MAX_PAGES } from "./pdf-limits.ts";
import { type PageText, pageText } from "./pdf-page.ts";

type Pdf = Awaited<ReturnType<typeof getDocumentProxy>>;

/** A page of a PDF. */
export interface Page extends PageText {
  /** Counted from 1. */
  page: number;
}

/** An open PDF. */
export interface PdfDocument {
  pageCount: number;
  /** The pages from `first` on, each read when it is asked for. */
  pages(first?: number): AsyncGenerator<Page>;
  close(): Promise<void>;
}

/** Opens a PDF; refuses one that is damaged, encrypted or empty. */
export async function openPdf(bytes: Uint8Array): Promise<PdfDocument> {
  // A copy: the reader takes its bytes away from the caller, who still has to store them.
  const pdf = await getDocumentProxy(await checkedPdf(bytes), { verbosity: 0 }).catch(refuse);
  const close = () => pdf.loadingTask.destroy();
  if (pdf.numPages === 0 || pdf.numPages > MAX_PAGES) {
    await close();
    throw unreadable(`the PDF has ${pdf.numPages === 0 ? "no" : `more than ${MAX_PAGES}`} pages`);
  }
  return {
    pageCount: pdf.numPages,
    async *pages(first = 1) {
      for (let number = first; number <= pdf.numPages; number++) {
        const late = () =>
          unreadable(`page ${number} of the PDF takes more than ${MAX_PAGE_SECONDS} seconds to read`);
        const items = await withDeadline(MAX_PAGE_SECONDS * 1000, late, () => itemsOf(pdf, number)).catch(
          (error) => {
            // It would read on otherwise, even when nobody takes what it reads; nobody waits for its end either.
            close().catch(() => {});
            return refuse(error);
          },
        );
        yield { page: number, ...pageText(items) };
      }
    },
    close,
  };
}

// After so many milliseconds, others get a turn.
const TURN = 20;
let turnEnd = 0;

async function itemsOf(pdf: Pdf, number: number): Promise<object[]> {
  await takeTurns();
  const page = await pdf.getPage(number);
  const reader = page.streamTextContent().getReader();
  const items: object[] = [];
  let characters = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    for (const item of part.value.items as { str?: string }[]) {
      characters += item.str?.length ?? 0;
      items.push(item);
    }
    if (items.length > MAX_ITEMS || characters > MAX_CHARACTERS) {
      throw unreadable(
        `page ${number} of the PDF has more than ${MAX_ITEMS} pieces of text or ${MAX_CHARACTERS} characters`,
      );
    }
    await takeTurns();
  }
  page.cleanup();
  return items;
}

async function takeTurns(): Promise<void> {
  if (performance.now() < turnEnd) return;
  await new Promise((resolve) => setTimeout(resolve));
  turnEnd = performance.now() + TURN;
}

function refuse(error: unknown): never {
  if (error instanceof Problem) throw error;
  const { name, message = "" } = error as Partial<Error>;
  const detail = name === "InvalidPDFException" ? "" : ` (${message.slice(0, 200)})`;
  throw unreadable(`the PDF is damaged${detail}`);
}
