-- Limits and usage: rate limits, monthly counters with reservations, the ledger, prices, incidents, and the functions
-- that admit and settle a turn.

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

create policy "agent_reader reads conversations" on public.conversations for select to agent_reader
  using (agent_id = (select private.current_agent()));
create policy "agent_reader reads messages" on public.messages for select to agent_reader
  using (agent_id = (select private.current_agent()));
create policy "agent_reader reads memory" on public.entity_memory for select to agent_reader
  using (agent_id = (select private.current_agent()));
grant select on public.conversations, public.messages, public.entity_memory to agent_reader;

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

create type private.caller as (key_id uuid, key_name text, limit_group uuid, scopes text[], allowed_origins text[],
  requests_per_minute integer,
  monthly_messages bigint, monthly_tokens bigint, monthly_cost numeric, expires_at timestamptz, last_used_at timestamptz, refusal text,
  agent_id uuid, agent_name text, agent_language text, agent_messages bigint, agent_tokens bigint, agent_cost numeric, model text,
  max_tokens integer, rag_enabled boolean, match_count integer,
  embedding_model text, prompt_version_id uuid, instructions text, config jsonb, owner_id uuid, plan_messages bigint, plan_tokens bigint);

create function private.load_caller(key_hash text, origin text, as_of timestamptz) returns private.caller
language plpgsql stable security invoker set search_path = ''
as $$
declare
  c private.caller;
begin
  select k.id, k.name, k.limit_group, k.scopes, k.allowed_origins, k.requests_per_minute, k.monthly_messages, k.monthly_tokens,
    k.monthly_cost, k.expires_at, k.last_used_at,
    case when k.revoked_at <= as_of then 'revoked' when k.expires_at <= as_of then 'expired'
      when a.deleted_at is not null or u.deleted_at is not null then 'unknown'
      when not a.is_active then 'agent_inactive'
      when cardinality(k.allowed_origins) > 0 and (load_caller.origin is null
        or load_caller.origin <> all (k.allowed_origins)) then 'origin_not_allowed' end,
    a.id, a.name, a.language, a.monthly_messages, a.monthly_tokens, a.monthly_cost, a.model, a.max_tokens, a.rag_enabled, a.match_count,
    a.embedding_model, a.prompt_version_id, a.instructions, a.config, u.id, p.messages, p.tokens into c
  from public.api_keys k join public.agents a on a.id = k.agent_id join public.users u on u.id = a.owner_id join public.plans p on p.name = u.plan
  where k.key_hash = load_caller.key_hash;
  return c;
end $$;
comment on function private.load_caller is 'A key with its agent and owner, and why it is refused, if it is.';
revoke execute on function private.load_caller from public, anon, authenticated;
grant execute on function private.load_caller to service_role;

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
  select k.id, k.limit_group, k.requests_per_minute, k.last_used_at, a.id as agent_id, a.owner_id, a.prompt_version_id, a.instructions, a.language,
    case when k.revoked_at <= now() then 'revoked' when k.expires_at <= now() then 'expired'
      when a.deleted_at is not null or u.deleted_at is not null then 'unknown' when not a.is_active then 'agent_inactive'
      when cardinality(k.allowed_origins) > 0 and (p_origin is null or p_origin <> all (k.allowed_origins)) then 'origin_not_allowed' end as refusal,
    jsonb_build_object('valid', true, 'key_id', k.id, 'name', k.name, 'agent_id', a.id, 'owner_id', a.owner_id,
      'agent_name', a.name, 'model_id', a.model,
      'system_prompt', null, 'rag_enabled', a.rag_enabled, 'scopes', k.scopes, 'expires_at', k.expires_at, 'allowed_origins', k.allowed_origins,
      'embedding_model', a.embedding_model, 'language', a.language,
        'limits', jsonb_build_object('requests_per_minute', k.requests_per_minute)) as answer
  into held
  from public.api_keys k join public.agents a on a.id = k.agent_id join public.users u on u.id = a.owner_id
  where k.key_hash = p_key_hash;
  if not found or held.refusal is not null then
    return jsonb_build_object('valid', false, 'code', coalesce(held.refusal, 'unknown'));
  end if;
  if p_cost > 0 then
    more := jsonb_build_object('rate', private.spend('key:' || held.limit_group, least(p_cost, held.requests_per_minute),
      held.requests_per_minute, 60));
  else
    more := jsonb_build_object('quota', private.quota(held.owner_id),
      'system_prompt', coalesce(private.agent_prompt(held.agent_id, held.prompt_version_id,
      held.instructions = '', held.language, null, private.agent_facts(held.agent_id)), held.instructions));
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
  on conflict on constraint security_incidents_one_per_subject_and_hour do update set count = i.count + 1
$$;
comment on function public.report_incident is 'Records an incident: one row per kind, subject and hour, counted.';
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
  ailing text[] := '{}';
  skipped text[] := '{}';
  untils timestamptz[] := '{}';
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

