import type { Deps } from "../../shared/deps.ts";
import type { Rpc } from "../../shared/rpc.ts";
import type { TurnTrace } from "./trace.ts";

/** Why a turn is told to stop before its model is done. */
export type StopReason = "stopped" | "kill_switch" | "settled";

/** Deltas are kept at most this often, which is far within the lease of 60 seconds. */
const EVERY_MS = 2000;

/** So often those of a resumable turn, whose reader waits for them. */
const RESUMABLE_EVERY_MS = 250;

/** Who answers and what was used so far: what is billed when the worker dies. */
export type Used = Pick<
  Parameters<Rpc["appendDeltas"]>[0],
  "provider" | "model" | "inputTokens" | "outputTokens"
>;

/** What a lease takes besides its turn. */
export interface LeaseOptions {
  used(): Used;
  /** Told once that the turn was stopped, switched off, or closed by somebody else. */
  onStop(reason: StopReason): void;
  /** The events of a resumable turn, kept with what was said. */
  trace?: TurnTrace;
  everyMs?: number;
}

/**
 * Holds a turn while it runs: keeps what was said, so that a killed worker loses at most the last two seconds, extends
 * the lease even when the model is silent, and learns whether the turn shall stop.
 */
export class TurnLease {
  readonly #deps: Pick<Deps, "rpc" | "log">;
  readonly #turnId: string;
  readonly #options: LeaseOptions;
  #said = "";
  #batch: { seq: number; text: string; events?: ReturnType<TurnTrace["waiting"]> } | null = null;
  #seq = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(turnId: string, deps: Pick<Deps, "rpc" | "log">, options: LeaseOptions) {
    this.#turnId = turnId;
    this.#deps = deps;
    this.#options = options;
    this.#wait();
  }

  /** Adds text to the next batch. */
  keep(text: string): void {
    this.#said += text;
  }

  /** Lets go; the settlement says the rest. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    const { trace, everyMs = trace ? RESUMABLE_EVERY_MS : EVERY_MS } = this.#options;
    this.#timer = setTimeout(() => void this.#append(), everyMs);
  }

  async #append(): Promise<void> {
    // A batch whose outcome is unknown is sent again as it was: under its number it is stored once.
    const { trace } = this.#options;
    this.#batch ??= { seq: ++this.#seq, text: this.#said, ...(trace && { events: trace.waiting() }) };
    const { text, events = [] } = this.#batch;
    try {
      const { stop, reason } = await this.#deps.rpc.appendDeltas({
        turnId: this.#turnId,
        ...this.#batch,
        ...this.#options.used(),
      });
      this.#said = this.#said.slice(text.length);
      trace?.stored(events.length);
      this.#batch = null;
      if (this.#isOver) return;
      if (stop) {
        this.end();
        return this.#options.onStop(reason ?? "stopped");
      }
    } catch (error) {
      // The answer goes on without its safety net; if the outage outlasts the lease, the turn is reaped.
      this.#deps.log.error("deltas_not_kept", error, { turn_id: this.#turnId, seq: this.#seq });
    }
    if (!this.#isOver) this.#wait();
  }
}
