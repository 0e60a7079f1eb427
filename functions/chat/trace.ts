import type { TurnEvent } from "../../shared/results.ts";
import type { EventSink } from "./events.ts";
import { native } from "./protocols/native.ts";
import type { Exchange, TurnWriter } from "./protocol.ts";
import type { TurnEnd } from "./turn.ts";

/**
 * The numbered events of a resumable turn, as the native stream sends them, whatever protocol its client speaks: who
 * lost the connection reads on behind the last number seen.
 */
export class TurnTrace {
  readonly writer: TurnWriter;
  #lastId = 0;
  #kept: TurnEvent[] = [];

  constructor(exchange: Omit<Exchange, "asked">) {
    const sink: EventSink = {
      send: (event, data) =>
        void this.#kept.push({ id: ++this.#lastId, event, data: data as Record<string, unknown> }),
    };
    this.writer = native.write(exchange, sink);
  }

  /** How many events wait to be stored; they stay until `stored` says so. */
  waiting(): TurnEvent[] {
    return [...this.#kept];
  }

  /** Forgets the first `count` waiting events, which are stored now. */
  stored(count: number): void {
    this.#kept.splice(0, count);
  }

  /** The last events, of a turn that ended so, with whatever still waits. */
  end(end: TurnEnd): TurnEvent[] {
    this.writer.end(end);
    return this.waiting();
  }
}
