/** Where an answer of a model can be had, and how it is asked for. */
export interface Route {
  name: string;
  ask(model: string, signal?: AbortSignal): Promise<Response>;
}

/** How a stream came in; milliseconds since it was asked for. */
export interface Streamed {
  firstTokenMs: number;
  lastTokenMs: number;
  tokens: number;
  /** The whole text of the stream, or as far as it came. */
  text: string;
  /** What broke the stream, if anything did. */
  broke: unknown;
}

const TOKEN = /word\d+/g;

/** Reads one stream to its end. */
export async function readStream(route: Route, model: string): Promise<Streamed> {
  const asked = performance.now();
  const response = await route.ask(model);
  if (!response.ok) throw new Error(`${route.name} answered ${response.status}: ${await response.text()}`);
  const decoder = new TextDecoder();
  const streamed: Streamed = { firstTokenMs: NaN, lastTokenMs: NaN, tokens: 0, text: "", broke: null };
  try {
    for await (const bytes of response.body!) {
      const piece = decoder.decode(bytes, { stream: true });
      streamed.text += piece;
      if (!piece.includes("word")) continue;
      streamed.lastTokenMs = performance.now() - asked;
      if (Number.isNaN(streamed.firstTokenMs)) streamed.firstTokenMs = streamed.lastTokenMs;
    }
  } catch (error) {
    streamed.broke = error;
  }
  streamed.tokens = streamed.text.match(TOKEN)?.length ?? 0;
  return streamed;
}

/** Opens a stream and reads until its first token; returns how to leave it. */
export async function openStream(route: Route, model: string): Promise<() => void> {
  const controller = new AbortController();
  const response = await route.ask(model, controller.signal);
  const reader = response.body!.pipeThrough(
    new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>,
  )
    .getReader();
  for (let text = ""; !text.includes("word");) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`${route.name} ended before its first token`);
    text += value;
  }
  return () => {
    controller.abort();
    reader.cancel().catch(() => {});
  };
}
