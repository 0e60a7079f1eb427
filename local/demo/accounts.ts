import type { LocalDatabase } from "../database.ts";
import { random } from "../keys.ts";
import type { Stack } from "../stack.ts";

/** An account of the demo and how to sign in to it. */
export interface DemoAccount {
  id: string;
  email: string;
  password: string;
}

/** What the accounts are made with. */
export interface AccountTools {
  database: LocalDatabase;
  stack: Pick<Stack, "url" | "tokens">;
  publishableKey: string;
}

/** The account of this address: made if it is not there, given a new password unless `known` still is the one. */
export async function ensureAccount(
  tools: AccountTools,
  email: string,
  known: string | null,
): Promise<DemoAccount> {
  const [found] = await tools.database.query<{ id: string }>("select id from auth.users where email = $1", [
    email,
  ]);
  if (found && known) return { id: found.id, email, password: known };
  const password = random(12);
  if (found) {
    await call(tools, "PUT", "user", { password }, await tools.stack.tokens.forUser(found.id));
    return { id: found.id, email, password };
  }
  const { user } = await call(tools, "POST", "signup", { email, password });
  return { id: user.id, email, password };
}

/** Gives the account the largest plan, so that the demo does not run into quotas. */
export async function giveBusinessPlan(database: LocalDatabase, id: string): Promise<void> {
  await database.query("update public.users set plan = 'business' where id = $1 and plan <> 'business'", [
    id,
  ]);
}

/** Makes the account an administrator of the installation, as the documentation says for the first one. */
export async function makeAdmin(database: LocalDatabase, id: string): Promise<void> {
  await database.query(
    `update auth.users set raw_app_meta_data = coalesce(raw_app_meta_data, '{}') || '{"role": "admin"}'
     where id = $1 and raw_app_meta_data ->> 'role' is distinct from 'admin'`,
    [id],
  );
}

async function call(
  { stack, publishableKey }: AccountTools,
  method: string,
  path: string,
  body: Record<string, string>,
  token?: string,
): Promise<{ user: { id: string } }> {
  const response = await fetch(`${stack.url}/auth/v1/${path}`, {
    method,
    headers: {
      apikey: publishableKey,
      "content-type": "application/json",
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`auth/v1/${path} answered ${response.status}: ${await response.text()}`);
  return await response.json();
}