create function private.turn_memory(agent_id uuid, conversation_id uuid, token_budget integer) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  result jsonb;
begin
  perform set_config('app.agent_id', turn_memory.agent_id::text, true);
  with recent as (
    -- Newest first until the budget is full.
    select m.id, m.role, m.content, m.tokens_used, sum(m.tokens_used) over (order by m.id desc) as running
    from (
      select m.id, m.role, m.content, m.tokens_used from public.messages m
      where m.conversation_id = turn_memory.conversation_id and m.role in ('user', 'assistant') order by m.id desc limit 100
    ) m
  )
  select jsonb_build_object(
    'summary', (select c.summary from public.conversations c where c.id = turn_memory.conversation_id),
    'memory', (select coalesce(jsonb_agg(jsonb_build_object('type', e.type, 'value', e.value) order by e.updated_at), '[]')
      from public.entity_memory e where e.conversation_id = turn_memory.conversation_id),
    'history', coalesce(jsonb_agg(jsonb_build_object('role', h.role, 'content', h.content) order by h.id), '[]'),
    'tokens', coalesce(sum(h.tokens_used), 0))
  into result
  from recent h
  -- Whole exchanges only: models refuse a history that starts with an answer.
  where h.running <= token_budget and h.id >= (
    select q.id from recent q where q.running <= token_budget and q.role = 'user' order by q.id limit 1);
  perform set_config('app.agent_id', '', true);
  return result;
end $$;
comment on function private.turn_memory is 'History within a token budget, summary and memory of a conversation, read as agent_reader.';
revoke execute on function private.turn_memory from public, anon, authenticated;
grant execute on function private.turn_memory to service_role;
grant create on schema private to agent_reader;
alter function private.turn_memory owner to agent_reader;
revoke create on schema private from agent_reader;

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
  from public.company_facts f where f.agent_id = agent_facts.agent_id and f.active and f.value <> '');
end $$;
comment on function private.agent_facts is 'The active company facts of an agent, for its prompt.';
revoke execute on function private.agent_facts from public, anon, authenticated;
grant execute on function private.agent_facts to service_role;

create function private.agent_prompt(agent_id uuid, prompt_version_id uuid, without_instructions boolean, agent_language text,
  language text, facts jsonb)
returns text
language plpgsql stable security invoker set search_path = ''
as $$
declare
  found_content text;
begin
  if prompt_version_id is not null then
    select v.content into found_content from public.prompt_versions v where v.id = agent_prompt.prompt_version_id;
  else
    -- Its own `main` in the language of the question, else of the agent, else for every language.
    select v.content into found_content from public.prompts p join public.prompt_versions v on v.prompt_id = p.id and v.active
      where p.agent_id = agent_prompt.agent_id and p.name = 'main'
      order by coalesce(p.language = agent_prompt.language, false) desc, coalesce(p.language = agent_language, false) desc, p.language is null desc,
        p.language limit 1;
    if found_content is null and without_instructions then
      select v.content into found_content from public.prompts p join public.prompt_versions v on v.prompt_id = p.id and v.active
        where p.agent_id is null and p.name = 'chatbot_main'
        order by coalesce(p.language = agent_prompt.language, false) desc, coalesce(p.language = agent_language, false) desc, p.language limit 1;
    end if;
  end if;
  if strpos(found_content, '{{') > 0 then
    return private.render_prompt(found_content,
      coalesce((select jsonb_object_agg(f ->> 'key', f -> 'value') from jsonb_array_elements(facts) f), '{}'));
  end if;
  return found_content;
end $$;
comment on function private.agent_prompt is
  'The prompt an agent answers with: its pinned version, else its active prompt `main`, else, without instructions of its own, chatbot_main. Null: its instructions.';
revoke execute on function private.agent_prompt from public, anon, authenticated;
grant execute on function private.agent_prompt to service_role;

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

-- Admission ---------------------------------------------------------------------------------------------------------

create function private.refusal(code text, status integer, detail text, more jsonb default '{}') returns jsonb
language plpgsql immutable security invoker set search_path = ''
as $$
begin
  return jsonb_build_object('admitted', false, 'code', code, 'status', status, 'detail', detail) || more;
end $$;
comment on function private.refusal is 'A denied admission: the code and status of the HTTP contract, and a sentence.';
revoke execute on function private.refusal from public, anon, authenticated;
grant execute on function private.refusal to service_role;

create function private.caller_refusal(c private.caller, scope text, settings jsonb) returns jsonb
language plpgsql immutable security invoker set search_path = ''
as $$
begin
  return (select case
    when c.key_id is null or c.refusal = 'unknown' then private.refusal('key_unknown', 401,
      'The API key is not known.', jsonb_strip_nulls(jsonb_build_object('key_id', c.key_id)))
    when c.refusal = 'revoked' then private.refusal('key_revoked', 401, 'The API key was revoked.')
    when c.refusal = 'expired' then private.refusal('key_expired', 401, 'The API key has expired.')
    when c.refusal = 'agent_inactive' then private.refusal('agent_inactive', 403, 'The agent is switched off.')
    when c.refusal = 'origin_not_allowed' then private.refusal('origin_not_allowed', 403, 'The API key is not allowed from this origin.')
    when scope <> all (c.scopes) then private.refusal('scope_missing', 403, 'The API key lacks the scope ' || scope || '.')
    when settings -> 'killSwitch' = 'true' then private.refusal('kill_switch', 503, 'Chat is switched off for now.') end);
