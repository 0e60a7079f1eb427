import { canaryForms } from "./canary.ts";
import { eachLetter } from "./canary-letters.ts";
import { GRAM, type Grams, gramsOf, RollingHash, secretGrams } from "./canary-secret.ts";

/** What an answer must not hold, and what it may though the instructions hold it, too. */
export interface Confidential {
  canary: string;
  instructions: string;
  /** Facts, passages, the conversation: read only when an answer looks like the instructions. */
  open(): readonly string[];
}

/** What may be sent on, and whether the answer has to end there. */
export interface Screened {
  text: string;
  isLeak: boolean;
}

/** An answer may share this many letters in a row with the instructions, about eight words. */
export const LONGEST_RUN = 40;
/** So many letters of the canary are no chance; the end of an answer cannot become more than it is. */
const CANARY_RUN = 8, CANARY_END = 6;
/** Fewer letters of a canary are any text's; from so many on they are held back. */
const CANARY_HELD = 4;

/**
 * Stands between a model and its reader: passes an answer on until it begins to quote the instructions. Letters alone
 * are compared, so other spaces, case, accents or Markdown change nothing. Held back is only what may still become a
 * quotation: the part of a text that already has {@link GRAM} letters in common with the instructions.
 */
export class LeakFilter {
  readonly #confidential: Confidential;
  readonly #forms: string;
  readonly #pairs: ReadonlySet<string>;
  #grams: Grams;
  #isOpenKnown = false;
  #held = "";
  #window = new RollingHash();
  /** The hashes of the quotation so far, and where in the text each ends. */
  #run: { hash: number; at: number }[] = [];
  /** The letters that are part of the canary, and where each stands. */
  #mark = "";
  #marked: number[] = [];

  constructor(confidential: Confidential) {
    this.#confidential = confidential;
    this.#grams = secretGrams(confidential.instructions);
    this.#forms = canaryForms(confidential.canary);
    this.#pairs = new Set(Array.from(this.#forms, (_, at) => this.#forms.slice(at, at + 2)));
  }

  /** Takes the next piece of the answer. After a leak nothing more is to be asked. */
  push(piece: string): Screened {
    const text = this.#held + piece;
    let isLeak = false;
    eachLetter(text, (letter, at) => {
      if (isLeak) return;
      isLeak = this.#isCanary(letter, at) || this.#isQuotation(letter, at);
    }, this.#held.length);
    const end = this.#heldFrom(text.length);
    this.#held = text.slice(end);
    for (const part of this.#run) part.at -= end;
    this.#marked = this.#marked.map((at) => at - end);
    return { text: text.slice(0, end), isLeak };
  }

  /** Releases what was held back: the answer is over, so it became no quotation. */
  end(): Screened {
    const text = this.#held;
    this.#held = "";
    return this.#mark.length >= CANARY_END
      ? { text: text.slice(0, Math.max(0, this.#marked[0]!)), isLeak: true }
      : { text, isLeak: false };
  }

  /** Whether a text of its own, such as a tool's arguments, quotes the instructions. */
  isLeak(text: string): boolean {
    const filter = new LeakFilter(this.#confidential);
    return filter.push(text).isLeak || filter.end().isLeak;
  }

  #heldFrom(length: number): number {
    const quotation = this.#run[0]?.at ?? length;
    const canary = this.#mark.length >= CANARY_HELD ? this.#marked[0]! : length;
    return Math.max(0, Math.min(quotation, canary));
  }

  #isCanary(letter: number, at: number): boolean {
    const character = String.fromCharCode(letter);
    if (this.#pairs.has(this.#mark.slice(-1) + character)) {
      this.#mark += character;
      this.#marked.push(at);
      while (!this.#forms.includes(this.#mark)) {
        this.#mark = this.#mark.slice(1);
        this.#marked.shift();
      }
    } else {
      this.#mark = character;
      this.#marked = [at];
    }
    return this.#mark.length >= CANARY_RUN;
  }

  #isQuotation(letter: number, at: number): boolean {
    if (!this.#window.add(letter) || !this.#grams.has(this.#window.hash)) {
      if (this.#run.length > 0) this.#run = [];
      return false;
    }
    this.#run.push({ hash: this.#window.hash, at });
    if (this.#run.length + GRAM - 1 < LONGEST_RUN) return false;
    if (this.#isOpenKnown) return true;
    this.#leaveOutOpen();
    return this.#run.length + GRAM - 1 >= LONGEST_RUN;
  }

  /** What the reader may know is no secret, even where the instructions say it, too: then there is less to compare with. */
  #leaveOutOpen(): void {
    this.#isOpenKnown = true;
    const open = gramsOf(this.#confidential.open());
    this.#grams = new Set([...this.#grams].filter((gram) => !open.has(gram)));
    this.#run = this.#run.slice(this.#run.findLastIndex(({ hash }) => open.has(hash)) + 1);
  }
}
