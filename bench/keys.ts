import { parseKey } from "../shared/api-key.ts";
import { type Contestant, race, ratio } from "./clients.ts";
import { openBetterAuth } from "./peers/better-auth.ts";
import { report } from "./report.ts";
import { floor, openServer } from "./server.ts";
import { addTenants } from "./tenants.ts";

// How many keys a second can one database verify, each with its rate limit, and how many turns can it admit?

const keyCount = 1000;
const server = await openServer();
const tenants = await addTenants(server, keyCount);
const peer = await openBetterAuth(server.url, keyCount);
const clients = await server.connect(32, "service_role");

const verify = async (client: number, key: string) => {
  const parsed = parseKey(key);
  if ("code" in parsed) throw new Error(parsed.code);
  const { rows } = await clients[client]!.query({
    name: "validate",
    text: "select public.validate_api_key(p_key_hash => $1, p_cost => 1) as answer",
    values: [parsed.hash],
  });
  if (!rows[0].answer.valid || !rows[0].answer.rate.allowed) throw new Error(JSON.stringify(rows[0].answer));
};

// Each turn opens a session of its own from an address of its own: no limit refuses, and history is what one has.
const admit = async (client: number, key: string) => {
  const parsed = parseKey(key);
  if ("code" in parsed) throw new Error(parsed.code);
  const { rows } = await clients[client]!.query({
    name: "admit",
    text: `select public.admit_turn(key_hash => $1, message => $2, message_tokens => 12, session_id => $3,
      visitor_id => $3, address_hash => $3, language => 'en') as answer`,
    values: [parsed.hash, "How do I reset the thermostat after a power cut?", crypto.randomUUID()],
  });
  if (!rows[0].answer.admitted) throw new Error(JSON.stringify(rows[0].answer));
};

const key = (call: number) => tenants[call % keyCount]!.key;
const contestants: Contestant[] = [
  { name: "select 1", run: floor(clients) },
  { name: "verifyApiKey, 1000 keys", run: (_, call) => peer.verify(peer.keys[call % keyCount]!) },
  { name: "validate_api_key, 1000 keys", run: (client, call) => verify(client, key(call)) },
  { name: "verifyApiKey, one key", run: () => peer.verify(peer.keys[0]!) },
  { name: "validate_api_key, one key", run: (client) => verify(client, key(0)) },
  { name: "admit_turn, 1000 keys", run: (client, call) => admit(client, key(call)) },
];
const [base, peerMany, many, peerHot, hot, admission] = await race(contestants);
report("keys", [
  { what: "select 1", value: base!.perSecond, unit: "/s" },
  { what: peerMany!.name, value: peerMany!.perSecond, unit: "/s", toFloor: ratio(peerMany!, base!) },
  {
    what: many!.name,
    value: many!.perSecond,
    unit: "/s",
    toPeer: ratio(many!, peerMany!),
    toFloor: ratio(many!, base!),
    mark: { of: "toPeer", atLeast: 8 },
  },
  { what: peerHot!.name, value: peerHot!.perSecond, unit: "/s", toFloor: ratio(peerHot!, base!) },
  {
    what: hot!.name,
    value: hot!.perSecond,
    unit: "/s",
    toPeer: ratio(hot!, peerHot!),
    toFloor: ratio(hot!, base!),
    mark: { of: "toPeer", atLeast: 10 },
  },
  {
    what: admission!.name,
    value: admission!.perSecond,
    unit: "/s",
    toPeer: ratio(admission!, peerMany!),
    toFloor: ratio(admission!, base!),
    mark: { of: "toPeer", atLeast: 2 },
  },
], { clients: 32, keys: keyCount });
await peer.close();
await server.close();
