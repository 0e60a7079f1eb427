import { App } from "@supabase/lite";
import type { LocalDatabase } from "./database.ts";

/**
 * Makes what a hosted project has before its first migration: schema auth, the migration history, the three API
 * roles. Safe to run at every start.
 */
export async function prelude(database: LocalDatabase): Promise<void> {
  const app = new App({
    connection: database.connection,
    // Only the schema is made here, no token is signed.
    auth: { enabled: true, jwt_secret: crypto.randomUUID() },
  });
  await app.ensureSystemSchema();
  await database.exec(roles);
}

/** Roles belong to the whole server: two starts at once must not trip over each other. */
const roles = `
do $$
declare
  needed record;
begin
  for needed in
    select * from (values
      ('anon', 'nologin noinherit'),
      ('authenticated', 'nologin noinherit'),
      ('service_role', 'nologin noinherit bypassrls')) as r (name, options)
  loop
    if not exists (select from pg_catalog.pg_roles where rolname = needed.name) then
      begin
        execute format('create role %I %s', needed.name, needed.options);
      exception when duplicate_object or unique_violation then null;
      end;
    end if;
    execute format('grant usage on schema public, auth to %I', needed.name);
    execute format('grant execute on all functions in schema auth to %I', needed.name);
  end loop;
end $$;`;
