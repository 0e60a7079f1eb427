import type { Session } from "../../local/database.ts";
import { makeAgent, service, signUp, value } from "./people.ts";

/** An agent with a key, and who pays for it. */
export interface Client {
  ownerId: string;
  agentId: string;
  keyId: string;
  keyHash: string;
}

/** What `admit_turn` answers, as far as the tests look at it. */
export interface Admission {
  admitted: boolean;
  code?: string;
  status?: number;
  rule?: string;
  retry_after?: number;
  limits: { name: string; limit: number; remaining: number; window_seconds: number; reset_at: string }[];
  turn_id: string;
  message_id: string;
  user_message_id: string;
  conversation_id: string;
  session_id: string;
  prompt: string | null;
  history: { role: string; content: string; metadata?: Record<string, unknown> }[];
  [field: string]: unknown;
}

/** What `settle_turn` answers. */
export interface Settlement {
  settled: true;
  duplicate: boolean;
  message_id: string | null;
  created_at: string;
  usage: { input_tokens: number; output_tokens: number; total_tokens: number };
}

/** Calls a function of the API as the service role, arguments by name. */
export function call<T = Record<string, unknown>>(
  session: Session,
  name: string,
  args: Record<string, unknown> = {},
): Promise<T> {
  const given = Object.entries(args).filter(([, argument]) => argument !== undefined);
  const list = given.map(([argument], n) => `${argument} => $${n + 1}`).join(", ");
  return value<T>(session, service, `${name}(${list})`, given.map(([, argument]) => argument));
}

/** Makes an owner on a plan, an agent and its key; fields are columns of the two rows. */
export async function makeClient(
  session: Session,
  { plan = "business", agent = {}, key = {}, owner }: {
    plan?: string;
    agent?: Record<string, unknown>;
    key?: Record<string, unknown>;
    owner?: string;
  } = {},
): Promise<Client> {
  const ownerId = owner ?? await signUp(session);
  await session.query("update public.users set plan = $2 where id = $1", [ownerId, plan]);
  const agentId = await makeAgent(session, ownerId, `Shop ${crypto.randomUUID()}`);
  await change(session, "agents", agentId, agent);
  const issued = await call<{ id: string; key: string }>(session, "public.create_api_key", {
    agent_id: agentId,
    name: "widget",
  });
  await change(session, "api_keys", issued.id, key);
  return { ownerId, agentId, keyId: issued.id, keyHash: await sha256(issued.key) };
}

/** Sets columns of one row. */
export async function change(
  session: Session,
  table: string,
  id: string,
  fields: Record<string, unknown>,
): Promise<void> {
  for (const [column, field] of Object.entries(fields)) {
    await session.query(`update public.${table} set ${column} = $2 where id = $1`, [id, field]);
  }
}

/** Lower-case hex SHA-256, the form in which keys are stored. */
export async function sha256(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Asks for a turn. */
export function admit(
  session: Session,
  client: Client,
  args: Record<string, unknown> = {},
): Promise<Admission> {
  return call<Admission>(session, "public.admit_turn", {
    key_hash: client.keyHash,
    message: "May I return it?",
    message_tokens: 5,
    ...args,
  });
}

/** Settles a turn as answered in full, unless the arguments say otherwise. */
export function settle(
  session: Session,
  turnId: string,
  args: Record<string, unknown> = {},
): Promise<Settlement> {
  return call<Settlement>(session, "public.settle_turn", {
    turn_id: turnId,
    outcome: "completed",
    provider: "local",
    model: "extractive",
    answer: "Within thirty days.",
    input_tokens: 20,
    output_tokens: 10,
    ...args,
  });
}

/** A whole exchange: question, answer, bill. */
export async function exchange(
  session: Session,
  client: Client,
  args: Record<string, unknown> = {},
  answer: Record<string, unknown> = {},
): Promise<Admission> {
  const admission = await admit(session, client, args);
  if (!admission.admitted) throw new Error(`not admitted: ${JSON.stringify(admission)}`);
  await settle(session, admission.turn_id, answer);
  return admission;
}

/** The counters of a client's owner, agent and key, zero where there is no row. */
export async function counters(session: Session, client: Client) {
  const rows = await session.query<Record<string, unknown> & { scope: string }>(
    `select scope, messages::float8, tokens::float8, cost::float8, reserved_messages::float8,
       reserved_tokens::float8, reserved_cost::float8
     from public.usage_counters
     where subject_id in ($1, $2, (select limit_group from public.api_keys where id = $3)) order by scope`,
    [client.ownerId, client.agentId, client.keyId],
  );
  return Object.fromEntries(rows.map(({ scope, ...counted }) => [scope, counted]));
}

/** Every row of every table of the project, by table: two of these are equal when nothing was changed in between. */
export async function everything(session: Session): Promise<Record<string, unknown>> {
  const tables = await session.query<{ name: string }>(
    `select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ('public', 'private') and c.relkind in ('r', 'p') order by 1`,
  );
  const rows: Record<string, unknown> = {};
  for (const { name } of tables) {
    rows[name] = (await session.query(`select t::text as row from ${name} t order by 1`)).map(({ row }) =>
      row
    );
  }
  return rows;
}

/** Keeps what a turn said. */
export function append(
  session: Session,
  turnId: string,
  seq: number,
  text: string,
  more: Record<string, unknown> = {},
): Promise<{ stop: boolean; reason: string | null }> {
  return call(session, "public.append_deltas", { turn_id: turnId, seq, text, ...more });
}

/** The time so many seconds ago. */
export const ago = (seconds: number) => new Date(Date.now() - 1000 * seconds).toISOString();

/** Settles what is abandoned so many seconds from now; returns how many turns. */
export async function reap(session: Session, seconds = 0): Promise<number> {
  const [row] = await session.query<{ n: number }>(
    "select private.reap_turns(now() + make_interval(secs => $1)) as n",
    [seconds],
  );
  return row!.n;
}
