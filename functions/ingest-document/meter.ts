/**
 * Counts the time spent computing, as opposed to waiting for others: a hosted call may compute for 2 s, so a round
 * stops at half of it and the next call continues.
 */
export class Meter {
  #spentMs = 0;

  constructor(readonly limitMs = 1000, readonly clock: () => number = () => performance.now()) {}

  /** Runs work that computes. */
  async measure<T>(work: () => Promise<T>): Promise<T> {
    const start = this.clock();
    try {
      return await work();
    } finally {
      this.#spentMs += this.clock() - start;
    }
  }

  /** Whether no further work should be begun. */
  get exhausted(): boolean {
    return this.#spentMs >= this.limitMs;
  }
}
