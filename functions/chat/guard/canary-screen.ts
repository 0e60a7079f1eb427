import { LeakFilter } from "./canary-filter.ts";
import { type Citation, CitedText, type Filtered } from "../citations/citations.ts";
import type { Prompt } from "../prompt.ts";

/** What may be sent on, and whether the answer has to end with it. */
export interface ScreenedText extends Filtered {
  isLeak: boolean;
}

type Cited = Pick<CitedText, "push" | "end">;

/** The screen of an answer to a prompt; without a canary only citations are looked for. */
export function createScreen(
  { chunks, instructions, open }: Prompt,
  { canary, question, isJson }: { canary: string | null; question: string; isJson: boolean },
): AnswerScreen {
  const filter = canary === null ? null : new LeakFilter({ canary, instructions, open: () => open });
  return new AnswerScreen(isJson ? verbatim : new CitedText(chunks, question), filter);
}

// Brackets around numbers are no markers in JSON.
const verbatim: Cited = {
  push: (text) => ({ text, citations: [] }),
  end: () => ({ text: "", citations: [] }),
};

/**
 * An answer's text with its citations, without what quotes the instructions. A citation waits as long as the text with
 * its marker does, so that none is sent for a marker that never is.
 */
export class AnswerScreen {
  readonly #cited: Cited;
  readonly #filter: LeakFilter | null;
  #sent = "";
  #waiting: Citation[] = [];

  /** Without a filter everything passes. */
  constructor(cited: Cited, filter: LeakFilter | null) {
    this.#cited = cited;
    this.#filter = filter;
  }

  /** Takes a piece of the model's text. */
  push(piece: string): ScreenedText {
    return this.#pass(this.#cited.push(piece), false);
  }

  /** Releases what was held back at the end of the answer. */
  end(): ScreenedText {
    return this.#pass(this.#cited.end(), true);
  }

  /** Whether a text that is not part of the answer, such as a tool's arguments, quotes the instructions. */
  isLeak(text: string): boolean {
    return this.#filter?.isLeak(text) ?? false;
  }

  #pass({ text, citations }: Filtered, isEnd: boolean): ScreenedText {
    if (this.#filter === null) return { text, citations, isLeak: false };
    const screened = this.#filter.push(text);
    if (isEnd && !screened.isLeak) {
      const rest = this.#filter.end();
      screened.text += rest.text;
      screened.isLeak = rest.isLeak;
    }
    this.#sent += screened.text;
    this.#waiting.push(...citations, ...(screened.isLeak ? this.#cited.end().citations : []));
    const isCited = ({ marker }: Citation) => this.#sent.includes(`[${marker}]`);
    const ready = this.#waiting.filter(isCited);
    this.#waiting = this.#waiting.filter((citation) => !isCited(citation));
    return { text: screened.text, citations: ready, isLeak: screened.isLeak };
  }
}