end $$;
comment on function private.caller_refusal is 'Why a key may not do this now, or null.';
revoke execute on function private.caller_refusal from public, anon, authenticated;
grant execute on function private.caller_refusal to service_role;

create function private.spend_limits(c private.caller, settings jsonb, session_id text, address_hash text) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  -- Always in this order, so that two admissions never wait for each other in a circle.
  names text[] := array['key', 'session', 'address'];
  buckets text[] := array['key:' || c.limit_group, 'session:' || c.agent_id || ':' || session_id, 'address:' || c.agent_id || ':' || address_hash];
  capacities integer[] := array[c.requests_per_minute, (settings ->> 'sessionRequestsPerMinute')::integer,
    (settings ->> 'addressRequestsPerMinute')::integer];
  states jsonb := '[]'::jsonb;
  s jsonb;
begin
  for n in 1..3 loop
    if buckets[n] is not null and capacities[n] > 0 then
      s := private.spend(buckets[n], 1, least(capacities[n], 1000000), 60);
      states := states || (s || jsonb_build_object('name', names[n], 'window_seconds', 60));
      if s -> 'allowed' = 'false' then
        return private.refusal('rate_limited', 429, 'Too many requests for this ' || names[n] || '; wait ' || (s ->> 'retry_after') || ' s.',
          jsonb_build_object('rule', names[n], 'retry_after', s -> 'retry_after', 'limits', states));
      end if;
    end if;
  end loop;
  return jsonb_build_object('limits', states);
end $$;
comment on function private.spend_limits is
  'Spends one request of the key, the session and the address, or answers the refusal of the first that is full.';
revoke execute on function private.spend_limits from public, anon, authenticated;
grant execute on function private.spend_limits to service_role;

create function private.reserve(c private.caller, month date, token_estimate bigint, cost_estimate numeric) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  reserved text[];
  missing text[];
begin
  -- The owner's row first, here as in settlement: it is the one that two turns of different agents share.
  with reserved as (
    insert into public.usage_counters as u (scope, subject_id, period, owner_id, reserved_messages, reserved_tokens, reserved_cost,
      message_limit, token_limit, cost_limit)
    select b.scope, b.subject_id, reserve.month, c.owner_id, 1, token_estimate, cost_estimate, b.message_limit, b.token_limit, b.cost_limit
    from (values ('owner', c.owner_id, c.plan_messages, c.plan_tokens, null),
      ('key', c.limit_group, c.monthly_messages, c.monthly_tokens, c.monthly_cost),
      ('agent', c.agent_id, c.agent_messages, c.agent_tokens, c.agent_cost)) as b (scope, subject_id, message_limit, token_limit, cost_limit)
    where (b.message_limit < 1 or b.token_limit < token_estimate or b.cost_limit < cost_estimate) is not true
    on conflict on constraint usage_counters_pkey do update
      set reserved_messages = u.reserved_messages + 1, reserved_tokens = u.reserved_tokens + excluded.reserved_tokens,
        reserved_cost = u.reserved_cost + excluded.reserved_cost,
        message_limit = excluded.message_limit, token_limit = excluded.token_limit, cost_limit = excluded.cost_limit
      where (u.messages + u.reserved_messages + 1 > excluded.message_limit
        or u.tokens + u.reserved_tokens + excluded.reserved_tokens > excluded.token_limit
        or u.cost + u.reserved_cost + excluded.reserved_cost > excluded.cost_limit) is not true
    returning u.scope
  )
  select array_agg(r.scope) into reserved from reserved r;
  if cardinality(reserved) = 3 then
    return null;
  end if;
  missing := array(select x.scope from unnest(array['owner', 'agent', 'key']) as x (scope) where x.scope <> all (coalesce(reserved, '{}')));
  -- Room may have come back since: then nothing names the budget but that it had none.
  return coalesce(private.budget_refusal(c, missing, month, token_estimate, cost_estimate),
    private.refusal('quota_exceeded', 429, 'The monthly budget is used up.', jsonb_build_object('rule', missing[1])));
end $$;
comment on function private.reserve is
  'Reserves one message with its estimated tokens and cost in the budgets of agent, key and plan, or answers which refuses. The caller undoes a part.';
revoke execute on function private.reserve from public, anon, authenticated;
grant execute on function private.reserve to service_role;

create function private.budget_refusal(c private.caller, scopes text[], month date, token_estimate bigint, cost_estimate numeric)
  returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
declare
  b record;
