import { assertEquals } from "@std/assert";
import { settle, type SettlementRequest } from "../../../functions/chat/settlement.ts";
import { problem } from "../../../shared/errors.ts";
import { createLog } from "../../../shared/log.ts";
import type { Rpc } from "../../../shared/rpc.ts";

const request: SettlementRequest = {
  turnId: "turn",
  outcome: "completed",
  answer: "Yes.",
  provider: "local",
  model: "quote",
  inputTokens: 1,
  outputTokens: 1,
  responseTimeMs: 1,
};
const settled = {
  settled: true as const,
  duplicate: false,
  message_id: "message",
  created_at: "2026-11-20T00:00:00Z",
  usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 },
};

function database(faults: Error[]) {
  const calls: SettlementRequest[] = [];
  const events: string[] = [];
  const work: Promise<unknown>[] = [];
  const settleTurn = (args: SettlementRequest) => {
    calls.push(args);
    const fault = faults.shift();
    return fault ? Promise.reject(fault) : Promise.resolve(settled);
  };
  const deps = {
    rpc: { settleTurn } as unknown as Rpc,
    log: createLog((line) => events.push(JSON.parse(line).event)),
    background: (promise: Promise<unknown>) => void work.push(promise),
  };
  return { deps, calls, events, finished: () => Promise.all(work) };
}

Deno.test("a turn is settled by one call", async () => {
  const { deps, calls, finished } = database([]);
  assertEquals(await settle(request, deps), settled);
  await finished();
  assertEquals(calls, [request]);
});

Deno.test("when the database is away the caller does not wait, and the same settlement is tried until it is back", async () => {
  const away = () => problem("unavailable", "away");
  const { deps, calls, events, finished } = database([away(), away()]);
  assertEquals(await settle(request, deps), null);
  assertEquals(calls.length, 1);
  await finished();
  assertEquals(calls, [request, request, request]);
  assertEquals(events, ["settlement_failed", "settled_late"]);
});

Deno.test("a settlement that the database refuses is left to the reaper", async () => {
  const { deps, calls, events, finished } = database([
    problem("unavailable", "away"),
    new Error("a fault of ours"),
  ]);
  assertEquals(await settle(request, deps), null);
  await finished();
  assertEquals(calls.length, 2);
  assertEquals(events, ["settlement_failed", "settlement_left_to_reaper"]);
  const refused = database([new Error("a fault of ours")]);
  assertEquals(await settle(request, refused.deps), null);
  await refused.finished();
  assertEquals(refused.calls.length, 1);
});
