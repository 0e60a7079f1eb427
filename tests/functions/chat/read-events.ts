/** One server-sent event, or a comment. */
export interface ReadEvent {
  id: number | null;
  event: string;
  // deno-lint-ignore no-explicit-any
  data: any;
}

/** The events of a complete stream's text; comments have the event name `comment`. */
export function parseEvents(text: string): ReadEvent[] {
  return text.split("\n\n").filter((block) => block !== "").map((block) => {
    if (block.startsWith(":")) return { id: null, event: "comment", data: block.slice(1).trim() };
    const fields = Object.fromEntries(
      block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
    );
    return {
      id: Number(fields.id),
      event: fields.event ?? "message",
      data: JSON.parse(fields.data ?? "null"),
    };
  });
}

/** The JSON of a stream of plain data, and whether it ended with `[DONE]`; comments are skipped. */
// deno-lint-ignore no-explicit-any
export function readData(text: string): { chunks: any[]; isDone: boolean } {
  const data = text.split("\n\n").filter((block) => block !== "" && !block.startsWith(":"))
    .map((block) => block.slice("data: ".length));
  const isDone = data.at(-1) === "[DONE]";
  return { chunks: data.slice(0, isDone ? -1 : undefined).map((json) => JSON.parse(json)), isDone };
}

/** Reads events from an open response one at a time, as a client that may leave in the middle does. */
export class EventReader {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
      .getReader();
  }

  /** The next event, or null at the end of the stream. */
  async next(): Promise<ReadEvent | null> {
    while (!this.#text.includes("\n\n")) {
      const { done, value } = await this.#reader.read();
      if (done) return null;
      this.#text += value;
    }
    const end = this.#text.indexOf("\n\n") + 2;
    const block = this.#text.slice(0, end);
    this.#text = this.#text.slice(end);
    return parseEvents(block)[0]!;
  }

  /** Leaves before the end. */
  async leave(): Promise<void> {
    await this.#reader.cancel();
  }
}
