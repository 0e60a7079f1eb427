import type { StopReason } from "./lease.ts";

/** The turns that this instance is answering, so that a stop reaches them at once; others learn it with their deltas. */
export class RunningTurns {
  readonly #stops = new Map<string, (reason: StopReason) => void>();

  /** Notes a turn while `work` runs. */
  async during<T>(turnId: string, stop: (reason: StopReason) => void, work: () => Promise<T>): Promise<T> {
    this.#stops.set(turnId, stop);
    try {
      return await work();
    } finally {
      this.#stops.delete(turnId);
    }
  }

  /** Stops a turn, if it runs here. */
  stop(turnId: string): void {
    this.#stops.get(turnId)?.("stopped");
  }
}
