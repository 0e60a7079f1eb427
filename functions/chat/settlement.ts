import type { Deps } from "../../shared/deps.ts";
import { Problem } from "../../shared/errors.ts";
import type { Rpc } from "../../shared/rpc.ts";

/** What a turn came to, as `settle_turn` takes it. */
export type SettlementRequest = Parameters<Rpc["settleTurn"]>[0];

/** What `settle_turn` answered. */
export type Settled = Awaited<ReturnType<Rpc["settleTurn"]>>;

// Half the lease of a turn: when the database stays away for longer, `reap_turns` settles from the stored deltas.
const RETRY_FOR_MS = 30_000;
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 4000;

/**
 * Settles a turn. When the database is away this answers null at once and goes on trying in the background, for a bounded
 * time; settlement is idempotent, so an attempt whose answer was lost, or a reaper that was faster, bills nothing twice.
 */
export async function settle(
  request: SettlementRequest,
  deps: Pick<Deps, "rpc" | "log" | "background">,
): Promise<Settled | null> {
  try {
    return await deps.rpc.settleTurn(request);
  } catch (error) {
    deps.log.error("settlement_failed", error, { turn_id: request.turnId });
    if (isOutage(error)) deps.background(retry(request, deps));
    return null;
  }
}

async function retry(request: SettlementRequest, deps: Pick<Deps, "rpc" | "log">): Promise<void> {
  const startedAt = performance.now();
  for (let delay = FIRST_DELAY_MS;; delay = Math.min(2 * delay, LONGEST_DELAY_MS)) {
    await new Promise((resolve) => setTimeout(resolve, delay));
    try {
      const { duplicate } = await deps.rpc.settleTurn(request);
      return deps.log.info("settled_late", { turn_id: request.turnId, duplicate });
    } catch (error) {
      const isLast = !isOutage(error) || performance.now() - startedAt > RETRY_FOR_MS;
      if (isLast) return deps.log.error("settlement_left_to_reaper", error, { turn_id: request.turnId });
    }
  }
}

function isOutage(error: unknown): boolean {
  return error instanceof Problem && error.code === "unavailable";
}
