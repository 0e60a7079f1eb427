-- Limits and usage: rate limits, monthly counters with reservations, the ledger, prices, incidents, and what a turn
-- starts from.

-- Tables ------------------------------------------------------------------------------------------------------------

-- No CHECKs: PostgreSQL prepares each anew for every statement, and the functions below alone write here, many times a second.
create unlogged table public.rate_limits (
  key text primary key,
  window_seconds integer not null,
  total integer not null,
  recent integer not null,
  recent_at timestamptz not null,
  steady_until timestamptz not null,
  marks bigint[] not null default '{}',
  blocked_until timestamptz
) with (fillfactor = 50);
comment on table public.rate_limits is
  'One row per limited key: a log of what was spent within the window. UNLOGGED: a crash of the database frees every limit, blocks included.';
comment on column public.rate_limits.total is 'All that is in the log: recent and the marks.';
comment on column public.rate_limits.recent is
  'Spent in the last sixtieth of the window in which something was, and at recent_at the last of it.';
comment on column public.rate_limits.steady_until is
  'Until then a spending is an addition: the sixtieth goes on, no mark leaves the window, and no block is set.';
comment on column public.rate_limits.marks is
  'Spendings before that, oldest first, at most 60: milliseconds since 1970 of the last one in a sixtieth of the window, times 2^20, plus how much was spent in it.';

create table public.usage_counters (
  scope text not null,
  subject_id uuid not null,
  period date not null,
  owner_id uuid not null references public.users (id) on delete cascade,
  messages bigint not null default 0,
  tokens bigint not null default 0,
  cost numeric(20, 10) not null default 0,
  reserved_messages bigint not null default 0,
  reserved_tokens bigint not null default 0,
  reserved_cost numeric(20, 10) not null default 0,
  message_limit bigint,
  token_limit bigint,
  cost_limit numeric(20, 10),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint usage_counters_pkey primary key (scope, subject_id, period),
  constraint usage_counters_scope_is_known check (scope in ('owner', 'agent', 'key')),
  constraint usage_counters_period_is_a_month check (extract(day from period) = 1),
  constraint usage_counters_are_not_negative check (messages >= 0 and tokens >= 0 and cost >= 0 and reserved_messages >= 0
    and reserved_tokens >= 0 and reserved_cost >= 0)
) with (fillfactor = 50);
comment on table public.usage_counters is
  'Used and reserved in a month (UTC) by an owner, an agent or a key; it hangs on the owner, so deleting an agent gives nothing back. The limits are those of the last admission.';
create index usage_counters_owner on public.usage_counters (owner_id, period);
create trigger usage_counters_updated_at before update on public.usage_counters
  for each row execute function public.update_updated_at_column();

create table public.usage_logs (
  id uuid primary key default private.uuid_v7(),
  owner_id uuid not null,
  agent_id uuid,
  api_key_id uuid,
  turn_id uuid,
  kind text not null default 'chat',
  provider text not null,
  model text not null,
  input_tokens integer not null default 0,
  output_tokens integer not null default 0,
  cost numeric(20, 10) not null default 0,
  currency text not null default 'USD',
  priced boolean not null default false,
  status text not null,
  error_code text,
  latency_ms integer,
  first_token_ms integer,
  created_at timestamptz not null default now(),
  constraint usage_logs_kind_is_known check (kind in ('chat', 'embedding')),
  constraint usage_logs_tokens_are_not_negative check (input_tokens >= 0 and output_tokens >= 0),
  constraint usage_logs_cost_is_not_negative check (cost >= 0),
  constraint usage_logs_currency_is_a_code check (currency ~ '^[A-Z]{3}$'),
  constraint usage_logs_status_is_known check (status in ('completed', 'failed', 'aborted')),
  constraint usage_logs_latency_is_not_negative check (latency_ms >= 0 and first_token_ms >= 0)
) partition by range (id);
comment on table public.usage_logs is
  'The ledger: one row per settled turn, appended and never changed. It has no keys to agents, API keys or turns, because it outlives them.';
create index usage_logs_owner on public.usage_logs (owner_id, id);
create index usage_logs_agent on public.usage_logs (agent_id, id);
create index usage_logs_api_key on public.usage_logs (api_key_id, id);

create table public.model_prices (
  provider text not null,
  model text not null,
  valid_from timestamptz not null default now(),
  input_per_million numeric(14, 6) not null,
  output_per_million numeric(14, 6) not null,
  currency text not null default 'USD',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint model_prices_pkey primary key (provider, model, valid_from),
  constraint model_prices_are_not_negative check (input_per_million >= 0 and output_per_million >= 0),
  constraint model_prices_currency_is_a_code check (currency ~ '^[A-Z]{3}$')
);
comment on table public.model_prices is
  'Price lists, per million tokens. Settlement takes the row valid at that time; a model without one costs 0 and is marked as not priced. Admins keep it.';
create trigger model_prices_updated_at before update on public.model_prices for each row execute function public.update_updated_at_column();

create table public.security_incidents (
  id uuid primary key default gen_random_uuid(),
  kind text not null,
  severity text not null default 'medium',
  subject text not null,
  hour timestamptz not null,
  agent_id uuid references public.agents (id) on delete cascade,
  session_id text,
  address_hash text,
  details jsonb not null default '{}',
  count integer not null default 1,
  resolved boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint security_incidents_one_per_subject_and_hour unique (kind, subject, hour),
  constraint security_incidents_kind_is_known check (kind in ('rate_limit', 'injection', 'disclosure', 'role_override', 'anomaly',
    'key_guessing', 'webhook_signature')),
  constraint security_incidents_severity_is_known check (severity in ('low', 'medium', 'high', 'critical')),
  constraint security_incidents_details_are_an_object check (jsonb_typeof(details) = 'object'),
  constraint security_incidents_count_is_positive check (count > 0)
);
comment on table public.security_incidents is
  'What looked like an attack, one row per kind, subject and hour, counted. Never the text of a message.';
create index security_incidents_agent_id on public.security_incidents (agent_id, created_at);
create index security_incidents_created_at on public.security_incidents (created_at);
create trigger security_incidents_updated_at before update on public.security_incidents
  for each row execute function public.update_updated_at_column();