begin
  select x.name || '.' || y.name as rule, y.capacity, y.used, y.held into b
  from (values ('owner', c.owner_id, 'plan', 1), ('agent', c.agent_id, 'agent', 2),
    ('key', c.limit_group, 'key', 3)) x (scope, subject_id, name, place)
  left join public.usage_counters u on u.scope = x.scope and u.subject_id = x.subject_id and u.period = month
  cross join lateral (values
    ('messages', case x.scope when 'owner' then c.plan_messages when 'agent' then c.agent_messages else c.monthly_messages end::numeric,
      coalesce(u.messages, 0)::numeric, coalesce(u.reserved_messages, 0)::numeric, 1::numeric),
    ('tokens', case x.scope when 'owner' then c.plan_tokens when 'agent' then c.agent_tokens else c.monthly_tokens end,
      coalesce(u.tokens, 0), coalesce(u.reserved_tokens, 0), token_estimate),
    ('cost', case x.scope when 'agent' then c.agent_cost when 'key' then c.monthly_cost end,
      coalesce(u.cost, 0), coalesce(u.reserved_cost, 0), cost_estimate)
  ) y (name, capacity, used, held, wanted)
  where x.scope = any (scopes) and y.used + y.held + y.wanted > y.capacity
  order by x.place limit 1;
  if not found then
    return null;
  end if;
  return private.refusal('quota_exceeded', 429, 'The monthly ' || b.rule || ' is used up.', jsonb_build_object('rule', b.rule, 'limit', b.capacity,
    'used', b.used, 'reserved', b.held, 'resets_at', (month + interval '1 month') at time zone 'UTC'));
end $$;
comment on function private.budget_refusal is 'The refusal of the first budget among `scopes` that has no room, or null.';
revoke execute on function private.budget_refusal from public, anon, authenticated;
grant execute on function private.budget_refusal to service_role;

create function private.hold_session(c private.caller, session_id text, visitor_id text, language text, metadata jsonb, max_turns integer,
  out conversation uuid, out fresh boolean, out refused jsonb)
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  made uuid := private.uuid_v7();
  messages_before integer;
  running uuid;
begin
  insert into public.conversations as v (id, agent_id, session_id, visitor_id, api_key_id, language, metadata, message_count)
  values (made, c.agent_id, hold_session.session_id, hold_session.visitor_id, c.key_id, hold_session.language, hold_session.metadata, 1)
  on conflict on constraint conversations_one_per_session do update set message_count = v.message_count + 1, status = 'active', closed_at = null,
    visitor_id = coalesce(v.visitor_id, excluded.visitor_id), language = coalesce(excluded.language, v.language),
    -- What grows with every message has an end: then the newest counts.
    metadata = case when octet_length((v.metadata || excluded.metadata)::text) <= 16384 then v.metadata || excluded.metadata else excluded.metadata end
    where v.status <> 'deleted'
  returning v.id, v.message_count - 1 into conversation, messages_before;
  if not found then
    perform private.forget_session(c.agent_id, hold_session.session_id);
    select * into conversation, fresh, refused
      from private.hold_session(c, hold_session.session_id, hold_session.visitor_id, hold_session.language, hold_session.metadata, max_turns);
    return;
  end if;
  fresh := conversation = made;
  if fresh then
    return;
  end if;
  select t.id into running from public.turns t where t.conversation_id = conversation and t.settled_at is null;
  if found and not private.settle_abandoned(running, now()) then
    refused := private.refusal('turn_in_progress', 409,
      'The session is still being answered.', jsonb_build_object('retry_after', 1, 'turn_id', running));
  -- A turn has one question and mostly one answer: count only where it can matter.
  elsif messages_before >= max_turns
    and (select count(*) >= max_turns from public.messages m where m.conversation_id = conversation and m.role = 'user') then
    refused := private.refusal('session_full', 409, 'The session has reached ' || max_turns || ' turns; reset it or start another.');
  end if;
end $$;
comment on function private.hold_session is
  'Opens or continues the conversation of a session and locks it, or answers why it takes no turn now: one at a time, and not too many.';
revoke execute on function private.hold_session from public, anon, authenticated;
grant execute on function private.hold_session to service_role;

create function private.forget_session(agent_id uuid, session_id text) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  conversation uuid;
begin
  select v.id into conversation from public.conversations v
    where v.agent_id = forget_session.agent_id and v.session_id = forget_session.session_id for update;
  perform private.clear_conversation(conversation);
  update public.conversations v set visitor_id = null, user_id = null, language = null where v.id = conversation;
end $$;
comment on function private.forget_session is 'Empties a deleted conversation whose session goes on: what was deleted does not come back.';
revoke execute on function private.forget_session from public, anon, authenticated;
grant execute on function private.forget_session to service_role;

create function private.open_turn(c private.caller, conversation_id uuid, message text, message_tokens integer, month date,
  token_estimate bigint, cost_estimate numeric) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  turn uuid := private.uuid_v7();
  question uuid := private.uuid_v7();
  answer uuid := private.uuid_v7(clock_timestamp() + interval '2 milliseconds');
