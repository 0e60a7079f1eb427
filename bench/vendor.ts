// A model vendor on loopback, in a process of its own: `deno run -A bench/vendor.ts` prints its base URL. The model's name
// says what it does: `tokens-200`, `tokens-100-every-20` (milliseconds), `dies-after-20`.

/** A call that the vendor received; times are milliseconds since 1970, with fractions. */
export interface VendorCall {
  model: string;
  startedAt: number;
  endedAt: number | null;
  /** The client left before the end. */
  left: boolean;
  sent: number;
}

const calls: VendorCall[] = [];
const encoder = new TextEncoder();
const now = () => performance.timeOrigin + performance.now();

const head = '{"id":"call","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,';
const token = (n: number) =>
  encoder.encode(`data: ${head}"delta":{"content":"word${n} "},"finish_reason":null}]}\n\n`);
const last = (tokens: number) =>
  encoder.encode(
    `data: ${head}"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":${tokens},"total_tokens":${
      tokens + 9
    }}}\n\ndata: [DONE]\n\n`,
  );
// Made once: the vendor must not be what is measured.
const made = Array.from({ length: 1000 }, (_, n) => token(n));

function answer(model: string, call: VendorCall): ReadableStream<Uint8Array> {
  const [, tokens = 200, every = 0] = (/^tokens-(\d+)(?:-every-(\d+))?$/.exec(model) ?? []).map(Number);
  const dies = Number(/^dies-after-(\d+)$/.exec(model)?.[1] ?? Infinity);
  let timer: ReturnType<typeof setInterval> | undefined;
  const end = (left: boolean) => {
    clearInterval(timer);
    call.endedAt ??= now();
    call.left = left;
  };
  return new ReadableStream({
    start(controller) {
      const send = () => {
        if (call.sent === dies) {
          end(false);
          return controller.error(new Error("The vendor dies"));
        }
        if (call.sent === tokens) {
          end(false);
          controller.enqueue(last(tokens));
          return controller.close();
        }
        controller.enqueue(made[call.sent++ % made.length]!);
      };
      if (every === 0 && dies === Infinity) {
        while (call.endedAt === null) send();
        return;
      }
      // By the clock, not by the timer: a late tick sends what is due, so that every stream takes the same time.
      const pace = every || 1;
      const began = now();
      const tick = () => {
        while (call.endedAt === null && now() - began >= call.sent * pace) send();
      };
      tick();
      timer = setInterval(tick, pace / 2);
    },
    cancel: () => end(true),
  });
}

const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/calls") return Response.json(calls);
  if (pathname === "/forget") {
    calls.length = 0;
    return new Response();
  }
  const { model } = await request.json();
  const call: VendorCall = { model, startedAt: now(), endedAt: null, left: false, sent: 0 };
  calls.push(call);
  return new Response(answer(model, call), { headers: { "content-type": "text/event-stream" } });
});
console.log(`http://127.0.0.1:${server.addr.port}/v1`);