create table public.provider_health (
  id uuid primary key default gen_random_uuid(),
  provider text not null,
  model text not null,
  provider_key_id uuid references public.provider_keys (id) on delete cascade,
  failures integer not null default 1,
  failed_at timestamptz not null default now(),
  skip_until timestamptz,
  probing boolean not null default false,
  last_error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint provider_health_one_per_model_and_key unique nulls not distinct (provider, model, provider_key_id),
  constraint provider_health_failures_are_positive check (failures > 0),
  constraint provider_health_last_error_is_short check (char_length(last_error) <= 200)
);
comment on table public.provider_health is
  'Models that failed last, shared by all function instances: failures in a row, and until when the model is skipped. A success removes the row. A failure with a user''s own key is that key''s alone.';
comment on column public.provider_health.provider_key_id is 'The user''s key it was called with; null for the installation''s.';
comment on column public.provider_health.probing is 'The pause is over and one turn tries; `skip_until` is how long the others wait for its report.';
create index provider_health_provider_key_id on public.provider_health (provider_key_id);
create trigger provider_health_updated_at before update on public.provider_health
  for each row execute function public.update_updated_at_column();

insert into private.partitioned_tables (name) values ('usage_logs');
select private.ensure_partitions('usage_logs');

-- Starting values, to be compared with the vendors' lists; admins add a row when one changes.
insert into public.model_prices (provider, model, valid_from, input_per_million, output_per_million, currency) values
  ('local', '*', '2020-01-01', 0, 0, 'USD'),
  ('mistral', 'mistral-large-latest', '2020-01-01', 0.5, 1.5, 'USD'),
  ('mistral', 'mistral-medium-latest', '2020-01-01', 0.4, 2, 'USD'),
  ('mistral', 'mistral-small-latest', '2020-01-01', 0.1, 0.3, 'USD'),
  ('openai', 'gpt-4o', '2020-01-01', 2.5, 10, 'USD'),
  ('openai', 'gpt-4o-mini', '2020-01-01', 0.15, 0.6, 'USD');

-- Rights ------------------------------------------------------------------------------------------------------------

alter table public.rate_limits enable row level security;
alter table public.usage_counters enable row level security;
alter table public.usage_logs enable row level security;
alter table public.model_prices enable row level security;
alter table public.security_incidents enable row level security;
alter table public.provider_health enable row level security;

revoke all on public.rate_limits, public.usage_counters, public.usage_logs, public.model_prices, public.security_incidents,
  public.provider_health from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.rate_limits, public.usage_counters, public.model_prices, public.security_incidents,
  public.provider_health to service_role;
-- The ledger is appended to, and nothing else, by the role of the functions too.
grant select, insert on public.usage_logs to service_role;
grant select on public.usage_counters, public.usage_logs, public.model_prices, public.security_incidents to authenticated;
grant insert (provider, model, valid_from, input_per_million, output_per_million, currency),
  update (input_per_million, output_per_million, currency), delete on public.model_prices to authenticated;
grant update (resolved) on public.security_incidents to authenticated;

create policy nobody on public.rate_limits as restrictive for all to anon, authenticated using (false);
create policy nobody on public.provider_health as restrictive for all to anon, authenticated using (false);
create policy "owners and admins read counters" on public.usage_counters for select to authenticated
  using (owner_id = (select auth.uid()) or (select private.is_admin()));
create policy "owners, members and admins read the ledger" on public.usage_logs for select to authenticated
  using (owner_id = (select auth.uid()) or agent_id = any (array(select private.visible_agents('viewer'))) or (select private.is_admin()));
create policy "everybody signed in reads prices" on public.model_prices for select to authenticated using (true);
create policy "admins add prices" on public.model_prices for insert to authenticated with check ((select private.is_admin()));
create policy "admins change prices" on public.model_prices for update to authenticated using ((select private.is_admin()))
  with check ((select private.is_admin()));
create policy "admins remove prices" on public.model_prices for delete to authenticated using ((select private.is_admin()));
create policy "members and admins read incidents" on public.security_incidents for select to authenticated
  using (agent_id = any (array(select private.visible_agents('viewer'))) or (select private.is_admin()));
create policy "owners and admins resolve incidents" on public.security_incidents for update to authenticated
  using (agent_id = any (array(select private.visible_agents('owner'))) or (select private.is_admin()))
  with check (agent_id = any (array(select private.visible_agents('owner'))) or (select private.is_admin()));

-- The functions of a turn switch sequential scans off: a plan made while a table is small and kept by a session would
-- go on scanning it when it is large.

-- Rate limits -------------------------------------------------------------------------------------------------------

-- A log of the window in at most 61 marks. Within a sixtieth of the window spendings share a mark with the time of the
-- last of them, so a mark leaves the window late, never early: nowhere on the time line does any span of one window
-- hold more than the limit, and a wait is at most a sixtieth too long.
create function private.sixtieth_end(window_seconds integer, as_of timestamptz) returns timestamptz
language plpgsql immutable security invoker set search_path = ''
as $$
declare
  -- Rounded up, so that a window touches at most 61 of them.
  sixtieth bigint := (window_seconds * 1000::bigint + 59) / 60;
begin
  return to_timestamp((floor(extract(epoch from as_of) * 1000)::bigint / sixtieth + 1) * sixtieth / 1000.0);
end $$;
comment on function private.sixtieth_end is 'When the sixtieth of a window ends that a moment lies in.';
revoke execute on function private.sixtieth_end from public, anon, authenticated;
grant execute on function private.sixtieth_end to service_role;

create function private.spend(key text, cost integer, capacity integer, window_seconds integer, block_seconds integer default 0,
  as_of timestamptz default clock_timestamp()) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  held record;
  spent integer;
  free_at timestamptz;