begin
  insert into public.turns (id, conversation_id, agent_id, owner_id, api_key_id, limit_group, user_message_id, message_id, period, reserved_tokens,
    reserved_cost, leased_until)
  values (turn, open_turn.conversation_id, c.agent_id, c.owner_id, c.key_id, c.limit_group, question, answer, month, token_estimate,
    cost_estimate, now() + interval '60 seconds');
  insert into public.messages (id, conversation_id, agent_id, turn_id, role, content, tokens_used)
  values (question, open_turn.conversation_id, c.agent_id, turn, 'user', message, message_tokens);
  return jsonb_build_object('admitted', true, 'turn_id', turn, 'message_id', answer, 'user_message_id', question,
    'conversation_id', open_turn.conversation_id);
end $$;
comment on function private.open_turn is 'Stores the message and opens its turn, with the id that the answer will have.';
revoke execute on function private.open_turn from public, anon, authenticated;
grant execute on function private.open_turn to service_role;

create function private.agent_settings(agent_id uuid) returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
begin
  return (select jsonb_build_object('id', a.id, 'owner_id', a.owner_id, 'name', a.name, 'role', a.role,
    'instructions', a.instructions, 'model', a.model,
      'temperature', a.temperature, 'max_tokens', a.max_tokens, 'top_p', a.top_p, 'language', a.language, 'rag_enabled', a.rag_enabled,
      'match_count', a.match_count, 'match_threshold', a.match_threshold, 'embedding_model', a.embedding_model, 'config', a.config,
        'fallback_models', a.fallback_models,
      'has_knowledge', exists (select from public.agent_knowledge k where k.agent_id = a.id and k.chunks > 0))
    from public.agents a where a.id = agent_settings.agent_id);
end $$;
comment on function private.agent_settings is 'What a function needs to know of an agent to answer for it.';
revoke execute on function private.agent_settings from public, anon, authenticated;
grant execute on function private.agent_settings to service_role;

create function private.take_turn(c private.caller, settings jsonb, message text, message_tokens integer, session_id text, visitor_id text,
  address_hash text, metadata jsonb, language text, month date) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  refused jsonb;
  spent jsonb;
  held record;
  memory jsonb := '{"history": [], "memory": [], "summary": null, "tokens": 0}'::jsonb;
  estimate bigint;
  cost numeric := 0;
begin
  -- A plan that is used up, the refusal that many repeat, needs a look and writes nothing.
  if exists (select from public.usage_counters u where u.scope = 'owner' and u.subject_id = c.owner_id and u.period = month
    and (u.messages + u.reserved_messages >= c.plan_messages or u.tokens + u.reserved_tokens >= c.plan_tokens)) then
    refused := private.budget_refusal(c, array['owner'], month, message_tokens, 0);
    if refused is not null then
      return refused;
    end if;
  end if;
  spent := private.spend_limits(c, settings, session_id, address_hash);
  if spent ? 'admitted' then
    return spent;
  end if;
  held := private.hold_session(c, session_id, visitor_id, language, metadata, (settings ->> 'maxTurns')::integer);
  if held.refused is not null then
    return held.refused;
  elsif not held.fresh then
    memory := private.turn_memory(c.agent_id, held.conversation, case when jsonb_typeof(c.config -> 'history_tokens') = 'number'
      then least(greatest((c.config ->> 'history_tokens')::numeric, 0), 200000)::integer else 3000 end);
  end if;
  -- What the prompt will hold, and the longest answer: passages have about 320 tokens, and of the instructions, which
  -- no tokenizer has counted, four characters make one. Settlement replaces it by what was used.
  estimate := message_tokens + (memory ->> 'tokens')::bigint + char_length(c.instructions) / 4 + c.max_tokens
    + case when c.rag_enabled then 320 * c.match_count else 0 end;
  if c.agent_cost is not null or c.monthly_cost is not null then
    cost := private.cost_estimate(c.model, estimate - c.max_tokens, c.max_tokens);
  end if;
  -- The counters come last: turns of one owner wait for each other there, so the wait is short.
  refused := private.reserve(c, month, estimate, cost);
  if refused is not null then
    return refused;
  end if;
  return private.open_turn(c, held.conversation, message, message_tokens, month, estimate, cost) || spent || (memory - 'tokens')
    || jsonb_build_object('session_id', session_id);
end $$;
comment on function private.take_turn is
  'Spends, reserves and stores what a turn needs, or answers the refusal of the first rule that says no; the caller undoes what was done before it.';
revoke execute on function private.take_turn from public, anon, authenticated;
grant execute on function private.take_turn to service_role;

create function public.admit_turn(key_hash text, message text, message_tokens integer, session_id text default null,
  visitor_id text default null, origin text default null, address_hash text default null, metadata jsonb default '{}',
  language text default null)
