import { median, percentile, race, ratio } from "./clients.ts";
import { startGateways } from "./gateways.ts";
import { type Figure, report } from "./report.ts";
import { openStream, readStream, type Route } from "./streams.ts";

// What does a turn cost beside calling its model directly, and beside a gateway that only passes calls on?

const turns = 300;
const warmUp = 50;
const gateways = await startGateways();
const { direct, ours, portkey } = gateways;
try {
  const figures = [
    ...await firstToken(),
    ...await hops(),
    ...await unpaced(),
    ...await paced(),
    ...await leaving(),
    ...await dying(),
  ];
  report("overhead", figures, { turns });
} finally {
  await gateways.stop();
}
Deno.exit();

/** One turn after the other: when does the first token come? */
async function firstToken(): Promise<Figure[]> {
  const routes = [direct, ours, portkey];
  const ms = new Map<string, number[]>([...routes.map(({ name }) => [name, []] as [string, number[]]), [
    "hops",
    [],
  ]]);
  for (let turn = 0; turn < turns + warmUp; turn++) {
    for (const route of routes) {
      const { firstTokenMs } = await readStream(route, "tokens-10");
      if (turn >= warmUp) ms.get(route.name)!.push(firstTokenMs);
    }
    const took = await gateways.hops();
    if (turn >= warmUp) ms.get("hops")!.push(took);
  }
  const of = (name: string, share: number) => percentile(ms.get(name)!, share);
  const added = (share: number) => of(ours.name, share) - of(direct.name, share) - of("hops", share);
  const shown = (what: string, name: string): Figure[] => [
    { what: `${what}, p50`, value: of(name, 0.5), unit: "ms" },
    { what: `${what}, p99`, value: of(name, 0.99), unit: "ms" },
  ];
  const over = (share: number) => of(portkey.name, share) - of(direct.name, share);
  return [
    ...shown("first token, direct", direct.name),
    ...shown("the two hops, bare", "hops"),
    ...shown("first token, Parley", ours.name),
    {
      what: "added over direct and hops, p50",
      value: added(0.5),
      unit: "ms",
      mark: { of: "value", atMost: 2 },
    },
    {
      what: "added over direct and hops, p99",
      value: added(0.99),
      unit: "ms",
      mark: { of: "value", atMost: 10 },
    },
    { what: "Portkey, added over direct, p50", value: over(0.5), unit: "ms" },
    { what: "Portkey, added over direct, p99", value: over(0.99), unit: "ms" },
  ];
}

/** How often is the database called before the model is? */
async function hops(): Promise<Figure[]> {
  // What a session of the database counted is seen when it has idled for ten seconds.
  const counted = async () => {
    await new Promise((resolve) => setTimeout(resolve, 11_000));
    return await gateways.databaseCalls();
  };
  const before = await counted();
  for (let turn = 0; turn < 20; turn++) await readStream(ours, "tokens-10");
  const calls = (await counted() - before) / 20;
  return [{ what: "hops before the model's call", value: calls, unit: "", mark: { of: "value", atMost: 2 } }];
}

/** 32 streams at a time, as fast as they go. */
async function unpaced(): Promise<Figure[]> {
  const tokens = 200;
  const contestant = (route: Route) => ({
    name: route.name,
    async run() {
      const streamed = await readStream(route, `tokens-${tokens}`);
      if (streamed.tokens !== tokens) {
        throw new Error(`${route.name} lost tokens: ${streamed.text.slice(-500)}`);
      }
    },
  });
  const rates = await race([direct, ours, portkey].map(contestant), { clients: 32, seconds: 2 });
  const [base, mine, peer] = rates;
  const per = (what: string, value: number) => ({ what, value: value * tokens, unit: "tokens/s" });
  return [
    per("32 streams of 200 tokens, direct", base!.perSecond),
    {
      ...per("32 streams of 200 tokens, Parley", mine!.perSecond),
      toPeer: ratio(mine!, peer!),
      mark: { of: "toPeer", atLeast: 0.5 },
    },
    per("32 streams of 200 tokens, Portkey", peer!.perSecond),
  ];
}

/** 50 streams at a time of a vendor that sends a token every 20 ms: does each keep its pace? */
async function paced(): Promise<Figure[]> {
  const streams = 50;
  const run = async (route: Route) => {
    const all = await Promise.all(
      Array.from({ length: streams }, () => readStream(route, "tokens-200-every-20")),
    );
    return all.map(({ firstTokenMs, lastTokenMs, tokens }) =>
      1000 * (tokens - 1) / (lastTokenMs - firstTokenMs)
    );
  };
  const [base, mine, peer] = [await run(direct), await run(ours), await run(portkey)];
  const pace = median(base);
  const kept = (rates: number[]) => rates.filter((rate) => Math.abs(rate / pace - 1) <= 0.01).length;
  return [
    { what: "50 paced streams, direct", value: pace, unit: "tokens/s each" },
    { what: "50 paced streams, Parley", value: median(mine), unit: "tokens/s each" },
    {
      what: "of them within 1 % of direct",
      value: kept(mine),
      unit: "",
      mark: { of: "value", atLeast: streams },
    },
    { what: "50 paced streams, Portkey", value: median(peer), unit: "tokens/s each" },
    { what: "of them within 1 % of direct", value: kept(peer), unit: "" },
  ];
}

/** 20 clients leave in the middle: what becomes of the calls to the vendor? */
async function leaving(): Promise<Figure[]> {
  const clients = 20;
  const run = async (route: Route) => {
    await gateways.forget();
    const leave = await Promise.all(
      Array.from({ length: clients }, () => openStream(route, "tokens-500-every-20")),
    );
    const left = performance.timeOrigin + performance.now();
    leave.forEach((go) => go());
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const calls = await gateways.calls();
    const ended = calls.filter((call) => call.left && call.endedAt! - left <= 250);
    return { ended: ended.length, slowest: Math.max(0, ...ended.map((call) => call.endedAt! - left)) };
  };
  const [mine, peer] = [await run(ours), await run(portkey)];
  const within = "calls ended within 250 ms after 20 clients left";
  return [
    { what: `${within}, Parley`, value: mine.ended, unit: "", mark: { of: "value", atLeast: clients } },
    { what: "the slowest of them", value: mine.slowest, unit: "ms" },
    { what: `${within}, Portkey`, value: peer.ended, unit: "" },
  ];
}

/** The vendor breaks off after 20 tokens: is the client told? */
async function dying(): Promise<Figure[]> {
  const run = async (route: Route) => {
    const { text, broke } = await readStream(route, "dies-after-20");
    return Number(broke !== null || /"error"|event: error/.test(text));
  };
  return [
    {
      what: "a vendor's death is told, Parley",
      value: await run(ours),
      unit: "",
      mark: { of: "value", atLeast: 1 },
    },
    { what: "a vendor's death is told, Portkey", value: await run(portkey), unit: "" },
  ];
}
