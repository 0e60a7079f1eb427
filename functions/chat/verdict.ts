import { type Problem, problem } from "../../shared/errors.ts";
import type { AnswerEnd } from "./model/calls.ts";
import type { StopReason } from "./lease.ts";
import type { SettlementRequest } from "./settlement.ts";

/** What a turn came to, as it is stored and told. */
export interface Verdict {
  outcome: SettlementRequest["outcome"];
  finishReason: string;
  problem: Problem | null;
}

/** Judges how answering ended; `stopped` says why it was told to stop, null when nobody did. */
export function judge(end: AnswerEnd, stopped: StopReason | null): Verdict {
  if (end.kind === "finished") {
    return { outcome: "completed", finishReason: end.finishReason, problem: null };
  }
  if (end.kind === "failed") return { outcome: "failed", finishReason: "error", problem: end.problem };
  switch (stopped) {
    case "kill_switch":
      return {
        outcome: "failed",
        finishReason: "error",
        problem: problem("kill_switch", "Cannot answer: answering was switched off"),
      };
    case "settled":
      return {
        outcome: "aborted",
        finishReason: "aborted",
        problem: problem("unavailable", "Cannot answer: the turn was closed"),
      };
    case "stopped":
      return { outcome: "aborted", finishReason: "stopped", problem: null };
    case null:
      // The client left: there is nobody to tell.
      return { outcome: "aborted", finishReason: "aborted", problem: null };
  }
}
