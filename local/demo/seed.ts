import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import type { LocalDatabase } from "../database.ts";
import type { ProjectKeys } from "../keys.ts";
import type { Stack } from "../stack.ts";
import { ensureAccount, giveBusinessPlan, makeAdmin } from "./accounts.ts";
import { type DemoAgent, demoAgents, demoModel } from "./agents.ts";
import type { DemoEnv } from "./env-file.ts";
import { ingestHandbook } from "./ingest.ts";

/** What the demo is made with. */
export interface DemoTools {
  database: LocalDatabase;
  stack: Pick<Stack, "url" | "tokens">;
  keys: ProjectKeys;
  /** What the functions find in their environment. */
  env: Record<string, string>;
}

/** The owner of the demo's agents, as a client of the REST server. */
interface Owner {
  id: string;
  client: SupabaseClient;
}

/**
 * Makes the demo where there is none and returns how to use it. `saved` is what was handed out before: what of it
 * still opens something stays, the rest is made anew and the old revoked. What the owner deleted stays deleted.
 */
export async function prepareDemo(tools: DemoTools, saved: DemoEnv | null): Promise<DemoEnv> {
  const { database, stack, keys } = tools;
  const accounts = { database, stack, publishableKey: keys.publishableKey };
  const account = await ensureAccount(accounts, "owner@demo.example", saved?.DEMO_PASSWORD ?? null);
  const admin = await ensureAccount(accounts, "admin@demo.example", saved?.DEMO_ADMIN_PASSWORD ?? null);
  const token = await stack.tokens.forUser(account.id);
  const owner = {
    id: account.id,
    client: createClient(stack.url, keys.publishableKey, { accessToken: () => Promise.resolve(token) }),
  };
  if (!await isSeeded(database, owner.id)) {
    await giveBusinessPlan(database, owner.id);
    await makeAdmin(database, admin.id);
    for (const agent of demoAgents) await seedAgent(tools, owner, agent);
    await markSeeded(database, owner.id);
  }
  const english = await access(tools, owner, "en", saved?.AGENT_API_KEY);
  const french = await access(tools, owner, "fr", saved?.AGENT_API_KEY_FR);
  return {
    SUPABASE_URL: stack.url,
    SUPABASE_PUBLISHABLE_KEY: keys.publishableKey,
    SUPABASE_SECRET_KEY: keys.secretKey,
    AGENT_API_KEY: english.key,
    AGENT_ID: english.id,
    AGENT_API_KEY_FR: french.key,
    AGENT_ID_FR: french.id,
    DEMO_EMAIL: account.email,
    DEMO_PASSWORD: account.password,
    DEMO_ADMIN_EMAIL: admin.email,
    DEMO_ADMIN_PASSWORD: admin.password,
  };
}

async function seedAgent(tools: DemoTools, owner: Owner, agent: DemoAgent): Promise<void> {
  const { name, description, instructions, language } = agent;
  const id = await findAgent(tools.database, owner.id, language) ?? (await owner.client.from("agents")
    .insert({
      name,
      description,
      instructions,
      language,
      metadata: { demo: language },
      ...demoModel(tools.env),
    })
    .select("id").single().throwOnError()).data.id as string;
  await ingestHandbook(tools, id, agent);
  if (language !== "en") return;
  await tools.database.query(
    "update public.app_config set value = to_jsonb($1::text) where key = 'defaultAgentId' and value = 'null'",
    [id],
  );
}

/** The agent's id and a key of all scopes; both empty when the owner deleted the agent. */
async function access(
  { database }: DemoTools,
  owner: Owner,
  language: string,
  saved = "",
): Promise<{ id: string; key: string }> {
  const id = await findAgent(database, owner.id, language);
  if (id === null) return { id: "", key: "" };
  if (await isValid(database, id, saved)) return { id, key: saved };
  const old = await database.query<{ id: string }>(
    "select id from public.api_keys where agent_id = $1 and name = 'demo' and revoked_at is null",
    [id],
  );
  for (const { id: key_id } of old) await owner.client.rpc("revoke_api_key", { key_id }).throwOnError();
  const { data } = await owner.client.rpc("create_api_key", {
    agent_id: id,
    name: "demo",
    scopes: ["chat", "ingest", "read"],
  }).throwOnError();
  return { id, key: data.key };
}

async function isValid(database: LocalDatabase, agentId: string, key: string): Promise<boolean> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key)));
  const hash = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const found = await database.query(
    `select from public.api_keys
     where key_hash = $1 and agent_id = $2 and revoked_at is null and (expires_at is null or expires_at > now())`,
    [hash, agentId],
  );
  return found.length > 0;
}

async function findAgent(database: LocalDatabase, ownerId: string, language: string): Promise<string | null> {
  const [found] = await database.query<{ id: string }>(
    "select id from public.agents where owner_id = $1 and metadata ->> 'demo' = $2 and deleted_at is null",
    [ownerId, language],
  );
  return found?.id ?? null;
}

// The mark stands on the account, which outlives the agents: a deleted agent must not come back at every start.
async function isSeeded(database: LocalDatabase, ownerId: string): Promise<boolean> {
  const found = await database.query(
    "select from auth.users where id = $1 and raw_app_meta_data -> 'demo' = 'true'",
    [ownerId],
  );
  return found.length > 0;
}

async function markSeeded(database: LocalDatabase, ownerId: string): Promise<void> {
  await database.query(
    `update auth.users set raw_app_meta_data = coalesce(raw_app_meta_data, '{}') || '{"demo": true}' where id = $1`,
    [ownerId],
  );
}
