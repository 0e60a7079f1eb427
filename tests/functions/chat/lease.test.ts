import { assertEquals } from "@std/assert";
import { type StopReason, TurnLease } from "../../../functions/chat/lease.ts";
import { problem } from "../../../shared/errors.ts";
import { createLog } from "../../../shared/log.ts";
import type { Rpc } from "../../../shared/rpc.ts";

type Appended = Parameters<Rpc["appendDeltas"]>[0];
type Answered = Awaited<ReturnType<Rpc["appendDeltas"]>>;
const goOn: Answered = { stop: false, reason: null };

/** A lease whose database answers from `answers` in turn, then always "go on"; resolves when `calls` were made. */
function holdTurn(answers: (Answered | Error)[], calls: number) {
  const appended: Appended[] = [];
  const stops: StopReason[] = [];
  const log: string[] = [];
  const done = Promise.withResolvers<void>();
  const appendDeltas = (args: Appended): Promise<Answered> => {
    const answer = answers[appended.length] ?? goOn;
    appended.push(args);
    if (appended.length === calls) setTimeout(done.resolve, 0);
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const deps = { rpc: { appendDeltas } as Rpc, log: createLog((line) => log.push(line)) };
  const lease = new TurnLease("turn", deps, {
    used: () => ({ provider: "local", model: "quote", inputTokens: 7, outputTokens: appended.length }),
    onStop: (reason) => stops.push(reason),
    everyMs: 5,
  });
  return { lease, appended, stops, log, done: done.promise };
}

Deno.test("a lease keeps what was said in numbered batches, and is extended when nothing was", async () => {
  const { lease, appended, done } = holdTurn([], 2);
  lease.keep("Refunds ");
  lease.keep("take");
  await done;
  lease.end();
  const used = { provider: "local", model: "quote", inputTokens: 7 };
  assertEquals(appended, [
    { turnId: "turn", seq: 1, text: "Refunds take", ...used, outputTokens: 0 },
    { turnId: "turn", seq: 2, text: "", ...used, outputTokens: 1 },
  ]);
});

Deno.test("a batch that may have been lost is sent again as it was, and what came since follows in the next", async () => {
  const { lease, appended, log, done } = holdTurn([problem("unavailable", "away"), goOn], 3);
  lease.keep("one");
  setTimeout(() => lease.keep("two"), 6);
  await done;
  lease.end();
  assertEquals(appended[0]?.text, "one");
  assertEquals([appended[1]?.seq, appended[1]?.text], [1, "one"]);
  assertEquals([appended[2]?.seq, appended[2]?.text], [2, "two"]);
  assertEquals(log.length, 1);
});

for (const reason of ["stopped", "kill_switch", "settled"] as const) {
  Deno.test(`a turn is told once to stop when it was ${reason}`, async () => {
    const { appended, stops, done } = holdTurn([{ stop: true, reason }], 1);
    await done;
    await new Promise((resolve) => setTimeout(resolve, 15));
    assertEquals([stops, appended.length], [[reason], 1]);
  });
}

Deno.test("a lease that was let go calls no more", async () => {
  const { lease, appended } = holdTurn([], 1);
  lease.end();
  await new Promise((resolve) => setTimeout(resolve, 15));
  assertEquals(appended, []);
});