begin
  -- Read first: a refusal writes nothing. That is safe, since within a window spendings only add up.
  select l.total, l.recent, l.recent_at, l.steady_until, l.blocked_until, l.marks[1] as first_mark into held
    from public.rate_limits l where l.key = spend.key and l.window_seconds = spend.window_seconds;
  if held.total + cost <= capacity and held.steady_until > as_of then
    -- One statement: two callers cannot both take the last unit, since the second waits for the row and sees the new total.
    update public.rate_limits l set total = l.total + cost, recent = l.recent + cost, recent_at = greatest(l.recent_at, as_of)
      where l.key = spend.key and l.total + cost <= capacity and l.steady_until > as_of and l.window_seconds = spend.window_seconds
      returning l.total into spent;
    if found then
      return jsonb_build_object('allowed', true, 'count', spent, 'remaining', capacity - spent, 'limit', capacity, 'retry_after', 0,
        'reset_at', as_of + make_interval(secs => window_seconds));
    end if;
  elsif held.total is null then
    insert into public.rate_limits (key, window_seconds, total, recent, recent_at, steady_until)
    values (spend.key, spend.window_seconds, cost, cost, as_of, private.sixtieth_end(spend.window_seconds, as_of)) on conflict do nothing;
    if found then
      return jsonb_build_object('allowed', true, 'count', cost, 'remaining', capacity - cost, 'limit', capacity, 'retry_after', 0,
        'reset_at', as_of + make_interval(secs => window_seconds));
    end if;
  elsif held.total > capacity - cost and held.blocked_until is null and block_seconds = 0 then
    -- In whole milliseconds, rounded up, as the marks are kept.
    free_at := to_timestamp(coalesce(held.first_mark >> 20,
      ceil(extract(epoch from held.recent_at) * 1000)) / 1000.0) + make_interval(secs => window_seconds);
    if free_at > as_of and coalesce(held.first_mark & 1048575, held.recent) >= held.total + cost - capacity then
      return jsonb_build_object('allowed', false, 'count', held.total, 'remaining', greatest(0, capacity - held.total), 'limit', capacity,
        'retry_after', ceil(extract(epoch from free_at - as_of)), 'reset_at', held.recent_at + make_interval(secs => window_seconds));
    end if;
  end if;
  return private.spend_slowly(key, cost, capacity, window_seconds, block_seconds, as_of);
end $$;
comment on function private.spend is
  'Spends `cost` of `capacity` per sliding window, all or nothing; a refusal writes nothing but the start of a block. Answers as check_rate_limit. `as_of` lets tests move time.';
revoke execute on function private.spend from public, anon, authenticated;
grant execute on function private.spend to service_role;

create function private.spend_key(key text, cost integer, capacity integer) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  as_of timestamptz := clock_timestamp();
  spent integer;
begin
  -- Without the look that spares a refusal its lock: keys are mostly within their limits.
  update public.rate_limits l set total = l.total + cost, recent = l.recent + cost, recent_at = greatest(l.recent_at, as_of)
    where l.key = spend_key.key and l.total + cost <= capacity and l.steady_until > as_of and l.window_seconds = 60
    returning l.total into spent;
  if not found then
    return private.spend(key, cost, capacity, 60, 0, as_of);
  end if;
  return jsonb_build_object('allowed', true, 'count', spent, 'remaining', capacity - spent, 'limit', capacity, 'retry_after', 0,
    'reset_at', as_of + interval '1 minute');
end $$;
comment on function private.spend_key is 'Spends from a limit per minute as private.spend does, in one statement where that is an addition.';
revoke execute on function private.spend_key from public, anon, authenticated;
grant execute on function private.spend_key to service_role;

create function private.begin_sixtieth(key text, cost integer, capacity integer, window_seconds integer, as_of timestamptz) returns integer
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  now_ms bigint := floor(extract(epoch from as_of) * 1000);
  window_ms bigint := window_seconds * 1000::bigint;
  spent integer;
begin
  -- A sixtieth ended or a mark left: what is spent begins a mark of its own, and what has left goes.
  update public.rate_limits l
    set (marks, total, steady_until) = (
        select coalesce(array_agg(m order by n), '{}'), coalesce(sum(m & 1048575), 0) + cost,
          least(private.sixtieth_end(begin_sixtieth.window_seconds, as_of), to_timestamp((min(m >> 20) + window_ms) / 1000.0))
        from unnest(l.marks || ((ceil(extract(epoch from l.recent_at) * 1000)::bigint << 20) + l.recent)) with ordinality u (m, n)
        where (m >> 20) + window_ms > now_ms),
      recent = cost, recent_at = as_of
    where l.key = begin_sixtieth.key and l.window_seconds = begin_sixtieth.window_seconds and l.blocked_until is null and l.recent_at <= as_of
      and cardinality(l.marks) < 60 and l.total + cost <= capacity and l.steady_until <= as_of
    returning l.total into spent;
  return spent;
end $$;
comment on function private.begin_sixtieth is
  'Spends with a new mark in the log, and returns the new total; null where that cannot be done in one statement.';
revoke execute on function private.begin_sixtieth from public, anon, authenticated;
grant execute on function private.begin_sixtieth to service_role;

create function private.spend_slowly(key text, cost integer, capacity integer, window_seconds integer, block_seconds integer,
  as_of timestamptz)
returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  now_ms bigint := floor(extract(epoch from as_of) * 1000);
  window_ms bigint := window_seconds * 1000::bigint;
  -- Rounded up, so that a window touches at most 61 of them.
  sixtieth bigint := (window_ms + 59) / 60;
  held public.rate_limits;
  log bigint[];
  live integer;
  joins boolean;
begin
  live := private.begin_sixtieth(key, cost, capacity, window_seconds, as_of);
  if live is not null then
    return jsonb_build_object('allowed', true, 'count', live, 'remaining', capacity - live, 'limit', capacity, 'retry_after', 0,
      'reset_at', as_of + make_interval(secs => window_seconds));
  end if;
  select * into held from public.rate_limits l where l.key = spend_slowly.key;
  if not found then
    -- Forgotten since: start again with a new row.
    return private.spend(key, cost, capacity, window_seconds, block_seconds, as_of);
  end if;
  -- A look first where it may be a refusal: what is over the limit stays so. Then with the lock.
  for step in case when held.total + cost > capacity or held.blocked_until > as_of then 1 else 2 end..2 loop
    if step = 2 then
      select * into held from public.rate_limits l where l.key = spend_slowly.key for update;
      if not found then
        return private.spend(key, cost, capacity, window_seconds, block_seconds, as_of);
      end if;
    end if;
    log := array(select m from unnest(held.marks || ((ceil(extract(epoch from held.recent_at) * 1000)::bigint << 20) + held.recent)) m
      where (m >> 20) + window_ms > now_ms);
    live := (select coalesce(sum(m & 1048575), 0) from unnest(log) m);
    if held.blocked_until > as_of or live + cost > capacity then
      return private.refuse_spending(held, log, live, cost, capacity, window_ms, block_seconds, as_of);
    end if;
  end loop;
  -- The last mark goes on when it is of this sixtieth, or when there are too many.
  joins := cardinality(log) > 0 and ((log[cardinality(log)] >> 20) / sixtieth >= now_ms / sixtieth or cardinality(log) > 60);
  update public.rate_limits l set window_seconds = spend_slowly.window_seconds, total = live + cost, blocked_until = null,
      recent = case when joins then (log[cardinality(log)] & 1048575)::integer + cost else cost end,
      recent_at = case when joins then greatest(held.recent_at, as_of) else as_of end,
      marks = case when joins then log[:cardinality(log) - 1] else log end,
      steady_until = least(private.sixtieth_end(spend_slowly.window_seconds, as_of), to_timestamp(((log[1] >> 20) + window_ms) / 1000.0))
    where l.key = spend_slowly.key;
  return jsonb_build_object('allowed', true, 'count', live + cost, 'remaining', capacity - live - cost, 'limit', capacity, 'retry_after', 0,
    'reset_at', as_of + make_interval(secs => window_seconds));
