import type { Deps } from "../../../shared/deps.ts";
import type { Finding } from "./calls.ts";

/**
 * Tells all instances what was learnt of a model, in the background. A model that was silent for less than this only
 * shows how impatient its agent is: other agents must not lose it for that.
 */
const PATIENT_MS = 10_000;

/** Reports a failure of a model, or the success of one that failed last. */
export function reportFinding(
  { candidate, model, timeouts, fault }: Finding,
  { rpc, background }: Pick<Deps, "rpc" | "background">,
): void {
  const isPatient = Math.min(timeouts.firstTokenMs, timeouts.betweenTokensMs) >= PATIENT_MS;
  if (fault?.name === "timeout" && !isPatient) return;
  background(rpc.reportProvider({
    provider: candidate.provider,
    model: candidate.modelId,
    failed: fault !== null,
    retryAfter: fault && fault.retryAfterMs > 0 ? Math.ceil(fault.retryAfterMs / 1000) : null,
    error: fault?.name ?? null,
    providerKeyId: model.providerKeyId,
  }));
}
