/** One way of doing a piece of work; `run` is called over and over by every client. */
export interface Contestant {
  name: string;
  run(client: number, call: number): Promise<unknown>;
  /** Runs before each round, outside the clock: sets the stage again. */
  before?(): Promise<unknown>;
}

/** What a contestant did: calls per second of each round, and the medians over them. */
export interface Rate {
  name: string;
  perSecond: number;
  /** Median over the rounds of the median time of a call, in milliseconds. */
  callMs: number;
  rounds: number[];
}

/** How a race is run. */
export interface RaceOptions {
  clients?: number;
  rounds?: number;
  seconds?: number;
}

/** The middle value; the mean of the two middle ones for an even count. NaN when there is none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** The value below which the given share (0 to 1) of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/**
 * Runs every contestant in every round, each with all clients at once. Rounds are interleaved and start with
 * another contestant each time, so that a busy minute of the machine falls on all of them; the first round is
 * a warm-up and is not counted.
 */
export async function race(contestants: readonly Contestant[], options: RaceOptions = {}): Promise<Rate[]> {
  const { clients = 32, rounds = 5, seconds = 1.5 } = options;
  const results = contestants.map(() => ({ perSecond: [] as number[], callMs: [] as number[] }));
  for (let round = 0; round <= rounds; round++) {
    for (let step = 0; step < contestants.length; step++) {
      const index = (step + round) % contestants.length;
      const contestant = contestants[index]!;
      await contestant.before?.();
      const measured = await runRound(contestant, clients, seconds);
      if (round === 0) continue;
      results[index]!.perSecond.push(measured.perSecond);
      results[index]!.callMs.push(measured.callMs);
    }
  }
  return contestants.map((contestant, index) => ({
    name: contestant.name,
    perSecond: median(results[index]!.perSecond),
    callMs: median(results[index]!.callMs),
    rounds: results[index]!.perSecond,
  }));
}

/** How many times faster `ours` is, as the median of the ratios of the rounds that ran side by side. */
export function ratio(ours: Rate, theirs: Rate): number {
  return median(ours.rounds.map((perSecond, round) => perSecond / theirs.rounds[round]!));
}

async function runRound(contestant: Contestant, clients: number, seconds: number) {
  const times: number[] = [];
  const started = performance.now();
  const end = started + seconds * 1000;
  let call = 0;
  await Promise.all(Array.from({ length: clients }, async (_, client) => {
    for (let from = performance.now(); from < end;) {
      await contestant.run(client, call++);
      const now = performance.now();
      times.push(now - from);
      from = now;
    }
  }));
  return { perSecond: times.length / (performance.now() - started) * 1000, callMs: median(times) };
}
