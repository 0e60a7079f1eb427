/** The steps of a turn: the database's three calls, the question's vector, and the model up to its first piece and its end. */
export type Step = "admit" | "embed" | "match" | "first_token" | "model" | "settle" | "total";

/** How long the steps of one turn took, as far as they are done. */
export class Timings {
  readonly #ms = new Map<Step, number>();

  /** Measures a step, also one that fails. */
  async measure<T>(step: Step, work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await work();
    } finally {
      this.set(step, performance.now() - began);
    }
  }

  /** Notes the milliseconds of a step. */
  set(step: Step, ms: number): void {
    this.#ms.set(step, Math.round(ms * 10) / 10);
  }

  /** The `Server-Timing` header of what is done. */
  header(): string {
    return [...this.#ms].map(([step, ms]) => `${step};dur=${ms}`).join(", ");
  }

  /** The milliseconds of what is done, for the log. */
  fields(): Record<string, number> {
    return Object.fromEntries([...this.#ms].map(([step, ms]) => [`parley.${step}_ms`, ms]));
  }
}
