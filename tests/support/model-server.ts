/** One thing a scripted model does: say something, call tools, send raw bytes, wait, stop moving, or break the connection. */
export type Step =
  | string
  | { tools: { id: string; name: string; arguments: string }[] }
  | { raw: string }
  | { wait: number }
  | { until: Promise<unknown> }
  | { stall: true }
  | { cut: true };

/** What a model of the server does. */
export interface Script {
  /** What its answer consists of; `["Fine."]` without. */
  steps?: readonly Step[];
  /** How it ends; `null` closes the connection without a finish. */
  finish?: string | null;
  /** What it says it has used; `null` says nothing, and without it 11 and one token for each text of the steps. */
  usage?: { prompt_tokens: number; completion_tokens: number } | null;
  /** What it bills for a prompt, from the messages; 11 without. */
  promptTokens?: (messages: { content: string }[]) => number;
  /** Refuses with this status instead of answering; `times` limits it to the first calls. */
  status?: number;
  times?: number;
  headers?: Record<string, string>;
  /** The vector of a text on the embeddings route; the default counts its letters in `dimensions` places. */
  dimensions?: number;
}

/** A request the server received. */
export interface ModelCall {
  path: string;
  model: string;
  authorization: string | null;
  headers: Headers;
  // deno-lint-ignore no-explicit-any -- the body is whatever a client sent; tests look into it
  body: any;
  /** Whether the answer is still under way. */
  open: boolean;
  /** When the client left before the end, on the clock of `performance.now()`. */
  abortedAt: number | null;
  /** What the vendor bills for it: what it has sent, whether the client stayed or not. */
  bill: { prompt_tokens: number; completion_tokens: number };
}

/** A model vendor on loopback that speaks the wire of OpenAI and Mistral. */
export interface ModelServer {
  /** Its base URL, `…/v1`. */
  url: string;
  calls: ModelCall[];
  /** Tells what a model does from now on. */
  play(model: string, script: Script): void;
  close(): Promise<void>;
}

