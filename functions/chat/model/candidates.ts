import type { Deps } from "../../../shared/deps.ts";
import { type Problem, toProblem } from "../../../shared/errors.ts";
import { type ResolvedModel, splitModel } from "../../../shared/models.ts";
import type { Admitted } from "../admission.ts";

/** A model that may answer a turn. */
export interface Candidate {
  provider: string;
  modelId: string;
  /** `provider/model`. */
  name: string;
  /** It failed last, so a success is news. */
  isAiling: boolean;
  /** Makes it ready to stream, once; rejects with the problem of one that cannot be called, such as a missing key. */
  ready(): Promise<ResolvedModel>;
}

type Models = Pick<Admitted, "unhealthy" | "ailing" | "provider_key"> & {
  agent: Pick<Admitted["agent"], "model" | "fallback_models">;
};

/**
 * The models that may answer, the agent's own first. Those that keep failing are left out; where all do, they are tried
 * all the same, the one first whose pause ends first.
 */
export function candidatesOf(
  { agent, unhealthy, ailing, provider_key }: Models,
  { resolveModel }: Pick<Deps, "resolveModel">,
): Candidate[] {
  const named = new Map([agent.model, ...agent.fallback_models].map((model) => {
    const split = splitModel(model);
    return [split.name, split];
  }));
  const healthy = [...named.keys()].filter((name) => !unhealthy.includes(name));
  const chosen = healthy.length > 0 ? healthy : unhealthy.filter((name) => named.has(name));
  return chosen.map((name) => {
    let resolved: Promise<ResolvedModel> | undefined;
    return {
      ...named.get(name)!,
      isAiling: ailing.includes(name),
      ready: () => resolved ??= resolveModel(name, provider_key),
    };
  });
}

/** Why a model cannot be called, such as a missing key; null when it can. */
export async function refusalOf(candidate: Candidate): Promise<Problem | null> {
  try {
    await candidate.ready();
    return null;
  } catch (error) {
    return toProblem(error);
  }
}

/** The first model that can be called; null when none can. */
export async function firstReady(candidates: readonly Candidate[]): Promise<ResolvedModel | null> {
  for (const candidate of candidates) {
    if (await refusalOf(candidate) === null) return await candidate.ready();
  }
  return null;
}