returns jsonb
language plpgsql volatile security invoker set search_path = '' set enable_seqscan = off
as $$
declare
  c private.caller;
  month date := private.month_of(now());
  settings jsonb;
  session text := coalesce(session_id, 's_' || encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex'));
  taken jsonb;
  facts jsonb;
begin
  if num_nulls(key_hash, message, message_tokens, metadata) > 0 or char_length(message) not between 1 and 32000 or message_tokens < 0
    or char_length(session) not between 1 and 200 or char_length(visitor_id) not between 1 and 200 or language !~ '^[a-z]{2,3}$'
    or jsonb_typeof(metadata) <> 'object' or octet_length(metadata::text) > 24576 then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'key_hash and message_tokens are needed, a message has 1 to 32000 '
      'characters, session_id and visitor_id 1 to 200, language is a code, metadata an object of at most 16 KiB.';
  end if;
  c := private.load_caller(key_hash, origin, now());
  select jsonb_object_agg(s.key, s.value) into settings from public.app_config s
    where s.key in ('killSwitch', 'maxTurns', 'sessionRequestsPerMinute', 'addressRequestsPerMinute');
  if c.key_id is null or c.refusal is not null or 'chat' <> all (c.scopes) or settings -> 'killSwitch' = 'true' then
    return private.caller_refusal(c, 'chat', settings);
  end if;
  begin
    taken := private.take_turn(c, settings, message, message_tokens, session, visitor_id, address_hash, metadata, language, month);
    if not (taken ->> 'admitted')::boolean then
      -- Undoes what was spent or reserved before the rule that refused.
      raise exception 'refused' using errcode = 'PT000';
    end if;
  exception when sqlstate 'PT000' then
    return taken || jsonb_build_object('key_id', c.key_id, 'agent_id', c.agent_id);
  end;
  if c.last_used_at is null or c.last_used_at < now() - interval '1 minute' then
    perform private.touch_key(c.key_id, c.last_used_at, now());
  end if;
  facts := private.agent_facts(c.agent_id);
  return taken || jsonb_build_object('agent', private.agent_settings(c.agent_id), 'api_key_id', c.key_id, 'facts', facts,
    'prompt', private.agent_prompt(c.agent_id, c.prompt_version_id, c.instructions = '', c.agent_language, admit_turn.language, facts));
end $$;
comment on function public.admit_turn is
  'Everything before the model is called: key, limits, quotas, reservation, conversation and message, all or nothing, and back comes what the model needs. Denied: the code, and no counter moved.';
revoke execute on function public.admit_turn from public, anon, authenticated;
grant execute on function public.admit_turn to service_role;

-- Settlement --------------------------------------------------------------------------------------------------------

create function public.append_deltas(turn_id uuid, seq integer, text text, provider text default null, model text default null,
  input_tokens integer default null, output_tokens integer default null) returns jsonb
language plpgsql volatile security invoker set search_path = '' set enable_seqscan = off
as $$
declare
  stop boolean;
begin
  if num_nulls(append_deltas.turn_id, append_deltas.seq, append_deltas.text) > 0 or append_deltas.seq < 1
    or append_deltas.input_tokens < 0 or append_deltas.output_tokens < 0 then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'turn_id, seq and text are needed, seq is 1 or more, tokens are not negative.';
  end if;
  -- A lost second of these does no harm: they only matter when the worker dies.
  perform set_config('synchronous_commit', 'off', true);
  update public.turns t set state = 'streaming', leased_until = now() + interval '60 seconds',
      provider = coalesce(append_deltas.provider, t.provider), model = coalesce(append_deltas.model, t.model),
      input_tokens = coalesce(append_deltas.input_tokens, t.input_tokens), output_tokens = coalesce(append_deltas.output_tokens, t.output_tokens)
    where t.id = append_deltas.turn_id and t.settled_at is null returning t.stop_requested into stop;
  if not found then
    return '{"stop": true, "reason": "settled"}'::jsonb;
  end if;
  if append_deltas.text <> '' then
    insert into public.turn_deltas (turn_id, seq, text) values (append_deltas.turn_id, append_deltas.seq, append_deltas.text)
    on conflict on constraint turn_deltas_pkey do nothing;
  end if;
  return case when stop then '{"stop": true, "reason": "stopped"}'
    when private.setting('killSwitch') = 'true' then '{"stop": true, "reason": "kill_switch"}'
    else '{"stop": false, "reason": null}' end::jsonb;
end $$;
comment on function public.append_deltas is
  'Keeps what an answer said since the last call, and what it used so far, extends the turn''s lease by 60 s, and says whether to stop. The same `seq` again changes nothing.';
revoke execute on function public.append_deltas from public, anon, authenticated;
grant execute on function public.append_deltas to service_role;

create function private.bill_turn(t public.turns, outcome text, answered boolean, provider text, model text, input_tokens integer,
  output_tokens integer, error_code text, response_time_ms integer, first_token_ms integer, as_of timestamptz) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  price record;
begin
  select * into price from private.model_cost(provider, model, input_tokens, output_tokens, as_of);
  -- The owner's row first, as in admission.
  perform 1 from public.usage_counters u
    where (u.scope, u.subject_id) in (('owner', t.owner_id), ('key', t.limit_group), ('agent', t.agent_id)) and u.period = t.period
    order by u.scope desc for update;
  update public.usage_counters u
    set messages = u.messages + answered::integer, tokens = u.tokens + bill_turn.input_tokens + bill_turn.output_tokens, cost = u.cost + price.cost,
      -- Never below zero: a counter that somebody set back must not keep a turn open for ever.
      reserved_messages = greatest(0, u.reserved_messages - 1), reserved_tokens = greatest(0, u.reserved_tokens - t.reserved_tokens),
      reserved_cost = greatest(0, u.reserved_cost - t.reserved_cost)
    where (u.scope, u.subject_id) in (('owner', t.owner_id), ('key', t.limit_group), ('agent', t.agent_id)) and u.period = t.period;
  insert into public.usage_logs (id, owner_id, agent_id, api_key_id, turn_id, provider, model, input_tokens, output_tokens, cost, currency, priced,
    status, error_code, latency_ms, first_token_ms)
  values (private.uuid_v7(), t.owner_id, t.agent_id, t.api_key_id, t.id, bill_turn.provider, bill_turn.model, bill_turn.input_tokens,
    bill_turn.output_tokens, price.cost, price.currency, price.priced, outcome, bill_turn.error_code, response_time_ms, bill_turn.first_token_ms);
end $$;
comment on function private.bill_turn is 'Moves a turn''s reservation into the counters and the ledger.';
revoke execute on function private.bill_turn from public, anon, authenticated;
grant execute on function private.bill_turn to service_role;

create function private.store_answer(t public.turns, outcome text, answer text, citations jsonb, provider text, model text,
  output_tokens integer, response_time_ms integer, finish_reason text) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  -- After a reset of the session there is no question any more, and then no answer either.
  perform 1 from public.messages m where m.id = t.user_message_id;
  if not found then
    return;
  end if;
  if answer <> '' then
    insert into public.messages (id, conversation_id, agent_id, turn_id, role, content, citations, tokens_used, response_time_ms, model, provider,
      status, metadata)
    values (t.message_id, t.conversation_id, t.agent_id, t.id, 'assistant', answer, store_answer.citations, store_answer.output_tokens,
      store_answer.response_time_ms, store_answer.model, store_answer.provider, outcome,
      jsonb_strip_nulls(jsonb_build_object('finish_reason', finish_reason)));
    update public.conversations v set message_count = v.message_count + 1 where v.id = t.conversation_id;
  elsif outcome = 'failed' then
    -- A turn that failed before its first word leaves no trace but its record.
    delete from public.messages m where m.id = t.user_message_id;
    update public.conversations v set message_count = greatest(0, v.message_count - 1) where v.id = t.conversation_id;
  end if;
end $$;
comment on function private.store_answer is
  'Writes the answer of a turn beside its question, or removes the question of a turn that failed before its first word; the caller holds the conversation.';
revoke execute on function private.store_answer from public, anon, authenticated;
grant execute on function private.store_answer to service_role;

create function private.hold_turn(turn_id uuid) returns public.turns
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  t public.turns;
begin
  -- Conversation, turn, counters: everybody takes them in this order, so nobody waits in a circle.
  perform 1 from public.conversations v
    where v.id = (select x.conversation_id from public.turns x where x.id = hold_turn.turn_id) for no key update;
  select * into t from public.turns x where x.id = hold_turn.turn_id for update;
  if not found then
    raise exception 'not_found' using errcode = 'PT404', detail = 'No such turn.';
  end if;
  return t;
end $$;
comment on function private.hold_turn is 'A turn, locked with its conversation.';
revoke execute on function private.hold_turn from public, anon, authenticated;
grant execute on function private.hold_turn to service_role;

create function public.settle_turn(turn_id uuid, outcome text, provider text, model text, answer text default '',
  citations jsonb default '[]', input_tokens integer default 0, output_tokens integer default 0, finish_reason text default null,
  response_time_ms integer default null, first_token_ms integer default null, attempts jsonb default '[]', error_code text default null,
  retrieved jsonb default '[]')
returns jsonb
language plpgsql volatile security invoker set search_path = '' set enable_seqscan = off
as $$
declare
  t public.turns;
begin
  if num_nulls(outcome, provider, model, answer, input_tokens, output_tokens) > 0 or outcome not in ('completed', 'failed', 'aborted')
    or input_tokens < 0 or output_tokens < 0 or response_time_ms < 0 or first_token_ms < 0 or jsonb_typeof(citations) is distinct from 'array'
    or jsonb_typeof(attempts) is distinct from 'array' or jsonb_typeof(retrieved) is distinct from 'array' then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'outcome is completed, failed or aborted; provider, model and answer are '
      'needed; tokens and times are not negative; citations, attempts and retrieved are lists.';
  end if;
  t := private.hold_turn(turn_id);
  if t.settled_at is null then
    perform private.bill_turn(t, outcome, outcome <> 'failed' or answer <> '', provider, model, input_tokens, output_tokens, error_code,
      response_time_ms, first_token_ms, now());
    perform private.store_answer(t, outcome, answer, citations, provider, model, output_tokens, response_time_ms, finish_reason);
    delete from public.turn_deltas d where d.turn_id = t.id;
    update public.turns x set state = outcome, settled_at = now(), provider = settle_turn.provider, model = settle_turn.model,
        input_tokens = settle_turn.input_tokens, output_tokens = settle_turn.output_tokens, attempts = settle_turn.attempts,
        error_code = settle_turn.error_code, retrieved = case when x.stop_requested then '[]' else settle_turn.retrieved end
      where x.id = t.id;
  end if;
  return (
    select jsonb_build_object('settled', true, 'duplicate', t.settled_at is not null, 'message_id', m.id,
      'created_at', coalesce(m.created_at, x.settled_at), 'usage', jsonb_build_object('input_tokens', x.input_tokens,
        'output_tokens', x.output_tokens, 'total_tokens', x.input_tokens::bigint + x.output_tokens))
    from public.turns x left join public.messages m on m.id = x.message_id where x.id = t.id);
end $$;
comment on function public.settle_turn is
  'Ends a turn once: answer, citations, ledger and counters in one transaction. A second settlement changes nothing and answers `duplicate`.';
revoke execute on function public.settle_turn from public, anon, authenticated;
grant execute on function public.settle_turn to service_role;

create function private.release_reservation() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform 1 from public.usage_counters u
    where (u.scope, u.subject_id) in (('owner', old.owner_id), ('key', old.limit_group), ('agent', old.agent_id)) and u.period = old.period
    order by u.scope desc for update;
  update public.usage_counters u
    set reserved_messages = greatest(0, u.reserved_messages - 1), reserved_tokens = greatest(0, u.reserved_tokens - old.reserved_tokens),
      reserved_cost = greatest(0, u.reserved_cost - old.reserved_cost)
    where (u.scope, u.subject_id) in (('owner', old.owner_id), ('key', old.limit_group), ('agent', old.agent_id)) and u.period = old.period;
  return null;
end $$;
comment on function private.release_reservation is 'Trigger function: a turn that is erased while it is open holds nothing back.';
revoke execute on function private.release_reservation from public, anon, authenticated;
create trigger turns_release_reservation after delete on public.turns
  for each row when (old.settled_at is null) execute function private.release_reservation();

create function private.settle_abandoned(turn_id uuid, as_of timestamptz) returns boolean
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  t public.turns;
  said text;
begin
  perform 1 from public.conversations v
    where v.id = (select x.conversation_id from public.turns x where x.id = settle_abandoned.turn_id) for no key update skip locked;
  if not found then
    return false;
  end if;
  select * into t from public.turns x
    where x.id = settle_abandoned.turn_id and x.settled_at is null and x.leased_until <= as_of for update skip locked;
  if not found then
    return false;
  end if;
  select coalesce(string_agg(d.text, '' order by d.seq), '') into said from public.turn_deltas d where d.turn_id = t.id;
  perform public.settle_turn(t.id, 'failed', coalesce(t.provider, 'unknown'), coalesce(t.model, 'unknown'), said, '[]', t.input_tokens,
    t.output_tokens, 'error', least(extract(epoch from as_of - t.created_at) * 1000, 2147483647)::integer, null, t.attempts, 'unavailable',
    t.retrieved);
  return true;
end $$;
comment on function private.settle_abandoned is
  'Settles a turn whose worker died, from its stored deltas; false when its lease still runs or another settles it.';
revoke execute on function private.settle_abandoned from public, anon, authenticated;
grant execute on function private.settle_abandoned to service_role;

create function private.reap_turns(as_of timestamptz default now()) returns integer
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  abandoned record;
  settled integer := 0;
begin
  -- In the order of owners, so that two of these never wait for each other in a circle.
  for abandoned in
    select t.id, t.agent_id from public.turns t where t.state in ('admitted', 'streaming') and t.leased_until <= as_of
    order by t.owner_id, t.id limit 200
  loop
    begin
      settled := settled + private.settle_abandoned(abandoned.id, as_of)::integer;
    exception when others then
      -- One that cannot be settled must not keep the others open.
      perform public.report_incident('anomaly', 'high', 'turn:' || abandoned.id, abandoned.agent_id,
        details => jsonb_build_object('problem', 'The turn cannot be settled', 'sqlstate', sqlstate, 'message', sqlerrm));
    end;
  end loop;
  return settled;
end $$;
comment on function private.reap_turns is 'Settles the turns whose lease ran out; returns how many. `as_of` lets tests move time.';
revoke execute on function private.reap_turns from public, anon, authenticated;
grant execute on function private.reap_turns to service_role;

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

select private.add_job('reap_turns', 'sql', 'reap_turns', interval '15 seconds', takes_locks => true);
select private.add_job('forget_provider_health', 'sql', 'forget_provider_health', interval '10 minutes');
select private.add_job('forget_rate_limits', 'sql', 'forget_rate_limits', interval '10 minutes', takes_locks => true);
select private.add_job('close_idle_conversations', 'sql', 'close_idle_conversations', interval '1 minute', takes_locks => true);
select private.add_job('erase_agents', 'sql', 'erase_agents', interval '5 seconds');
