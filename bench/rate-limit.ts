import { type Contestant, race, ratio } from "./clients.ts";
import { openRateLimiter } from "./peers/rate-limiter.ts";
import { type Figure, report } from "./report.ts";
import { floor, openServer } from "./server.ts";

// What does a rate limit cost, where one key is hot, where it refuses, and over many keys? Is it exact, and does a
// refusal write?

const clientCount = 32;
const server = await openServer();
const clients = await server.connect(clientCount, "service_role");
const roomy = await openRateLimiter(server.url, "peer_roomy", 1_000_000_000);
const full = await openRateLimiter(server.url, "peer_full", 1);

const check = async (client: number, key: string, limit: number): Promise<boolean> => {
  const { rows } = await clients[client]!.query({
    name: "check",
    text: "select public.check_rate_limit($1, $2, 3600) as answer",
    values: [key, limit],
  });
  return rows[0].answer.allowed;
};

const expecting = (allowed: boolean, run: Contestant["run"]): Contestant["run"] => async (client, call) => {
  if (await run(client, call) !== allowed) throw new Error(`Expected allowed to be ${allowed}`);
};

const emptied = () => server.query("truncate public.rate_limits");
const filled = async () => {
  await check(0, "full", 1);
  await full.consume("full");
};
const speeds = await race([
  { name: "select 1", run: floor(clients) },
  { name: "peer, one key, allowed", run: expecting(true, () => roomy.consume("hot")) },
  {
    name: "one key, allowed",
    before: emptied,
    run: expecting(true, (client) => check(client, "hot", 1_000_000)),
  },
  { name: "peer, one key, refused", before: filled, run: expecting(false, () => full.consume("full")) },
  { name: "one key, refused", before: filled, run: expecting(false, (client) => check(client, "full", 1)) },
  { name: "peer, 10,000 keys", run: expecting(true, (_, call) => roomy.consume(`key ${call % 10_000}`)) },
  {
    name: "10,000 keys",
    run: expecting(true, (client, call) => check(client, `key ${call % 10_000}`, 1_000_000)),
  },
]);
const base = speeds[0]!;
const figures: Figure[] = speeds.map((rate, index) => ({
  what: rate.name,
  value: rate.perSecond,
  unit: "/s",
  ...(index > 0 ? { toFloor: ratio(rate, base) } : {}),
  ...(index > 0 && index % 2 === 0 ? { toPeer: ratio(rate, speeds[index - 1]!) } : {}),
}));
figures[2]!.mark = { of: "toPeer", atLeast: 5 };
figures[4]!.mark = { of: "toPeer", atLeast: 8 };
figures[6]!.mark = { of: "toPeer", atLeast: 1.2 };

report("rate-limit", [
  ...figures,
  { what: "exact races of five", value: await exactRaces(5), unit: "", mark: { of: "value", atLeast: 5 } },
  {
    what: "WAL of 1000 refusals",
    value: await walOfRefusals(1000),
    unit: "bytes",
    mark: { of: "value", atMost: 0 },
  },
], { clients: clientCount });
await roomy.close();
await full.close();
await server.close();

/** Counts the races of 32 clients over 2000 calls in which exactly the limit of 500 was allowed. */
async function exactRaces(races: number): Promise<number> {
  let exact = 0;
  for (let number = 0; number < races; number++) {
    let calls = 0, allowed = 0;
    await Promise.all(clients.map(async (_, client) => {
      while (calls++ < 2000) if (await check(client, `race ${number}`, 500)) allowed++;
    }));
    if (allowed === 500) exact++;
  }
  return exact;
}

/**
 * The WAL that refusals write: what each statement reports of itself, since a server has other work too. A commit
 * record would come after that, so a refusal must not have taken a transaction id either.
 */
async function walOfRefusals(count: number): Promise<number> {
  const [client] = await server.connect(1, "service_role");
  await filled();
  let bytes = 0;
  await client!.query("begin");
  for (let call = 0; call < count; call++) {
    const { rows } = await client!.query(
      "explain (analyze, wal, format json) select public.check_rate_limit('full', 1, 3600)",
    );
    bytes += rows[0]["QUERY PLAN"][0].Plan["WAL Bytes"];
  }
  const { rows } = await client!.query("select pg_current_xact_id_if_assigned() is null as untouched");
  await client!.query("commit");
  if (!rows[0].untouched) throw new Error("A refusal took a transaction id, so its commit is written");
  return bytes;
}
