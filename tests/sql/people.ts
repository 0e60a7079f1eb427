import type { Session } from "../../local/database.ts";

/** Somebody who sends requests: a database role with the claims of a token. */
export interface Actor {
  name: string;
  role: string;
  claims: Record<string, unknown> | null;
}

/** A signed-in user. */
export function user(id: string, more: Record<string, unknown> = {}): Actor {
  return { name: id, role: "authenticated", claims: { sub: id, role: "authenticated", ...more } };
}

/** A signed-in user whose token says that they are an admin. */
export function admin(id: string): Actor {
  return user(id, { app_metadata: { role: "admin" } });
}

/** A function of the project, with the secret key. */
export const service: Actor = { name: "service", role: "service_role", claims: { role: "service_role" } };

/** Makes an account, as the Auth server does; returns its id. */
export async function signUp(
  session: Session,
  email = `${crypto.randomUUID()}@example.com`,
  { verified = true }: { verified?: boolean } = {},
): Promise<string> {
  const id = crypto.randomUUID();
  await session.query(
    "insert into auth.users (id, email, email_confirmed_at) values ($1, $2, case when $3 then now() end)",
    [id, email, verified],
  );
  return id;
}

/** Makes an agent for an owner; returns its id. */
export async function makeAgent(session: Session, owner: string, name = "Shop"): Promise<string> {
  const [agent] = await session.query<{ id: string }>(
    "insert into public.agents (owner_id, name) values ($1, $2) returning id",
    [owner, name],
  );
  return agent!.id;
}

/**
 * Runs one statement as somebody inside the transaction of `session`, and keeps what it did. A statement that is
 * refused throws the database's error and leaves the transaction usable.
 */
export async function as<T = Record<string, unknown>>(
  session: Session,
  actor: Actor,
  sql: string,
  params: unknown[] = [],
): Promise<T[]> {
  await session.exec("savepoint as_somebody");
  await session.query(
    `select set_config('role', $1, true), set_config('request.jwt.claims', $2, true),
       set_config('request.jwt.claim.sub', $3, true), set_config('request.jwt.claim.role', $1, true)`,
    [actor.role, JSON.stringify(actor.claims ?? {}), String(actor.claims?.sub ?? "")],
  );
  try {
    const rows = await session.query<T>(sql, params);
    await session.exec("reset role; reset request.jwt.claims; reset request.jwt.claim.sub");
    return rows;
  } catch (error) {
    await session.exec("rollback to savepoint as_somebody");
    throw error;
  }
}

/** The one value of a statement that answers one, run as somebody. */
export async function value<T>(
  session: Session,
  actor: Actor,
  sql: string,
  params: unknown[] = [],
): Promise<T> {
  const [row] = await as<{ value: T }>(session, actor, `select ${sql} as value`, params);
  return row!.value;
}

/** What the database says when it refuses: `PT404 not_found`, or the SQLSTATE alone for what is not ours to word. */
export async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return code.startsWith("PT") ? `${code} ${message}` : code;
  }
  return "nothing was refused";
}

/** What the database says when it refuses, with its detail: `PT404 not_found: There is no such agent`. */
export async function told(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    const { code, message, detail } = error as { code: string; message: string; detail: string };
    return `${code} ${message}: ${detail}`;
  }
  return "nothing was refused";
}
