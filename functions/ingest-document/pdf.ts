import { getDocumentProxy } from "unpdf";
import { unreadable } from "./decode.ts";
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

const reasons: Record<string, string> = {
  PasswordException: "the PDF is encrypted",
  InvalidPDFException: "the PDF is damaged",
};

/** Opens a PDF; refuses one that is damaged, encrypted or empty. */
export async function openPdf(bytes: Uint8Array): Promise<PdfDocument> {
  // The reader takes its bytes away from the caller, who still has to store them.
  const pdf = await getDocumentProxy(bytes.slice(), { verbosity: 0 }).catch(refuse);
  if (pdf.numPages === 0) throw unreadable("the PDF has no pages");
  return {
    pageCount: pdf.numPages,
    async *pages(first = 1) {
      for (let number = first; number <= pdf.numPages; number++) {
        const items = await itemsOf(pdf, number).catch(refuse);
        yield { page: number, ...pageText(items) };
      }
    },
    close: () => pdf.loadingTask.destroy(),
  };
}

async function itemsOf(pdf: Pdf, number: number): Promise<object[]> {
  const page = await pdf.getPage(number);
  const { items } = await page.getTextContent();
  page.cleanup();
  return items;
}

function refuse(error: unknown): never {
  const { name = "", message = "" } = error as Partial<Error>;
  throw unreadable(reasons[name] ?? `the PDF is damaged (${message.slice(0, 200)})`);
}
