-- What a hosted project has besides Auth, as far as the migrations touch it. Run by a superuser on a fresh database.

-- The role that deploys is no superuser. Roles belong to the whole server, so another run may have made it.
do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'parley_deployer') then
    create role parley_deployer login createrole createdb bypassrls;
    grant anon, authenticated, service_role to parley_deployer with admin option;
  end if;
  if exists (select from pg_catalog.pg_roles where rolname = 'agent_reader') then
    grant agent_reader to parley_deployer with admin option;
  end if;
  execute format('alter database %I owner to parley_deployer', current_database());
  execute format('alter database %I set search_path = "$user", public, extensions', current_database());
end $$;
-- The CLI makes its own history with its first push.
drop schema supabase_migrations cascade;
grant all on schema auth to parley_deployer;
grant all on all tables in schema auth to parley_deployer;

-- A hosted project lets its deployer create these; elsewhere vector and plpgsql_check need a superuser.
create schema extensions authorization parley_deployer;
grant usage on schema extensions to anon, authenticated, service_role;
create extension vector schema extensions;
create extension plpgsql_check schema extensions;

-- Storage, reduced to what a migration may read or write.
create schema storage authorization parley_deployer;
create table storage.buckets (
  id text primary key,
  name text not null unique,
  owner_id text,
  public boolean default false,
  file_size_limit bigint,
  allowed_mime_types text[],
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table storage.objects (
  id uuid primary key default gen_random_uuid(),
  bucket_id text references storage.buckets (id),
  name text,
  owner_id text,
  metadata jsonb,
  path_tokens text[] generated always as (string_to_array(name, '/')) stored,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;
create function storage.foldername(name text) returns text[] language sql immutable set search_path = ''
as $$ select (pg_catalog.string_to_array(name, '/'))[1:pg_catalog.cardinality(pg_catalog.string_to_array(name, '/')) - 1] $$;
alter table storage.buckets owner to parley_deployer;
alter table storage.objects owner to parley_deployer;
grant all on all tables in schema storage to anon, authenticated, service_role;
