import { setImmediate } from "node:timers";

/** Silence after which a comment is sent, so that proxies keep the connection: about every 15 seconds. */
const HEARTBEAT_MS = 15_000;

/** The headers of a stream of server-sent events; `no-transform` and `x-accel-buffering` keep proxies from holding it. */
export const EVENT_STREAM_HEADERS: Record<string, string> = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

/** Takes the named events of a turn. */
export interface EventSink {
  send(event: string, data: unknown): void;
}

/** What an event stream tells its owner, and its pace. */
export interface EventStreamOptions {
  /** Called once when the reader goes away before `close`. */
  onCancel?: () => void;
  heartbeatMs?: number;
}

/**
 * Writes server-sent events into `body`. Events of one turn of the event loop leave in one write: a
 * provider sends many tokens in one packet, and a write for each costs more than the tokens do.
 */
export class EventStream implements EventSink {
  readonly body: ReadableStream<Uint8Array>;
  readonly #encoder = new TextEncoder();
  readonly #heartbeatMs: number;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #pending = "";
  #lastId = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastWrite = 0;

  constructor({ onCancel, heartbeatMs = HEARTBEAT_MS }: EventStreamOptions = {}) {
    this.#heartbeatMs = heartbeatMs;
    this.body = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.#stop();
        onCancel?.();
      },
    });
    this.#rest(heartbeatMs);
  }

  /** Sends one named event, numbered `id` or one more than the last; nothing after `close` or once the reader is gone. */
  send(event: string, data: unknown, id = this.#lastId + 1): void {
    this.#lastId = id;
    this.#put(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Sends data without name and number. */
  data(data: unknown): void {
    this.#put(`data: ${JSON.stringify(data)}\n\n`);
  }

  /** Sends the word with which streams of data end. */
  done(): void {
    this.#put("data: [DONE]\n\n");
  }

  /** Ends the stream after what was sent. */
  close(): void {
    this.#flush();
    const controller = this.#controller;
    this.#stop();
    controller?.close();
  }

  #put(event: string): void {
    if (!this.#controller) return;
    const isFirst = this.#pending === "";
    this.#pending += event;
    if (isFirst) setImmediate(() => this.#flush());
  }

  #flush(): void {
    if (this.#pending === "") return;
    const text = this.#pending;
    this.#pending = "";
    this.#write(text);
  }

  #write(text: string): void {
    this.#lastWrite = performance.now();
    this.#controller?.enqueue(this.#encoder.encode(text));
  }

  // One timer that looks at the last write, instead of one armed again by every write.
  #rest(ms: number): void {
    this.#timer = setTimeout(() => {
      const silent = performance.now() - this.#lastWrite;
      if (silent >= this.#heartbeatMs) this.#write(": keep-alive\n\n");
      this.#rest(Math.max(1, this.#heartbeatMs - (silent >= this.#heartbeatMs ? 0 : silent)));
    }, ms);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#controller = undefined;
    this.#pending = "";
  }
}