end $$;
comment on function private.spend_slowly is
  'Spends where the log must be read: a sixtieth ended, a mark left the window, the limit is reached.';
revoke execute on function private.spend_slowly from public, anon, authenticated;
grant execute on function private.spend_slowly to service_role;

create function private.refuse_spending(held public.rate_limits, log bigint[], live integer, cost integer, capacity integer,
  window_ms bigint, block_seconds integer, as_of timestamptz) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  block_end timestamptz := held.blocked_until;
  free_at timestamptz;
  reset_at timestamptz := to_timestamp(((log[cardinality(log)] >> 20) + window_ms) / 1000.0);
begin
  if live + cost > capacity then
    -- When enough of the oldest marks have left the window.
    select to_timestamp(((x.mark >> 20) + window_ms) / 1000.0) into free_at
      from (select m as mark, sum(m & 1048575) over (order by n) as freed from unnest(log) with ordinality u (m, n)) x
      where live - x.freed + cost <= capacity order by x.freed limit 1;
    if block_seconds > 0 and (block_end is null or block_end <= as_of) then
      -- The one write of a refusal: the start of a block, by whoever comes first.
      block_end := as_of + make_interval(secs => block_seconds);
      update public.rate_limits l set blocked_until = block_end, steady_until = '-infinity'
        where l.key = held.key and (l.blocked_until is null or l.blocked_until <= as_of);
    end if;
  end if;
  if block_end > as_of then
    -- The window may be full for longer than the block lasts.
    free_at := greatest(free_at, block_end);
    reset_at := greatest(reset_at, block_end);
    live := greatest(live, capacity);
  end if;
  return jsonb_build_object('allowed', false, 'count', live, 'remaining', greatest(0, capacity - live), 'limit', capacity,
    'retry_after', ceil(extract(epoch from free_at - as_of)), 'reset_at', reset_at);
end $$;
comment on function private.refuse_spending is
  'The answer of a refusal, with the true wait, and the start of a block where one is wanted and none is running.';
revoke execute on function private.refuse_spending from public, anon, authenticated;
grant execute on function private.refuse_spending to service_role;

create function public.check_rate_limit(p_key text, p_max_requests integer, p_window_seconds integer, p_cost integer default 1,
  p_block_seconds integer default 0) returns jsonb
language plpgsql volatile security invoker set search_path = '' set enable_seqscan = off
as $$
begin
  if (char_length(p_key) between 1 and 500 and p_max_requests between 1 and 1000000 and p_window_seconds between 1 and 2592000
    and p_cost between 1 and p_max_requests and p_block_seconds between 0 and 2592000) is not true then
    raise exception 'validation_failed' using errcode = 'PT422',
      detail = 'p_key has 1 to 500 characters, p_max_requests is 1 to 1000000, p_window_seconds 1 to 2592000, p_cost 1 to p_max_requests, p_block_seconds 0 to 2592000.';
  end if;
  return private.spend(p_key, p_cost, p_max_requests, p_window_seconds, p_block_seconds);
end $$;
comment on function public.check_rate_limit is
  'Exact sliding-window limit under any concurrency. A refusal costs nothing; `retry_after` is the wait in whole seconds, rounded up, 0 when allowed.';
revoke execute on function public.check_rate_limit from public, anon, authenticated;
grant execute on function public.check_rate_limit to service_role;

create function private.forget_rate_limits(as_of timestamptz default now()) returns integer
language sql volatile security invoker set search_path = ''
as $$
  with old as (
    select l.key from public.rate_limits l
    where l.recent_at < as_of - make_interval(secs => l.window_seconds) and (l.blocked_until is null or l.blocked_until < as_of)
    limit 10000 for update skip locked
  ), gone as (delete from public.rate_limits l using old where l.key = old.key returning 1)
  select count(*)::integer from gone
$$;
comment on function private.forget_rate_limits is 'Drops limits whose window has passed.';
revoke execute on function private.forget_rate_limits from public, anon, authenticated;
grant execute on function private.forget_rate_limits to service_role;

-- Keys --------------------------------------------------------------------------------------------------------------

create function private.month_of(as_of timestamptz) returns date
language plpgsql immutable security invoker set search_path = ''
as $$
begin
  return date_trunc('month', as_of at time zone 'UTC')::date;
end $$;
comment on function private.month_of is 'The month (UTC) that quotas and budgets count in.';
revoke execute on function private.month_of from public, anon, authenticated;
grant execute on function private.month_of to service_role;

create function private.quota(owner_id uuid, as_of timestamptz default now()) returns jsonb
language sql stable security definer set search_path = ''
as $$
  select jsonb_build_object(
    'messages', jsonb_build_object('limit', p.messages, 'used', coalesce(c.messages, 0),
      'reserved', coalesce(c.reserved_messages, 0), 'resets_at', r.resets_at),
    'tokens', jsonb_build_object('limit', p.tokens, 'used', coalesce(c.tokens, 0),
      'reserved', coalesce(c.reserved_tokens, 0), 'resets_at', r.resets_at),
    'documents', private.document_quota(u.id),
    'agents', jsonb_build_object('limit', p.agents, 'used', (select count(*) from public.agents a where a.owner_id = u.id and a.deleted_at is null)))
  from public.users u
  join public.plans p on p.name = u.plan
  cross join lateral (select (private.month_of(as_of) + interval '1 month') at time zone 'UTC' as resets_at) r
  left join public.usage_counters c on c.scope = 'owner' and c.subject_id = u.id and c.period = private.month_of(as_of)
  where u.id = quota.owner_id
