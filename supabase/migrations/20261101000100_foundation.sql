-- Foundation: extensions, schemas, the reader role, configuration, the outbox, the job list, partitions.

-- ------------------------------------------------------------------------------------------------ extensions, schemas
create schema if not exists extensions;
create extension if not exists vector with schema extensions;

do $$
begin
  if (select extnamespace from pg_catalog.pg_extension where extname = 'vector')
     is distinct from 'extensions'::regnamespace then
    raise exception 'Cannot install: extension vector is not in schema extensions'
      using hint = 'Run: alter extension vector set schema extensions';
  end if;
  if (select string_to_array(extversion, '.')::integer[] from pg_catalog.pg_extension where extname = 'vector')
     < array[0, 8] then
    raise exception 'Cannot install: extension vector is older than 0.8'
      using hint = 'Run: alter extension vector update';
  end if;
end $$;

create schema if not exists private;
create schema if not exists partitions;
comment on schema private is 'Code and tables that no client reaches: never exposed by the API.';
comment on schema partitions is 'Partitions of the tables in public: never exposed by the API.';

-- A new function is nobody's until it is granted. The form without a schema is the one that takes PUBLIC's right away.
alter default privileges revoke execute on functions from public;

-- ------------------------------------------------------------------------------------------------ roles
-- Membership (not only the admin option that a creator gets) is what lets this role give functions to agent_reader.
do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'agent_reader') then
    create role agent_reader nologin noinherit;
  end if;
  if not pg_has_role(current_user, 'agent_reader', 'usage') then
    grant agent_reader to current_user;
  end if;
end $$;

grant usage on schema extensions to authenticated, service_role, agent_reader;
grant usage on schema public to authenticated, service_role, agent_reader;
grant usage on schema private to service_role, agent_reader;

-- ------------------------------------------------------------------------------------------------ updated_at
create function public.update_updated_at_column() returns trigger
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  new.updated_at := now();
  return new;
end $$;
comment on function public.update_updated_at_column() is 'Trigger function: keeps updated_at.';
revoke execute on function public.update_updated_at_column() from public, anon, authenticated, service_role;

-- ------------------------------------------------------------------------------------------------ who is calling
create function private.is_service() returns boolean
language plpgsql stable security invoker set search_path = ''
as $$
begin
  return pg_catalog.pg_has_role(
    coalesce(nullif(current_setting('role', true), 'none'), session_user::text), 'service_role', 'usage');
end $$;
comment on function private.is_service() is
  'True for the service role and for who holds its rights. Reads the role that was set, so it also answers inside a security definer function.';
revoke execute on function private.is_service() from public, anon, authenticated;
grant execute on function private.is_service() to service_role;

-- ------------------------------------------------------------------------------------------------ configuration
create table public.app_config (
  key text not null,
  value jsonb not null,
  value_type text not null,
  description text not null,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint app_config_pkey primary key (key),
  constraint app_config_key_is_camel_case check (key ~ '^[a-z][A-Za-z0-9]{0,63}$'),
  constraint app_config_value_type_is_known
    check (value_type in ('boolean', 'integer', 'text', 'text[]', 'uuid')),
  constraint app_config_value_has_its_type check (case value_type
    when 'boolean' then jsonb_typeof(value) = 'boolean'
    when 'integer' then jsonb_typeof(value) = 'number' and value::text ~ '^[0-9]{1,9}$'
    when 'text' then jsonb_typeof(value) = 'string'
    when 'text[]' then jsonb_typeof(value) = 'array' and not jsonb_path_exists(value, '$[*] ? (@.type() != "string")')
    when 'uuid' then value = 'null' or value::text ~ '^"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"$'
    else false end),
  constraint app_config_description_is_not_empty check (description <> ''),
  constraint app_config_version_is_positive check (version > 0)
);
comment on table public.app_config is
  'Settings and live flags of the installation. Admins read all and change values; every change is in app_config_history.';
comment on column public.app_config.value_type is 'What value must be; integers are 0 to 999999999, only a uuid may be null.';

