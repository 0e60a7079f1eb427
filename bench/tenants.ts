import { createHash, randomBytes } from "node:crypto";
import type { BenchServer } from "./server.ts";

/** An agent of an owner of its own, on the largest plan, with one key whose limit no bench reaches. */
export interface Tenant {
  agentId: string;
  key: string;
}

/** Creates tenants straight in the tables. */
export async function addTenants(server: BenchServer, count: number): Promise<Tenant[]> {
  const tenants = Array.from({ length: count }, () => ({ agentId: crypto.randomUUID(), key: newKey() }));
  await server.query(
    `with tenant as materialized (
       select agent_id, key_hash, gen_random_uuid() as owner_id from unnest($1::uuid[], $2::text[]) as t (agent_id, key_hash)
     ), owners as (
       insert into public.users (id, email, plan) select owner_id, owner_id || '@example.com', 'business' from tenant
     ), agents as (
       insert into public.agents (id, owner_id, name, language) select agent_id, owner_id, 'Bench', 'en' from tenant
     )
     insert into public.api_keys (agent_id, name, key_hash, masked_key, limit_group, requests_per_minute)
     select agent_id, 'Bench', key_hash, 'ak_bench', gen_random_uuid(), 1000000 from tenant`,
    [tenants.map((tenant) => tenant.agentId), tenants.map((tenant) => sha256(tenant.key))],
  );
  await server.query("vacuum analyze");
  return tenants;
}

function newKey(): string {
  const random = `ak_${randomBytes(32).toString("hex")}`;
  return random + sha256(random).slice(0, 8);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