$$;
comment on function private.quota is 'What the plan of an owner allows and what is used and reserved of it.';
revoke execute on function private.quota from public, anon, authenticated;
grant execute on function private.quota to service_role;


create function public.usage_summary(month date default null) returns jsonb
language sql stable security definer set search_path = ''
as $$
  select coalesce(private.quota((select auth.uid()), coalesce(month::timestamp at time zone 'UTC', now())), '{}')
$$;
comment on function public.usage_summary is
  'Used, reserved, limit and reset of each quota of the caller in a month, the current one without argument.';
revoke execute on function public.usage_summary from public, anon, service_role;
grant execute on function public.usage_summary to authenticated;

create function private.touch_key(key_id uuid, last_used_at timestamptz, as_of timestamptz) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  if last_used_at is null or last_used_at < as_of - interval '1 minute' then
    update public.api_keys k set last_used_at = as_of
      where k.id = touch_key.key_id and (k.last_used_at is null or k.last_used_at < as_of - interval '1 minute');
  end if;
end $$;
comment on function private.touch_key is 'Notes when a key was used, at most once a minute.';
revoke execute on function private.touch_key from public, anon, authenticated;
grant execute on function private.touch_key to service_role;

create function public.validate_api_key(p_key_hash text, p_origin text default null, p_cost integer default 0) returns jsonb
language plpgsql volatile security invoker set search_path = '' set enable_seqscan = off
as $$
declare
  held record;
  more jsonb;
begin
  if p_key_hash is null or length(p_key_hash) <> 64 or translate(p_key_hash, '0123456789abcdef', '') <> '' or p_cost is null
    or p_cost not between 0 and 1000 then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'p_key_hash is a lower-case hex SHA-256, p_cost is 0 to 1000.';
  end if;
  -- The answer is built where the rows are read: one statement and one expression less for a call made with every request.
  select k.id, k.limit_group, k.requests_per_minute, k.last_used_at, a.id as agent_id, a.owner_id, a.instructions,
    case when k.revoked_at <= now() then 'revoked' when k.expires_at <= now() then 'expired'
      -- A user's agents are hidden with the user.
      when a.deleted_at is not null then 'unknown' when not a.is_active then 'agent_inactive'
      when cardinality(k.allowed_origins) > 0 and (p_origin is null or p_origin <> all (k.allowed_origins)) then 'origin_not_allowed' end as refusal,
    jsonb_build_object('valid', true, 'key_id', k.id, 'name', k.name, 'agent_id', a.id, 'owner_id', a.owner_id,
      'agent_name', a.name, 'model_id', a.model,
      'system_prompt', null, 'rag_enabled', a.rag_enabled, 'scopes', k.scopes, 'expires_at', k.expires_at, 'allowed_origins', k.allowed_origins,
      'embedding_model', a.embedding_model, 'language', a.language,
        'limits', jsonb_build_object('requests_per_minute', k.requests_per_minute)) as answer
  into held
  from public.api_keys k join public.agents a on a.id = k.agent_id where k.key_hash = p_key_hash;
  if not found or held.refusal is not null then
    return jsonb_build_object('valid', false, 'code', coalesce(held.refusal, 'unknown'));
  end if;
  if p_cost > 0 then
    more := jsonb_build_object('rate', private.spend_key('key:' || held.limit_group, least(p_cost, held.requests_per_minute),
      held.requests_per_minute));
  else
    more := jsonb_build_object('quota', private.quota(held.owner_id),
      -- Whose prompt lacks a fact answers nothing.
      'system_prompt', (select case when b.prompts #>> '{*,faults}' is null then coalesce(b.prompts #>> '{*,text}', held.instructions) end
        from private.agent_briefs b where b.agent_id = held.agent_id));
  end if;
  if held.last_used_at is null or held.last_used_at < now() - interval '1 minute' then
    -- A lost second of when a key was used does no harm; waiting for the disk does.
    perform set_config('synchronous_commit', 'off', true);
    perform private.touch_key(held.id, held.last_used_at, now());
  end if;
  return held.answer || more;
end $$;
comment on function public.validate_api_key is
  'The agent''s configuration for a key hash, or why the key is refused. With a cost it spends the key''s limit and answers `rate`; without it answers `quota` and the prompt.';
revoke execute on function public.validate_api_key from public, anon, authenticated;
grant execute on function public.validate_api_key to service_role;

create function public.report_incident(kind text, severity text, subject text, agent_id uuid default null, session_id text default null,
  address_hash text default null, details jsonb default '{}') returns void
language sql volatile security invoker set search_path = ''
as $$
  insert into public.security_incidents as i (kind, severity, subject, hour, agent_id, session_id, address_hash, details)
  values (report_incident.kind, report_incident.severity, report_incident.subject, date_trunc('hour', now(), 'UTC'),
    report_incident.agent_id, report_incident.session_id, report_incident.address_hash, report_incident.details)
  on conflict on constraint security_incidents_one_per_subject_and_hour do update
    set count = i.count + 1, severity = (
      select s.severity from unnest(array['critical', 'high', 'medium', 'low']) with ordinality s (severity, rank)
      where s.severity in (i.severity, excluded.severity) order by s.rank limit 1)
$$;
comment on function public.report_incident is 'Records an incident: one row per kind, subject and hour, counted, as grave as its gravest.';
revoke execute on function public.report_incident from public, anon, authenticated;
grant execute on function public.report_incident to service_role;

-- Health of model providers ---------------------------------------------------------------------------------------

create function private.provider_pause(failures integer) returns interval
language sql immutable security invoker set search_path = ''
as $$
  select case when failures >= 3 then least(interval '15 seconds' * power(2, least(failures, 10) - 3), interval '5 minutes') end
$$;
comment on function private.provider_pause is
  'How long a model is skipped after so many failures in a row: from the third on 15 s, twice as long each time, at most 5 minutes.';
revoke execute on function private.provider_pause from public, anon, authenticated;
grant execute on function private.provider_pause to service_role;

create function private.note_failure(provider text, model text, retry_after integer, error text, provider_key_id uuid, as_of timestamptz)
  returns void