create table public.app_config_history (
  id bigint generated always as identity,
  key text not null,
  old_value jsonb,
  new_value jsonb,
  version integer not null,
  changed_by uuid,
  created_at timestamptz not null default now(),
  constraint app_config_history_pkey primary key (id),
  constraint app_config_history_version_is_positive check (version > 0)
);
create index app_config_history_key_idx on public.app_config_history (key, id);
comment on table public.app_config_history is
  'Every change of app_config, kept when the key is gone; written by a trigger only, read by admins.';
comment on column public.app_config_history.changed_by is 'The user who changed it, without a foreign key: null for a server.';

create function private.count_version() returns trigger
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  if new.value is distinct from old.value then
    new.version := old.version + 1;
  end if;
  return new;
end $$;
comment on function private.count_version() is 'Trigger function: the version of a row grows with every other value.';
revoke execute on function private.count_version() from public, anon, authenticated;

create function private.keep_app_config_history() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    insert into public.app_config_history (key, new_value, version, changed_by)
    values (new.key, new.value, new.version, auth.uid());
  elsif tg_op = 'DELETE' then
    insert into public.app_config_history (key, old_value, version, changed_by)
    values (old.key, old.value, old.version, auth.uid());
  elsif new.value is distinct from old.value then
    insert into public.app_config_history (key, old_value, new_value, version, changed_by)
    values (new.key, old.value, new.value, new.version, auth.uid());
  end if;
  return null;
end $$;
comment on function private.keep_app_config_history() is 'Trigger function: keeps every change of a setting.';
revoke execute on function private.keep_app_config_history() from public, anon, authenticated;

create trigger app_config_updated_at before update on public.app_config
  for each row execute function public.update_updated_at_column();
create trigger app_config_version before update on public.app_config
  for each row execute function private.count_version();
create trigger app_config_history after insert or update or delete on public.app_config
  for each row execute function private.keep_app_config_history();

create function private.setting(key text) returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
begin
  return (select c.value from public.app_config c where c.key = setting.key);
end $$;
comment on function private.setting(text) is 'The value of one setting, null when there is no such key.';
revoke execute on function private.setting(text) from public, anon, authenticated;
grant execute on function private.setting(text) to service_role, agent_reader;

insert into public.app_config (key, value, value_type, description) values
  ('conversationGuardEnabled', 'true', 'boolean', 'Watch conversations for injection and disclosure.'),
  ('roleLockEnabled', 'true', 'boolean', 'The agent stays in its role whatever the visitor says.'),
  ('topicLockEnabled', 'true', 'boolean', 'The agent stays on a topic once topicLockTurns is reached.'),
  ('socialApprovalRequired', 'true', 'boolean', 'A social post waits for an approval before it is published.'),
  ('killSwitch', 'false', 'boolean', 'Stop every turn of every agent at once.'),
  ('shopFirstStrict', 'false', 'boolean', 'Products and checkout come from the shop only.'),
  ('maxTurns', '50', 'integer', 'Turns of a session before it is full and needs a reset.'),
  ('conversationIdleMinutes', '60', 'integer', 'Minutes without a message after which a conversation closes.'),
  ('topicLockTurns', '3', 'integer', 'Turns on one topic after which the agent stays on it.'),
  ('sessionRequestsPerMinute', '30', 'integer', 'Requests of one session per minute; 0 is no limit.'),
  ('addressRequestsPerMinute', '300', 'integer', 'Requests of one address per minute and agent; 0 is no limit.'),
  ('defaultAgentId', 'null', 'uuid', 'The agent that saved conversations belong to when none is named.'),
  ('allowedRedirectOrigins', '[]', 'text[]', 'Origins that checkout and the billing portal may return to.');

-- ------------------------------------------------------------------------------------------------ outbox
create table public.outbox (
  id bigint generated always as identity,
  topic text not null,
  payload jsonb not null default '{}',
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  last_error text,
  processed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint outbox_pkey primary key (id),
  constraint outbox_topic_is_dotted check (topic ~ '^[a-z][a-z0-9_]*([.][a-z][a-z0-9_]*)*$'),
  constraint outbox_payload_is_an_object check (jsonb_typeof(payload) = 'object'),
  constraint outbox_attempts_is_not_negative check (attempts >= 0)
);
create index outbox_waiting_idx on public.outbox (next_attempt_at, id) where processed_at is null;
comment on table public.outbox is
  'Events, written in the transaction that causes them and delivered later. For the service role only.';
