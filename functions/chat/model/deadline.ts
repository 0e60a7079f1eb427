/** Runs `onExpire` once when nobody extended it in time. Extending is cheap: a timer is armed only when it must be. */
export class Deadline {
  readonly #onExpire: () => void;
  #due: number;
  #armedFor = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number, onExpire: () => void) {
    this.#onExpire = onExpire;
    this.#due = performance.now() + ms;
    this.#arm();
  }

  /** Moves the deadline to `ms` from now. */
  extend(ms: number): void {
    this.#due = performance.now() + ms;
    if (this.#timer !== undefined && this.#due < this.#armedFor) this.#arm();
  }

  /** Ends the watch. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#armedFor = this.#due;
    this.#timer = setTimeout(() => {
      // Extended meanwhile: look again when it is due now.
      if (performance.now() < this.#due) return this.#arm();
      this.#timer = undefined;
      this.#onExpire();
    }, Math.max(0, this.#due - performance.now()));
  }
}
