/** A request that the server received. */
export interface AnthropicCall {
  path: string;
  key: string | null;
  // deno-lint-ignore no-explicit-any -- the body is whatever a client sent; tests look into it
  body: any;
}

/** Anthropic on loopback: every call is answered by the same words, as a stream of the Messages API. */
export interface AnthropicServer {
  /** Its base URL, `…/v1`. */
  url: string;
  calls: AnthropicCall[];
  close(): Promise<void>;
}

/** Starts the server on a free port of 127.0.0.1. */
export function startAnthropicServer(words: readonly string[]): AnthropicServer {
  const calls: AnthropicCall[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    const body = await request.json();
    calls.push({ path: pathname, key: request.headers.get("x-api-key"), body });
    if (pathname !== "/v1/messages") return new Response("Not found", { status: 404 });
    return new Response(events(body.model, words).join(""), {
      headers: { "content-type": "text/event-stream" },
    });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/v1`,
    calls,
    close: () => server.shutdown(),
  };
}

function events(model: string, words: readonly string[]): string[] {
  const message = { id: "msg_1", type: "message", role: "assistant", model, content: [], stop_reason: null };
  const usage = { input_tokens: 5, output_tokens: 1 };
  const delta = { stop_reason: "end_turn", stop_sequence: null };
  return [
    { type: "message_start", message: { ...message, stop_sequence: null, usage } },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    ...words.map((text) => ({
      type: "content_block_delta",
      index: 0,
      delta: { type: "text_delta", text },
    })),
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta, usage: { output_tokens: words.length } },
    { type: "message_stop" },
  ].map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
}