create trigger outbox_updated_at before update on public.outbox
  for each row execute function public.update_updated_at_column();

create function private.emit(topic text, payload jsonb) returns bigint
language sql volatile security definer set search_path = ''
as $$ insert into public.outbox (topic, payload) values (emit.topic, coalesce(emit.payload, '{}')) returning id $$;
comment on function private.emit(text, jsonb) is 'Stores an event in the outbox and returns its number; it exists only if the transaction commits.';
revoke execute on function private.emit(text, jsonb) from public, anon, authenticated;
grant execute on function private.emit(text, jsonb) to service_role;

-- ------------------------------------------------------------------------------------------------ jobs
create table public.jobs (
  name text not null,
  kind text not null,
  target text not null,
  every interval not null,
  takes_locks boolean not null default false,
  enabled boolean not null default true,
  next_run_at timestamptz not null default now(),
  last_run_at timestamptz,
  last_status text,
  last_error text,
  last_duration_ms integer,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint jobs_pkey primary key (name),
  constraint jobs_name_is_snake_case check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
  constraint jobs_kind_is_known check (kind in ('sql', 'function')),
  constraint jobs_target_fits_its_kind check (case kind
    when 'sql' then target ~ '^[a-z][a-z0-9_]{0,62}$'
    else target ~ '^[a-z][a-z0-9-]*(/[a-z0-9-]+)*$' end),
  constraint jobs_every_is_a_second_or_more check (every >= interval '1 second'),
  constraint jobs_last_status_is_known check (last_status in ('ok', 'failed', 'claimed')),
  constraint jobs_last_duration_is_not_negative check (last_duration_ms >= 0)
);
create index jobs_due_idx on public.jobs (next_run_at, name) where enabled;
comment on table public.jobs is
  'What runs on a schedule, the one list for pg_cron and for the local server. For the service role only.';
comment on column public.jobs.target is
  'sql: a function in schema private that needs no argument. function: a path below /functions/v1 that takes a POST with the secret key.';
comment on column public.jobs.takes_locks is 'It takes locks that others wait for: a call of run_due_jobs ends right after it.';
comment on column public.jobs.last_status is 'ok or failed for sql; claimed for function: handed to the caller.';
create trigger jobs_updated_at before update on public.jobs
  for each row execute function public.update_updated_at_column();

create function private.add_job(name text, kind text, target text, every interval, takes_locks boolean default false)
returns void
language sql volatile security definer set search_path = ''
as $$
  insert into public.jobs (name, kind, target, every, takes_locks)
  values (add_job.name, add_job.kind, add_job.target, add_job.every, add_job.takes_locks)
  on conflict on constraint jobs_pkey do update
  set kind = excluded.kind, target = excluded.target, every = excluded.every, takes_locks = excluded.takes_locks
$$;
comment on function private.add_job(text, text, text, interval, boolean) is 'Puts a job on the list, or changes it; a new one is due at once.';
revoke execute on function private.add_job(text, text, text, interval, boolean) from public, anon, authenticated;
grant execute on function private.add_job(text, text, text, interval, boolean) to service_role;

create function private.remove_job(name text) returns void
language sql volatile security definer set search_path = ''
as $$ delete from public.jobs j where j.name = remove_job.name $$;
comment on function private.remove_job(text) is 'Takes a job off the list.';
revoke execute on function private.remove_job(text) from public, anon, authenticated;
grant execute on function private.remove_job(text) to service_role;

-- A job that is late keeps its beat (a minute job called at every minute must not slip to every other one), and one
-- that missed several beats runs once.
create function private.next_beat(due timestamptz, every interval, as_of timestamptz) returns timestamptz
language sql immutable security invoker set search_path = ''
as $$ select case when due + every > as_of then due + every else as_of + every end $$;
comment on function private.next_beat(timestamptz, interval, timestamptz) is 'When a job that was due then is due again.';
revoke execute on function private.next_beat(timestamptz, interval, timestamptz) from public, anon, authenticated;