language sql volatile security invoker set search_path = ''
as $$
  -- A key that was deleted meanwhile has no health.
  insert into public.provider_health as h (provider, model, provider_key_id, last_error, skip_until, failed_at)
  select note_failure.provider, note_failure.model, note_failure.provider_key_id, note_failure.error,
    case when retry_after > 0 then as_of + make_interval(secs => least(retry_after, 300)) end, as_of
  where note_failure.provider_key_id is null or exists (select from public.provider_keys k where k.id = note_failure.provider_key_id)
  on conflict on constraint provider_health_one_per_model_and_key do update
    set (failures, failed_at, skip_until, probing, last_error) = (
      select n.failures, greatest(h.failed_at, as_of),
        greatest(case when n.is_skipped then h.skip_until else as_of + private.provider_pause(n.failures) end, excluded.skip_until),
        false, excluded.last_error
      from (
        select s.is_skipped,
          -- What a crowd reports at once is one failure: those that come while the model is skipped add nothing.
          case when s.is_skipped then h.failures when h.failed_at < as_of - interval '1 hour' then 1 else h.failures + 1 end as failures
        from (select coalesce(h.skip_until > as_of and not h.probing, false) as is_skipped) s) n)
$$;
comment on function private.note_failure is
  'Counts a failure of a model; the third in a row, or a wait that the provider names, makes it skipped for a while. `as_of` lets tests move time.';
revoke execute on function private.note_failure from public, anon, authenticated;
grant execute on function private.note_failure to service_role;

create function public.report_provider(provider text, model text, failed boolean, retry_after integer default null,
  error text default null, provider_key_id uuid default null) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  if num_nulls(provider, model, failed) > 0 or char_length(provider) not between 1 and 200 or char_length(model) not between 1 and 200
    or retry_after < 0 or char_length(error) > 200 then
    raise exception 'validation_failed' using errcode = 'PT422',
      detail = 'provider and model have 1 to 200 characters, failed is needed, retry_after is not negative, error has at most 200 characters.';
  end if;
  if failed then
    perform private.note_failure(provider, model, retry_after, error, provider_key_id, now());
  else
    delete from public.provider_health h where h.provider = report_provider.provider and h.model = report_provider.model
      and h.provider_key_id is not distinct from report_provider.provider_key_id;
  end if;
end $$;
comment on function public.report_provider is
  'Notes how a call of a model went: a failure (with the seconds that the provider asks to wait, if any) counts, a success forgets them all.';
revoke execute on function public.report_provider from public, anon, authenticated;
grant execute on function public.report_provider to service_role;