/** Starts a model vendor on a free port of 127.0.0.1. */
export function startModelServer(): ModelServer {
  const scripts = new Map<string, Script>();
  const calls: ModelCall[] = [];
  const ending = new AbortController();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    if (request.method === "GET" && pathname === "/v1/models") {
      return Response.json({
        object: "list",
        data: [...scripts.keys()].map((id) => ({ id, object: "model" })),
      });
    }
    const body = await request.json();
    const call: ModelCall = {
      path: pathname,
      model: body.model,
      authorization: request.headers.get("authorization"),
      headers: request.headers,
      body,
      open: true,
      abortedAt: null,
      bill: { prompt_tokens: 0, completion_tokens: 0 },
    };
    calls.push(call);
    const script = scripts.get(body.model) ?? {};
    const before = calls.filter(({ model }) => model === body.model).length - 1;
    if (script.status !== undefined && before < (script.times ?? Infinity)) {
      call.open = false;
      return refusal(script);
    }
    if (pathname === "/v1/embeddings") return embeddings(call, script);
    if (pathname !== "/v1/chat/completions") return new Response("Not found", { status: 404 });
    call.bill.prompt_tokens = script.usage?.prompt_tokens ?? script.promptTokens?.(body.messages) ??
      PROMPT_TOKENS;
    return body.stream ? streamed(call, script, ending.signal) : await whole(call, script);
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/v1`,
    calls,
    play: (model, script) => void scripts.set(model, script),
    async close() {
      ending.abort();
      await server.shutdown();
    },
  };
}

const PROMPT_TOKENS = 11;

function refusal({ status, headers }: Script): Response {
  const message = `The model answers ${status}`;
  return Response.json({ message, error: { message, type: "server_error", code: null, param: null } }, {
    status,
    headers,
  });
}

function embeddings(call: ModelCall, { dimensions = 8 }: Script): Response {
  call.open = false;
  const inputs: string[] = [call.body.input].flat();
  const data = inputs.map((text, index) => {
    const embedding = new Array(dimensions).fill(0);
    for (const character of text) embedding[character.codePointAt(0)! % dimensions]++;
    return { object: "embedding", index, embedding };
  });
  // Vendors do not promise an order, only the index.
  return Response.json({
    object: "list",
    model: call.model,
    data: data.reverse(),
    usage: { prompt_tokens: 1 },
  });
}

function usageOf(call: ModelCall, { usage }: Script): Record<string, unknown> {
  if (usage === null) return {};
  const { prompt_tokens, completion_tokens } = usage ?? call.bill;
  return { usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens } };
}

const stepsOf = ({ steps }: Script): readonly Step[] => steps ?? ["Fine."];

async function whole(call: ModelCall, script: Script): Promise<Response> {
  let content = "";
  for (const step of stepsOf(script)) {
    if (typeof step === "string") {
      content += step;
      call.bill.completion_tokens++;
    } else if ("wait" in step) await new Promise((resolve) => setTimeout(resolve, step.wait));
    else if ("until" in step) await step.until;
  }
  call.open = false;
  return Response.json({
    id: "call",
    object: "chat.completion",
    created: 1,
    model: call.model,
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: script.finish ?? "stop" }],
    ...usageOf(call, script),
  });
}

function streamed(call: ModelCall, script: Script, ending: AbortSignal): Response {
  const encoder = new TextEncoder();
  const events = eventsOf(call, script);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value: event } = events.next();
      if (done) {
        call.open = false;
        return controller.close();
      }
      if (typeof event === "string") return controller.enqueue(encoder.encode(event));
      if ("cut" in event) {
        call.open = false;
        return controller.error(new Error("The connection breaks"));
      }
      if ("wait" in event) await new Promise((resolve) => timer = setTimeout(resolve, event.wait));
      else if ("until" in event) await event.until;
      // A stall ends with the server or when the client leaves.
      else await new Promise((resolve) => ending.addEventListener("abort", resolve, { once: true }));
      if (call.open) controller.enqueue(encoder.encode(": \n\n"));
    },
    cancel() {
      clearTimeout(timer);
      call.open = false;
      call.abortedAt = performance.now();
    },
  }, { highWaterMark: 0 });
  return new Response(stream, { headers: { "content-type": "text/event-stream" } });
}

/** The events of an answer on the wire, and the pauses between them. */
function* eventsOf(
  call: ModelCall,
  script: Script,
): Generator<string | Exclude<Step, string | { raw: string } | { tools: unknown }>> {
  const chunk = (delta: object, finish_reason: string | null, more: object = {}) =>
    `data: ${
      JSON.stringify({
        id: "call",
        object: "chat.completion.chunk",
        created: 1,
        model: call.model,
        choices: [{ index: 0, delta, finish_reason }],
        ...more,
      })
    }\n\n`;
  let role: object = { role: "assistant" };
  for (const step of stepsOf(script)) {
    if (typeof step === "string") {
      call.bill.completion_tokens++;
      yield chunk({ ...role, content: step }, null);
      role = {};
    } else if ("tools" in step) {
      // In pieces, and those of several calls mixed, as vendors send them.
      const calls = step.tools.map(({ id, name }, index) => ({
        index,
        id,
        type: "function",
        function: { name },
      }));
      yield chunk({ ...role, content: null, tool_calls: calls }, null);
      role = {};
      for (const half of [0, 1]) {
        for (const [index, { arguments: json }] of step.tools.entries()) {
          call.bill.completion_tokens++;
          const middle = Math.ceil(json.length / 2);
          const piece = half === 0 ? json.slice(0, middle) : json.slice(middle);
          yield chunk({ tool_calls: [{ index, function: { arguments: piece } }] }, null);
        }
      }
    } else if ("raw" in step) yield step.raw;
    else yield step;
  }
  if (script.finish === null) return;
  yield chunk({}, script.finish ?? "stop", usageOf(call, script));
  yield "data: [DONE]\n\n";
}