-- A cancelled statement (the caller's statement_timeout) is an outcome too: unrecorded, the same job would be the
-- first again and starve the others.
create function private.run_sql_job(target text) returns text
language plpgsql volatile security definer set search_path = ''
as $$
begin
  execute pg_catalog.format('select private.%I()', target);
  return null;
exception
  when query_canceled then return 'cancelled: ' || sqlerrm;
  when others then return sqlstate || ': ' || sqlerrm;
end $$;
comment on function private.run_sql_job(text) is 'Runs one function of schema private; null when it ended well, else its error, its work undone.';
revoke execute on function private.run_sql_job(text) from public, anon, authenticated;

create function private.run_job(job public.jobs, as_of timestamptz) returns text
language plpgsql volatile security definer set search_path = ''
as $$
declare
  started timestamptz := clock_timestamp();
  failure text;
begin
  if job.kind = 'sql' then
    failure := private.run_sql_job(job.target);
  end if;
  update public.jobs j
  set next_run_at = private.next_beat(j.next_run_at, j.every, as_of),
      last_run_at = as_of,
      last_status = case when job.kind = 'function' then 'claimed' when failure is null then 'ok' else 'failed' end,
      last_error = failure,
      last_duration_ms = extract(epoch from clock_timestamp() - started) * 1000
  where j.name = job.name;
  return failure;
end $$;
comment on function private.run_job(public.jobs, timestamptz) is 'Runs (sql) or claims (function) one job and records the outcome; returns its error or null.';
revoke execute on function private.run_job(public.jobs, timestamptz) from public, anon, authenticated;

-- The row lock is held to the end of the call and SKIP LOCKED passes it by, so no two callers run the same job at once.
create function public.run_due_jobs(as_of timestamptz default now(), budget_ms integer default 4000) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  started timestamptz := clock_timestamp();
  job public.jobs;
  failure text;
  ran jsonb := '[]'::jsonb;
  functions jsonb := '[]'::jsonb;
  more boolean;
begin
  if as_of is null or budget_ms is null or budget_ms < 1 then
    raise sqlstate 'PT422' using message = 'validation_failed', detail = 'as_of and a budget_ms above 0 are needed';
  end if;
  loop
    select j.* into job from public.jobs j
    where j.enabled and j.next_run_at <= as_of order by j.next_run_at, j.name limit 1 for update skip locked;
    exit when not found;
    failure := private.run_job(job, as_of);
    if job.kind = 'sql' then
      ran := ran || jsonb_build_object('name', job.name,
        'status', case when failure is null then 'ok' else 'failed' end, 'error', failure);
    else
      functions := functions || jsonb_build_object('name', job.name, 'path', job.target);
    end if;
    exit when job.takes_locks or failure like 'cancelled: %'
      or clock_timestamp() >= started + make_interval(secs => budget_ms / 1000.0);
  end loop;
  -- What another caller runs right now is not more for this one.
  perform 1 from public.jobs j where j.enabled and j.next_run_at <= as_of limit 1 for update skip locked;
  more := found;
  return jsonb_build_object('ran', ran, 'functions', functions, 'more', more);
end $$;
comment on function public.run_due_jobs(timestamptz, integer) is
  'Runs the sql jobs that are due, claims the function jobs for the caller to POST: { ran: [{name, status, error}], functions: [{name, path}], more }.';
revoke execute on function public.run_due_jobs(timestamptz, integer) from public, anon, authenticated;
grant execute on function public.run_due_jobs(timestamptz, integer) to service_role;

-- ------------------------------------------------------------------------------------------------ ids and partitions
-- RFC 9562, version 7: 48 bits of milliseconds, then 12 bits of the fraction (method 3), then randomness. Ids made a
-- microsecond or more apart sort by time.
create function private.uuid_v7(as_of timestamptz default clock_timestamp()) returns uuid
language plpgsql volatile security invoker set search_path = ''
as $$
-- plpgsql keeps its plan; a sql function with a setting is planned again at every call.
declare
  us bigint := (extract(epoch from as_of) * 1000000)::bigint;
begin
  return (lpad(to_hex(us / 1000), 12, '0') || '7' || lpad(to_hex((us % 1000) * 4096 / 1000), 3, '0')
    || substr(replace(gen_random_uuid()::text, '-', ''), 17))::uuid;
end $$;
comment on function private.uuid_v7(timestamptz) is 'A time-ordered id (UUIDv7) of the clock; as_of lets tests move time.';
revoke execute on function private.uuid_v7(timestamptz) from public, anon, authenticated;
grant execute on function private.uuid_v7(timestamptz) to service_role, agent_reader;

create function private.uuid_floor(ts timestamptz) returns uuid
language sql immutable security invoker set search_path = ''
as $$ select (lpad(to_hex(floor(extract(epoch from ts) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid $$;
comment on function private.uuid_floor(timestamptz) is 'The smallest id that uuid_v7 can make at this time: the bound of a partition.';
revoke execute on function private.uuid_floor(timestamptz) from public, anon, authenticated;
grant execute on function private.uuid_floor(timestamptz) to service_role, agent_reader;

create table private.partitioned_tables (
  name text not null,
  created_at timestamptz not null default now(),
  constraint partitioned_tables_pkey primary key (name),
  constraint partitioned_tables_name_is_snake_case check (name ~ '^[a-z][a-z0-9_]{0,50}$')
);
alter table private.partitioned_tables enable row level security;
comment on table private.partitioned_tables is 'The tables of public that are partitioned by month on a UUIDv7 id.';
grant select on private.partitioned_tables to service_role;

-- Attaching a month locks the default partition and the tables that foreign keys of the parent name: at most 5 ms a
-- try, so that an insert never waits longer for it.
create function private.run_with_short_locks(statements text[]) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  before text := current_setting('lock_timeout');
  statement text;
begin
  for attempt in 1..200 loop
    begin
      perform set_config('lock_timeout', '5ms', true);
      foreach statement in array statements loop
        execute statement;
      end loop;
      perform set_config('lock_timeout', before, true);
      return;
    exception when lock_not_available then
      perform pg_sleep(0.002 + random() * 0.02);
    end;
  end loop;
  perform set_config('lock_timeout', before, true);
  raise lock_not_available using message = 'Cannot get the locks to change partitions: 200 tries of 5 ms failed';
end $$;
comment on function private.run_with_short_locks(text[]) is 'Runs statements all or nothing, waiting at most 5 ms for a lock at each of 200 tries.';
revoke execute on function private.run_with_short_locks(text[]) from public, anon, authenticated;

-- Rows that landed in the default partition (no month was there) move with their keys. The foreign keys that name the
-- parent come off meanwhile, since a delete would carry off what refers to the rows.
create function private.move_statements(parent text, child text, lower_id uuid, upper_id uuid)
returns table (unlink text[], move text[], link text[])
language plpgsql stable security invoker set search_path = ''
as $$
declare
  target regclass := format('public.%I', parent)::regclass;
  rest text := format('partitions.%I', parent || '_default');
  span text := format('id >= %L and id < %L', lower_id, upper_id);
  columns text;
  present boolean;
begin
  execute format('select exists (select from %s where %s)', rest, span) into present;
  if not present then
    return query select '{}'::text[], '{}'::text[], '{}'::text[];
    return;
  end if;
  select string_agg(quote_ident(a.attname), ', ' order by a.attnum) into columns from pg_catalog.pg_attribute a
  where a.attrelid = target and a.attnum > 0 and not a.attisdropped and a.attgenerated = '';
  move := array[
    format('alter table %s disable trigger user', rest),
    format('insert into partitions.%I (%s) select %2$s from %s where %s', child, columns, rest, span),
    format('delete from %s where %s', rest, span),
    format('alter table %s enable trigger user', rest)];
  return query
    select array_agg(format('alter table %s drop constraint %I', c.conrelid::regclass, c.conname)), move,
      array_agg(format('alter table %s add constraint %I %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)))
    from pg_catalog.pg_constraint c where c.contype = 'f' and c.conparentid = 0 and c.confrelid = target;
end $$;
comment on function private.move_statements(text, text, uuid, uuid) is
  'The statements that move the rows of a month out of the default partition, and those to run before and after the attach.';
revoke execute on function private.move_statements(text, text, uuid, uuid) from public, anon, authenticated;

create function private.create_partition(parent text, child text, bounds text, moving text[], linking text[]) returns void
language sql volatile security invoker set search_path = ''
as $$
  select private.run_with_short_locks(array[
    format('create table partitions.%I (like public.%I including all excluding identity)', child, parent),
    format('alter table partitions.%I enable row level security', child),
    format('create policy nobody on partitions.%I as restrictive for all to anon, authenticated using (false)', child)]
    || moving
    || format('alter table public.%I attach partition partitions.%I %s', parent, child, bounds)
    || linking)
$$;
comment on function private.create_partition(text, text, text, text[], text[]) is 'Creates one partition that no client can read, and attaches it.';
revoke execute on function private.create_partition(text, text, text, text[], text[]) from public, anon, authenticated;

create function private.ensure_partitions(parent text, as_of timestamptz default now(), ahead integer default 3) returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  created integer := 0;
  child text;
  lower_at timestamptz;
  upper_at timestamptz;
  moving record;
begin
  if to_regclass(format('partitions.%I', parent || '_default')) is null then
    perform private.create_partition(parent, parent || '_default', 'default', '{}', '{}');
  end if;
  for month in 0..least(ahead, 120) loop
    lower_at := (date_trunc('month', as_of at time zone 'UTC') + make_interval(months => month)) at time zone 'UTC';
    upper_at := (date_trunc('month', as_of at time zone 'UTC') + make_interval(months => month + 1)) at time zone 'UTC';
    child := parent || to_char(lower_at at time zone 'UTC', '_YYYY_MM');
    continue when to_regclass(format('partitions.%I', child)) is not null;
    select * into moving from private.move_statements(parent, child, private.uuid_floor(lower_at), private.uuid_floor(upper_at));
    perform private.create_partition(parent, child,
      format('for values from (%L) to (%L)', private.uuid_floor(lower_at), private.uuid_floor(upper_at)),
      moving.unlink || moving.move, moving.link);
    created := created + 1;
  end loop;
  return created;
end $$;
comment on function private.ensure_partitions(text, timestamptz, integer) is
  'Creates the month of as_of and the months ahead of a partitioned table of public, and its default partition; returns how many months are new.';
revoke execute on function private.ensure_partitions(text, timestamptz, integer) from public, anon, authenticated;

create function private.ensure_all_partitions(as_of timestamptz default now()) returns integer
language sql volatile security definer set search_path = ''
as $$ select coalesce(sum(private.ensure_partitions(t.name, as_of)), 0)::integer from private.partitioned_tables t $$;
comment on function private.ensure_all_partitions(timestamptz) is 'Creates the months ahead of every registered table; returns how many are new.';
revoke execute on function private.ensure_all_partitions(timestamptz) from public, anon, authenticated;

select private.add_job('ensure_partitions', 'sql', 'ensure_all_partitions', interval '6 hours', takes_locks => true);

-- ------------------------------------------------------------------------------------------------ rights
-- Taken away first: an older hosted project gives every new table to every role.
alter table public.app_config enable row level security;
alter table public.app_config_history enable row level security;
alter table public.outbox enable row level security;
alter table public.jobs enable row level security;

create policy nobody on public.outbox as restrictive for all to anon, authenticated using (false);
create policy nobody on public.jobs as restrictive for all to anon, authenticated using (false);
create policy nobody on private.partitioned_tables as restrictive for all to anon, authenticated using (false);

revoke all on public.app_config, public.app_config_history, public.outbox, public.jobs
  from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.app_config, public.outbox, public.jobs to service_role;
grant select on public.app_config_history to service_role;
grant select, update (value) on public.app_config to authenticated;
grant select on public.app_config_history to authenticated;