create function private.failing_models(models text[], provider_key_id uuid)
  returns table (name text, id uuid, skip_until timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select n.provider || '/' || n.model, h.id, h.skip_until
  from unnest(models) with ordinality m (name, place)
  -- A bare name is one of Mistral.
  cross join lateral (select case when strpos(m.name, '/') > 0 then split_part(m.name, '/', 1) else 'mistral' end as provider,
    case when strpos(m.name, '/') > 0 then substr(m.name, strpos(m.name, '/') + 1) else m.name end as model) n
  left join public.provider_keys k on k.id = failing_models.provider_key_id and k.provider = n.provider
  left join public.provider_health h on h.provider = n.provider and h.model = n.model and h.provider_key_id is not distinct from k.id
  order by m.place
$$;
comment on function private.failing_models is
  'Models as `provider/model`, in order, with the row of their health where they failed last; a user''s key counts for the models of its own provider.';
revoke execute on function private.failing_models from public, anon, authenticated;
grant execute on function private.failing_models to service_role;

create function private.provider_states(models text[], provider_key_id uuid default null, as_of timestamptz default now()) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  h record;
  ailing text[] := '{}'::text[];
  skipped text[] := '{}'::text[];
  untils timestamptz[] := '{}'::timestamptz[];
  may_be_tried boolean := true;
begin
  if not exists (select from public.provider_health) then
    return '{"unhealthy": [], "ailing": []}'::jsonb;
  end if;
  for h in select s.* from private.failing_models(models, provider_key_id) s loop
    if h.id is not null then
      ailing := ailing || h.name;
    end if;
    if h.skip_until <= as_of and may_be_tried then
      -- The pause is over: one turn tries, and the others wait for what it reports.
      update public.provider_health x set probing = true, skip_until = as_of + interval '30 seconds'
        where x.id = (select y.id from public.provider_health y where y.id = h.id and y.skip_until <= as_of for update skip locked);
      if not found then
        h.skip_until := as_of + interval '30 seconds';
      end if;
    end if;
    if h.skip_until > as_of then
      skipped := skipped || h.name;
      untils := untils || h.skip_until;
    elsif h.skip_until is null then
      -- This one will answer: those behind it are not tried.
      may_be_tried := false;
    end if;
  end loop;
  return jsonb_build_object('ailing', to_jsonb(ailing), 'unhealthy', to_jsonb(array(
    select u.name from unnest(skipped, untils) as u (name, until) order by u.until)));
end $$;
comment on function private.provider_states is
  'Of an agent''s models, in its order: `unhealthy` are to be skipped now, the first to come back first; `ailing` failed last, so that a success is to be reported. After a pause one caller is given the model to try.';
revoke execute on function private.provider_states from public, anon, authenticated;
grant execute on function private.provider_states to service_role;

create function private.forget_provider_health(as_of timestamptz default now()) returns integer
language sql volatile security invoker set search_path = ''
as $$
  with gone as (
    delete from public.provider_health h
    where h.failed_at < as_of - interval '1 hour' and (h.skip_until is null or h.skip_until < as_of) returning 1)
  select count(*)::integer from gone
$$;
comment on function private.forget_provider_health is 'Forgets failures after an hour without another one.';
revoke execute on function private.forget_provider_health from public, anon, authenticated;
grant execute on function private.forget_provider_health to service_role;

-- What a turn starts from -------------------------------------------------------------------------------------------

create function private.model_cost(provider text, model text, input_tokens bigint, output_tokens bigint, as_of timestamptz,
  out cost numeric, out currency text, out priced boolean)
language plpgsql stable security invoker set search_path = ''
as $$
begin
  select m.input_per_million * input_tokens / 1000000 + m.output_per_million * output_tokens / 1000000, m.currency, true into cost, currency, priced
  from public.model_prices m where m.provider = model_cost.provider and m.model in (model_cost.model, '*') and m.valid_from <= as_of
  order by m.model = '*', m.valid_from desc limit 1;
  if not found then
    cost := 0;
    currency := 'USD';
    priced := false;
  end if;
end $$;
comment on function private.model_cost is
  'Cost of a call by the price valid then, exact to ten digits; without a price 0 and `priced` false.';
revoke execute on function private.model_cost from public, anon, authenticated;
grant execute on function private.model_cost to service_role;

create function private.agent_facts(agent_id uuid) returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
begin
  return (select coalesce(jsonb_agg(jsonb_build_object('key', f.key, 'value', f.value, 'category', f.category) order by f.category, f.key), '[]')
  from public.company_facts f where f.agent_id = agent_facts.agent_id and f.active and btrim(f.value) <> '');
end $$;
comment on function private.agent_facts is 'The active company facts of an agent, for its prompt.';
revoke execute on function private.agent_facts from public, anon, authenticated;
grant execute on function private.agent_facts to service_role;

create function private.prompt_versions_for(agent_id uuid) returns table (language text, version_id uuid, content text, is_shared boolean)
language sql stable security invoker set search_path = ''
as $$
  -- The pinned version alone; else the agent's own active `main`; else, without instructions of its own, chatbot_main.
  with agent as (select a.id, a.prompt_version_id, a.instructions = '' as is_bare from public.agents a where a.id = prompt_versions_for.agent_id),
  own as (
    select p.language, v.id, v.content from agent a join public.prompts p on p.agent_id = a.id and p.name = 'main'
      join public.prompt_versions v on v.prompt_id = p.id and v.active
    where a.prompt_version_id is null)
  select null, v.id, v.content, false from agent a join public.prompt_versions v on v.id = a.prompt_version_id
  union all select o.*, false from own o
  union all select p.language, v.id, v.content, true from agent a join public.prompts p on p.agent_id is null and p.name = 'chatbot_main'
    join public.prompt_versions v on v.prompt_id = p.id and v.active
  where a.is_bare and a.prompt_version_id is null and not exists (select from own)
$$;
comment on function private.prompt_versions_for is
  'The versions that an agent answers with now, by the language of the question; none where it has only instructions.';
revoke execute on function private.prompt_versions_for from public, anon, authenticated;
grant execute on function private.prompt_versions_for to service_role;

-- What an agent is told at every question, made ready when it changes, not when it is asked.
create table private.agent_briefs (
  agent_id uuid not null,
  facts jsonb not null,
  prompts jsonb not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint agent_briefs_pkey primary key (agent_id),
  constraint agent_briefs_agent_id_fkey foreign key (agent_id) references public.agents (id) on delete cascade,
  constraint agent_briefs_facts_are_a_list check (jsonb_typeof(facts) = 'array'),
  constraint agent_briefs_prompts_are_an_object check (jsonb_typeof(prompts) = 'object')
);
comment on table private.agent_briefs is
  'The active facts of each agent, and the prompts it answers with, completed: {language: {text, version_id, faults}}, `*` for every other language. Kept by triggers.';
create trigger agent_briefs_updated_at before update on private.agent_briefs
  for each row execute function public.update_updated_at_column();
alter table private.agent_briefs enable row level security;
revoke all on private.agent_briefs from public, anon, authenticated;
grant select on private.agent_briefs to service_role;
create policy nobody on private.agent_briefs as restrictive for all to anon, authenticated using (false);

create function private.ready_prompt(agent_id uuid, version_id uuid, content text, facts jsonb, is_shared boolean) returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
declare
  told jsonb := facts;
  faults text := private.fault_text(content, told);
begin
  -- A prompt of the installation serves every agent: where a fact is gone, with what a new agent starts with.
  if faults is not null and is_shared then
    told := private.installation_facts(agent_id, content);
    faults := private.fault_text(content, told);
  end if;
  return jsonb_build_object('text', private.render_prompt(content, told), 'version_id', version_id, 'faults', faults);
end $$;
comment on function private.ready_prompt is 'A version completed with an agent''s facts, as {text, version_id, faults}; `faults` says which facts it lacks, or is null.';
revoke execute on function private.ready_prompt from public, anon, authenticated;
grant execute on function private.ready_prompt to service_role;

create function private.write_brief(agent_id uuid) returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  facts jsonb;
begin
  -- Of two changes at once the second waits here, and then sees what the first one wrote.
  perform 1 from public.agents a where a.id = write_brief.agent_id for no key update;
  facts := private.fact_values(write_brief.agent_id);
  insert into private.agent_briefs as b (agent_id, facts, prompts)
  select a.id, private.agent_facts(a.id), (
    select coalesce(jsonb_object_agg(coalesce(v.language, '*'), private.ready_prompt(a.id, v.version_id, v.content, facts, v.is_shared)), '{}') from (
      select * from private.prompt_versions_for(a.id) x where x.language is not null
      -- Another language than the agent has: its own language, else the prompt of every language, else the first.
      union all (select '*', x.version_id, x.content, x.is_shared from private.prompt_versions_for(a.id) x
        order by coalesce(x.language = a.language, false) desc, x.language is null desc, x.language limit 1)) v)
  from public.agents a where a.id = write_brief.agent_id
  on conflict on constraint agent_briefs_pkey do update set facts = excluded.facts, prompts = excluded.prompts;
end $$;
comment on function private.write_brief is 'Makes the brief of an agent anew.';
revoke execute on function private.write_brief from public, anon, authenticated;

create function private.renew_briefs() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  changed jsonb := to_jsonb(coalesce(new, old));
  agent uuid;
begin
  agent := case tg_table_name when 'agents' then changed ->> 'id' when 'prompt_versions' then (
    select p.agent_id::text from public.prompts p where p.id = (changed ->> 'prompt_id')::uuid) else changed ->> 'agent_id' end::uuid;
  if agent is not null then
    perform private.write_brief(agent);
  elsif tg_table_name in ('prompts', 'prompt_versions') then
    -- A prompt of the installation is that of every agent without one of its own.
    perform private.write_brief(a.id) from public.agents a
      where a.instructions = '' and a.prompt_version_id is null and a.deleted_at is null order by a.id;
  end if;
  return null;
end $$;
comment on function private.renew_briefs is 'Trigger function: keeps the briefs of the agents that a change concerns.';
revoke execute on function private.renew_briefs from public, anon, authenticated;
create trigger agents_brief_when_made after insert on public.agents for each row execute function private.renew_briefs();
create trigger agents_brief after update of name, instructions, language, prompt_version_id on public.agents
  for each row when ((old.name, old.instructions, old.language, old.prompt_version_id)
    is distinct from (new.name, new.instructions, new.language, new.prompt_version_id))
  execute function private.renew_briefs();
create trigger company_facts_brief after insert or update or delete on public.company_facts
  for each row execute function private.renew_briefs();
create trigger prompts_brief after delete on public.prompts for each row execute function private.renew_briefs();
create trigger prompt_versions_brief after insert or update of active on public.prompt_versions
  for each row when (new.active) execute function private.renew_briefs();
select private.write_brief(a.id) from public.agents a;

create function private.admin_prompt(agent_id uuid) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select private.ready_prompt(admin_prompt.agent_id, v.id, v.content, private.fact_values(admin_prompt.agent_id), true)
  from public.prompts p join public.prompt_versions v on v.prompt_id = p.id and v.active
  where p.agent_id is null and p.name = 'admin_system' order by p.language is null desc, p.language limit 1
$$;
comment on function private.admin_prompt is 'The prompt of the channel admin, as {text, version_id, faults}: the installation''s active `admin_system`.';
revoke execute on function private.admin_prompt from public, anon, authenticated;
grant execute on function private.admin_prompt to service_role;

create function private.cost_estimate(model_name text, input_tokens bigint, output_tokens bigint) returns numeric
language plpgsql stable security invoker set search_path = ''
as $$
begin
  return (select c.cost from private.model_cost(
    case when strpos(model_name, '/') > 0 then split_part(model_name, '/', 1) else 'mistral' end,
    case when strpos(model_name, '/') > 0 then substr(model_name, strpos(model_name, '/') + 1) else model_name end,
    input_tokens, output_tokens, now()) c);
end $$;
comment on function private.cost_estimate is
  'What a turn may cost at most, by the price of the agent''s first model; a bare name is one of Mistral.';
revoke execute on function private.cost_estimate from public, anon, authenticated;
grant execute on function private.cost_estimate to service_role;

-- Upkeep ------------------------------------------------------------------------------------------------------------

create function private.close_idle_conversations(as_of timestamptz default now()) returns integer
language sql volatile security invoker set search_path = ''
as $$
  with idle as (
    select c.id from public.conversations c
    where c.status = 'active' and c.updated_at < as_of - make_interval(mins => (private.setting('conversationIdleMinutes') #>> '{}')::integer)
    order by c.updated_at limit 5000 for update skip locked
  ), closed as (update public.conversations c set status = 'closed', closed_at = as_of from idle where c.id = idle.id returning 1)
  select count(*)::integer from closed
$$;
comment on function private.close_idle_conversations is
  'Closes conversations without a message for conversationIdleMinutes; the next message opens them again.';
revoke execute on function private.close_idle_conversations from public, anon, authenticated;
grant execute on function private.close_idle_conversations to service_role;

create function private.can_erase(agent_id uuid) returns boolean
language sql stable security invoker set search_path = ''
as $$
  select exists (select from public.document_chunks c where c.agent_id = can_erase.agent_id)
    or exists (select from public.documents d where d.agent_id = can_erase.agent_id and (d.deleted_at is null or d.file_path is null))
    or exists (select from public.conversations v where v.agent_id = can_erase.agent_id
      and not exists (select from public.turns t where t.conversation_id = v.id and t.settled_at is null))
    or not exists (select from public.documents d where d.agent_id = can_erase.agent_id
      union all select from public.conversations v where v.agent_id = can_erase.agent_id)
$$;
comment on function private.can_erase is 'Whether something of a hidden agent, or itself, can go now.';
revoke execute on function private.can_erase from public, anon, authenticated;
grant execute on function private.can_erase to service_role;

create function private.erase_agents(as_of timestamptz default now()) returns integer
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  agent uuid;
  removed integer;
begin
  -- A minute after it was hidden nobody works on it any more. One that waits for its originals to leave the bucket, or
  -- for a turn to end, holds up no other.
  select a.id into agent from public.agents a
    where a.deleted_at < as_of - interval '1 minute' and private.can_erase(a.id) order by a.deleted_at limit 1 for update skip locked;
  if not found then
    return 0;
  end if;
  delete from public.chunk_terms t where t.ctid = any (array(select x.ctid from public.chunk_terms x where x.agent_id = agent limit 50000));
  delete from public.document_chunks c where c.id in (select x.id from public.document_chunks x where x.agent_id = agent limit 5000);
  delete from public.conversations v where v.id in (
    select x.id from public.conversations x where x.agent_id = agent
      and not exists (select from public.turns t where t.conversation_id = x.id and t.settled_at is null) limit 200);
  if not exists (select from public.document_chunks c where c.agent_id = agent) then
    -- Originals in the bucket go first; their rows remember the paths until then.
    update public.documents d set deleted_at = as_of, lease = null, leased_until = null where d.agent_id = agent and d.deleted_at is null;
    delete from public.documents d where d.agent_id = agent and d.file_path is null;
  end if;
  perform set_config('app.erasing', 'on', true);
  delete from public.agents a where a.id = agent
    and not exists (select from public.document_chunks c where c.agent_id = agent)
      and not exists (select from public.documents d where d.agent_id = agent)
    and not exists (select from public.conversations v where v.agent_id = agent);
  get diagnostics removed = row_count;
  perform set_config('app.erasing', 'off', true);
  return removed;
end $$;
comment on function private.erase_agents is
  'Erases one hidden agent, a bounded batch a call; returns 1 when the last of it went. The ledger and the counters stay with the owner.';
revoke execute on function private.erase_agents from public, anon, authenticated;
grant execute on function private.erase_agents to service_role;

select private.add_job('forget_provider_health', 'sql', 'forget_provider_health', interval '10 minutes');
select private.add_job('forget_rate_limits', 'sql', 'forget_rate_limits', interval '10 minutes', takes_locks => true);
select private.add_job('close_idle_conversations', 'sql', 'close_idle_conversations', interval '1 minute', takes_locks => true);
select private.add_job('erase_agents', 'sql', 'erase_agents', interval '5 seconds');
