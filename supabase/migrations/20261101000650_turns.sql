-- Turns: who may ask, what a question costs, where it is kept, and how its answer is streamed, settled and billed.

-- Who asks ----------------------------------------------------------------------------------------------------------

create view private.askable_agents with (security_invoker = true) as
select a.id as agent_id, a.owner_id, a.model, a.max_tokens, a.rag_enabled, a.match_count, a.instructions, a.config,
  a.provider_key_id, a.monthly_messages, a.monthly_tokens, a.monthly_cost, p.messages as plan_messages,
  p.tokens as plan_tokens,
  case when a.deleted_at is not null or u.deleted_at is not null then 'unknown' when not a.is_active then 'agent_inactive' end as refusal,
  coalesce(n.messages + n.reserved_messages >= p.messages or n.tokens + n.reserved_tokens >= p.tokens, false) as is_plan_full,
  coalesce(b.facts, '[]') as facts, coalesce(b.prompts, '{}') as prompts,
  jsonb_build_object('id', a.id, 'owner_id', a.owner_id, 'name', a.name, 'role', a.role, 'instructions', a.instructions, 'model', a.model,
    'temperature', a.temperature, 'max_tokens', a.max_tokens, 'top_p', a.top_p, 'language', a.language, 'rag_enabled', a.rag_enabled,
    'match_count', a.match_count, 'match_threshold', a.match_threshold,
    -- The one that answers, not the one that is wanted.
    'embedding_model', coalesce(k.embedding_model, a.embedding_model), 'config', a.config, 'fallback_models', a.fallback_models,
    'has_knowledge', coalesce(k.chunks, 0) > 0) as settings
from public.agents a join public.users u on u.id = a.owner_id join public.plans p on p.name = u.plan
  left join private.agent_briefs b on b.agent_id = a.id
  left join public.agent_knowledge k on k.agent_id = a.id
  left join public.usage_counters n on n.scope = 'owner' and n.subject_id = a.owner_id and n.period = private.month_of(now());
comment on view private.askable_agents is 'Agents with what a turn needs to know of them and of their owners'' plans.';
revoke all on private.askable_agents from public, anon, authenticated;
grant select on private.askable_agents to service_role;

create type private.caller as (key_id uuid, user_id uuid, limit_group uuid, scopes text[], is_browser boolean, requests_per_minute integer,
  monthly_messages bigint, monthly_tokens bigint, monthly_cost numeric, last_used_at timestamptz, refusal text, channel text,
  agent_id uuid, owner_id uuid, model text, max_tokens integer, rag_enabled boolean, match_count integer,
  instructions text, config jsonb, provider_key_id uuid, agent_messages bigint, agent_tokens bigint,
  agent_cost numeric, plan_messages bigint, plan_tokens bigint, agent_refusal text, is_plan_full boolean,
  facts jsonb, prompts jsonb, agent jsonb);

create function private.load_key(key_hash text, origin text, channel text, as_of timestamptz) returns private.caller
language plpgsql stable security invoker set search_path = ''
as $$
declare
  c private.caller;
begin
  select k.id, null::uuid, k.limit_group, k.scopes, cardinality(k.allowed_origins) > 0, k.requests_per_minute, k.monthly_messages, k.monthly_tokens,
    k.monthly_cost, k.last_used_at,
    case when k.revoked_at <= as_of then 'revoked' when k.expires_at <= as_of then 'expired' when g.refusal is not null then g.refusal
      when cardinality(k.allowed_origins) > 0 and (load_key.origin is null or load_key.origin <> all (k.allowed_origins))
        then 'origin_not_allowed' end,
    load_key.channel, g.* into c
  from public.api_keys k join private.askable_agents g on g.agent_id = k.agent_id where k.key_hash = load_key.key_hash;
  return c;
end $$;
comment on function private.load_key is 'The caller that holds a key, and why it is refused, if it is.';
revoke execute on function private.load_key from public, anon, authenticated;
grant execute on function private.load_key to service_role;

create function private.load_user(user_id uuid, is_admin boolean, agent_id uuid) returns private.caller
language plpgsql stable security invoker set search_path = ''
as $$
declare
  c private.caller;
  wanted uuid := coalesce(agent_id, case when is_admin then (private.setting('defaultAgentId') #>> '{}')::uuid end);
begin
  -- The rate is that of a new key.
  select null::uuid, u.id, null::uuid, array['chat'], false, 60, null::bigint, null::bigint, null::numeric, null::timestamptz,
    case when g.refusal = 'unknown' then 'not_found' else g.refusal end,
    case when load_user.agent_id is null then 'admin' else 'dashboard' end, g.* into c
  from private.askable_agents g join public.users u on u.id = load_user.user_id and u.deleted_at is null
  where g.agent_id = wanted and (load_user.agent_id is null or g.owner_id = u.id
    or exists (select from public.agent_members m where m.agent_id = g.agent_id and m.user_id = u.id));
  if c.agent_id is null then
    c.refusal := case when wanted is null then 'agent_missing' else 'not_found' end;
  end if;
  return c;
end $$;
comment on function private.load_user is
  'A signed-in caller: the owner or a member of the agent, or an admin, who names none and talks to the default one.';
revoke execute on function private.load_user from public, anon, authenticated;
grant execute on function private.load_user to service_role;

create function private.hmac_sha256(secret text, message text) returns text
language plpgsql immutable security invoker set search_path = ''
as $$
declare
  key bytea := convert_to(secret, 'UTF8');
  inner_key bytea;
  outer_key bytea;
begin
  -- RFC 2104 with blocks of 64 bytes; pgcrypto is not everywhere.
  if length(key) > 64 then
    key := sha256(key);
  end if;
  key := key || decode(repeat('00', 64 - length(key)), 'hex');
  inner_key := key;
  outer_key := key;
  for n in 0..63 loop
    inner_key := set_byte(inner_key, n, get_byte(key, n) # 54);
    outer_key := set_byte(outer_key, n, get_byte(key, n) # 92);
  end loop;
  return encode(sha256(outer_key || sha256(inner_key || convert_to(message, 'UTF8'))), 'hex');
end $$;
comment on function private.hmac_sha256 is 'HMAC-SHA-256 of two texts in UTF-8, as lower-case hex.';
revoke execute on function private.hmac_sha256 from public, anon, authenticated;
grant execute on function private.hmac_sha256 to service_role;

create function private.is_visitor(c private.caller, visitor_id text, visitor_token text) returns boolean
language plpgsql stable security invoker set search_path = ''
as $$
begin
  if visitor_token is null then
    -- A server says who asks; a browser must prove it.
    return visitor_id is not null and not c.is_browser;
  end if;
  -- Hashes are compared, so that the time says nothing about the token. Null: the token is wrong.
  return (select case when sha256(convert_to(private.hmac_sha256(s.identity_secret, is_visitor.visitor_id), 'UTF8'))
      = sha256(convert_to(visitor_token, 'UTF8')) then true end
    from private.agent_secrets s where s.agent_id = c.agent_id);
end $$;
comment on function private.is_visitor is 'Whether the visitor id may be believed; null when a token came that does not fit it.';
revoke execute on function private.is_visitor from public, anon, authenticated;
grant execute on function private.is_visitor to service_role;

-- Refusals ----------------------------------------------------------------------------------------------------------

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
    when c.refusal = 'agent_missing' then private.refusal('validation_failed', 422, 'agent_id is needed.')
    when c.refusal = 'not_found' then private.refusal('not_found', 404, 'There is no such agent.')
    when c.agent_id is null or c.refusal = 'unknown' then private.refusal('key_unknown', 401,
      'The API key is not known.', jsonb_strip_nulls(jsonb_build_object('key_id', c.key_id)))
    when c.refusal = 'revoked' then private.refusal('key_revoked', 401, 'The API key was revoked.')
    when c.refusal = 'expired' then private.refusal('key_expired', 401, 'The API key has expired.')
    when c.refusal = 'agent_inactive' then private.refusal('agent_inactive', 403, 'The agent is switched off.')
    when c.refusal = 'origin_not_allowed' then private.refusal('origin_not_allowed', 403, 'The API key is not allowed from this origin.')
    when scope <> all (c.scopes) then private.refusal('scope_missing', 403, 'The API key lacks the scope ' || scope || '.')
    when settings -> 'killSwitch' = 'true' then private.refusal('kill_switch', 503, 'Chat is switched off for now.') end);
end $$;
comment on function private.caller_refusal is 'Why a caller may not do this now, or null.';
revoke execute on function private.caller_refusal from public, anon, authenticated;
grant execute on function private.caller_refusal to service_role;

-- Limits ------------------------------------------------------------------------------------------------------------

create function private.spend_together(keys text[], capacities integer[], as_of timestamptz) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  now_ms bigint := floor(extract(epoch from as_of) * 1000);
  next_sixtieth timestamptz := private.sixtieth_end(60, as_of);
  spent jsonb;
begin
  -- One statement for all, in the order given. Where a sixtieth has ended, what was spent in it becomes a mark, and marks
  -- older than the window go, as in private.begin_sixtieth. A limit that is full or blocked is left out.
  with added as (
    insert into public.rate_limits as l (key, window_seconds, total, recent, recent_at, steady_until)
    select k, 60, 1, 1, as_of, next_sixtieth from unnest(keys) k
    on conflict on constraint rate_limits_pkey do update
      set recent = case when l.steady_until > as_of then l.recent + 1 else 1 end, recent_at = greatest(l.recent_at, as_of),
        (marks, total, steady_until) = (
          select case when l.steady_until > as_of then l.marks else coalesce(array_agg(m order by n), '{}') end,
            case when l.steady_until > as_of then l.total else coalesce(sum(m & 1048575), 0) end + 1,
            case when l.steady_until > as_of then l.steady_until else least(next_sixtieth, to_timestamp((min(m >> 20) + 60000) / 1000.0)) end
          from unnest(case when l.steady_until > as_of then '{}'
            else l.marks || ((ceil(extract(epoch from l.recent_at) * 1000)::bigint << 20) + l.recent) end) with ordinality u (m, n)
          where (m >> 20) + 60000 > now_ms)
      where l.total < capacities[array_position(keys, l.key)] and l.window_seconds = 60
        and (l.steady_until > as_of or (l.blocked_until is null and l.recent_at <= as_of and cardinality(l.marks) < 60))
    returning l.key, l.total
  )
  select coalesce(jsonb_object_agg(a.key, a.total), '{}') into spent from added a;
  return spent;
end $$;
comment on function private.spend_together is 'Spends one of each limit per minute; answers the totals of those it spent, and leaves out what is full or blocked.';
revoke execute on function private.spend_together from public, anon, authenticated;
grant execute on function private.spend_together to service_role;

create function private.spend_limits(c private.caller, settings jsonb, session_id text, address_hash text) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  as_of timestamptz := clock_timestamp();
  -- Always in this order, so that two admissions never wait for each other in a circle.
  names text[] := array[case when c.key_id is null then 'user' else 'key' end, 'session', 'address'];
  keys text[] := array[coalesce('key:' || c.limit_group, 'user:' || c.user_id), 'session:' || c.agent_id || ':' || session_id,
    'address:' || c.agent_id || ':' || address_hash];
  capacities integer[] := array[c.requests_per_minute, least((settings ->> 'sessionRequestsPerMinute')::integer, 1000000),
    least((settings ->> 'addressRequestsPerMinute')::integer, 1000000)];
  quick jsonb := '{}'::jsonb;
  total integer;
  s jsonb;
  states jsonb := '[]'::jsonb;
begin
  for n in reverse 3..1 loop
    if keys[n] is null or capacities[n] = 0 then
      names := names[:n - 1] || names[n + 1:];
      keys := keys[:n - 1] || keys[n + 1:];
      capacities := capacities[:n - 1] || capacities[n + 1:];
    end if;
  end loop;
  -- The refusal that many repeat, of a key at its limit, is found by a look and writes nothing.
  if not exists (select from public.rate_limits l where l.key = keys[1] and l.total >= capacities[1]) then
    quick := private.spend_together(keys, capacities, as_of);
  end if;
  for n in 1..cardinality(keys) loop
    total := (quick ->> keys[n])::integer;
    if total is null then
      s := private.spend(keys[n], 1, capacities[n], 60, 0, as_of);
    else
      s := jsonb_build_object('allowed', true, 'remaining', capacities[n] - total, 'limit', capacities[n], 'reset_at', as_of + interval '1 minute');
    end if;
    states := states || (s || jsonb_build_object('name', names[n], 'window_seconds', 60));
    if s -> 'allowed' = 'false' then
      return private.refusal('rate_limited', 429, 'Too many requests for this ' || names[n] || '; wait ' || (s ->> 'retry_after') || ' s.',
        jsonb_build_object('rule', names[n], 'retry_after', s -> 'retry_after', 'limits', states));
    end if;
  end loop;
  return jsonb_build_object('limits', states);
end $$;
comment on function private.spend_limits is
  'Spends one request of the key (or user), the session and the address, or answers the refusal of the first that is full.';
revoke execute on function private.spend_limits from public, anon, authenticated;
grant execute on function private.spend_limits to service_role;

-- Budgets -----------------------------------------------------------------------------------------------------------

create function private.budgets(c private.caller) returns text[]
language plpgsql immutable security invoker set search_path = ''
as $$
begin
  return '{owner}'::text[]
    || case when num_nonnulls(c.monthly_messages, c.monthly_tokens, c.monthly_cost) > 0 then '{key}'::text[] else '{}' end
    || case when num_nonnulls(c.agent_messages, c.agent_tokens, c.agent_cost) > 0 then '{agent}'::text[] else '{}' end;
end $$;
comment on function private.budgets is 'The counters in which a turn must find room: the plan''s, and those of key and agent where they have a limit.';
revoke execute on function private.budgets from public, anon, authenticated;
grant execute on function private.budgets to service_role;

create function private.reserve(c private.caller, scopes text[], month date, token_estimate bigint, cost_estimate numeric) returns jsonb
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
    where b.scope = any (scopes) and (b.message_limit < 1 or b.token_limit < token_estimate or b.cost_limit < cost_estimate) is not true
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
  if cardinality(reserved) = cardinality(scopes) then
    return null;
  end if;
  missing := array(select x.scope from unnest(array['owner', 'agent', 'key']) as x (scope)
    where x.scope = any (scopes) and x.scope <> all (coalesce(reserved, '{}')));
  -- Room may have come back since: then nothing names the budget but that it had none.
  return coalesce(private.budget_refusal(c, missing, month, token_estimate, cost_estimate),
    private.refusal('quota_exceeded', 429, 'The monthly budget is used up.', jsonb_build_object('rule', missing[1])));
end $$;
comment on function private.reserve is
  'Reserves one message with its estimated tokens and cost in the counters named, or answers which refuses. The caller undoes a part.';
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

-- Questions ---------------------------------------------------------------------------------------------------------

create type private.question as (message text, tokens integer, extra_tokens integer, session_id text, visitor_id text, visitor_verified boolean, address_hash text,
  language text, metadata jsonb, message_metadata jsonb, earlier jsonb, regenerate boolean, resumable boolean, credential uuid, route text,
  idempotency_key text, request_hash text);

create function private.check_question(q private.question) returns void
language plpgsql immutable security invoker set search_path = ''
as $$
begin
  if num_nulls(q.message, q.tokens, q.extra_tokens, q.metadata, q.message_metadata, q.earlier, q.regenerate, q.resumable) > 0
    -- A tool's result may be empty, or as long as a request.
    or (q.message_metadata ? 'tool_call_id' and char_length(q.message) > 262144)
    or (not q.message_metadata ? 'tool_call_id' and char_length(q.message) not between 1 and 32000)
    or q.tokens < 0 or q.extra_tokens < 0 or char_length(q.session_id) not between 1 and 200
    or char_length(q.visitor_id) not between 1 and 200 or q.language !~ '^[a-z]{2,3}$'
    or jsonb_typeof(q.metadata) <> 'object' or octet_length(q.metadata::text) > 24576
    or jsonb_typeof(q.message_metadata) <> 'object' or jsonb_typeof(q.earlier) <> 'array' then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'message_tokens is needed, a message has 1 to 32000 '
      'characters, session_id and visitor_id 1 to 200, language is a code, metadata an object of at most 16 KiB, earlier a list.';
  end if;
  if q.idempotency_key is not null and (num_nulls(q.route, q.request_hash) > 0 or char_length(q.idempotency_key) not between 1 and 255) then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'idempotency_key has 1 to 255 characters and needs route and request_hash.';
  end if;
end $$;
comment on function private.check_question is 'Raises validation_failed for a question that cannot be stored.';
revoke execute on function private.check_question from public, anon, authenticated;
grant execute on function private.check_question to service_role;

create function private.replay(turn_id uuid) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select jsonb_build_object('turn_id', t.id, 'message_id', t.message_id, 'session_id', v.session_id, 'conversation_id', v.id,
    'agent_id', t.agent_id, 'outcome', t.state, 'answer', coalesce(m.content, ''), 'citations', coalesce(m.citations, '[]'),
    'usage', jsonb_build_object('input_tokens', t.input_tokens, 'output_tokens', t.output_tokens,
      'total_tokens', t.input_tokens::bigint + t.output_tokens),
    'model', coalesce(t.model, ''), 'provider', coalesce(t.provider, ''), 'metadata', coalesce(m.metadata, '{}'),
    'finish_reason', coalesce(m.metadata ->> 'finish_reason', 'aborted'), 'error_code', t.error_code,
    'response_time_ms', coalesce(m.response_time_ms, 0), 'created_at', coalesce(m.created_at, t.settled_at))
  from public.turns t join public.conversations v on v.id = t.conversation_id left join public.messages m on m.id = t.message_id
  where t.id = replay.turn_id
$$;
comment on function private.replay is 'What a settled turn answered, for whoever asks the same again.';
revoke execute on function private.replay from public, anon, authenticated;
grant execute on function private.replay to service_role;

create function private.claim_request(q private.question, turn_id uuid) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  held record;
begin
  -- Of two at once the second waits here for the first one's transaction, and then finds its claim.
  insert into public.idempotency_keys as i (credential, route, key, request_hash, turn_id)
  values (q.credential, q.route, q.idempotency_key, q.request_hash, claim_request.turn_id)
  on conflict on constraint idempotency_keys_pkey do update
    set request_hash = excluded.request_hash, turn_id = excluded.turn_id, created_at = now()
    where i.created_at <= now() - interval '24 hours';
  if found then
    return null;
  end if;
  select i.request_hash, t.id, t.settled_at into held from public.idempotency_keys i join public.turns t on t.id = i.turn_id
    where i.credential = q.credential and i.route = q.route and i.key = q.idempotency_key;
  if held.id is null then
    return private.refusal('turn_in_progress', 409, 'The first request with this Idempotency-Key has just failed.', '{"retry_after": 1}');
  elsif held.request_hash <> q.request_hash then
    return private.refusal('idempotency_mismatch', 422, 'The Idempotency-Key was used with another body.');
  elsif held.settled_at is null and not private.settle_abandoned(held.id, now()) then
    return private.refusal('turn_in_progress', 409, 'The first request with this Idempotency-Key is still being answered.',
      jsonb_build_object('retry_after', 1, 'turn_id', held.id));
  end if;
  return private.refusal('replayed', 200, 'The Idempotency-Key was answered before.', jsonb_build_object('replay', private.replay(held.id)));
end $$;
comment on function private.claim_request is
  'Claims an Idempotency-Key for a turn and answers null, or answers what came of the turn that has it.';
revoke execute on function private.claim_request from public, anon, authenticated;
grant execute on function private.claim_request to service_role;

create function private.forget_session(agent_id uuid, session_id text, user_id uuid, channel text) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  conversation uuid;
begin
  select v.id into conversation from public.conversations v
    where v.agent_id = forget_session.agent_id and v.session_id = forget_session.session_id for update;
  perform private.clear_conversation(conversation);
  update public.conversations v set visitor_id = null, visitor_verified = false, user_id = forget_session.user_id,
      channel = forget_session.channel, language = null
    where v.id = conversation;
end $$;
comment on function private.forget_session is 'Empties a deleted conversation whose session goes on: what was deleted does not come back.';
revoke execute on function private.forget_session from public, anon, authenticated;
grant execute on function private.forget_session to service_role;

create function private.take_back(conversation_id uuid, question text) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  dropped integer;
begin
  -- What came after it goes, too: the client no longer shows it. A question that failed at once was not kept, and then nothing goes.
  delete from public.messages m where m.conversation_id = take_back.conversation_id and m.id >= (
    select f.id from public.messages f where f.conversation_id = take_back.conversation_id and f.turn_id = (
      select q.turn_id from public.messages q
      where q.conversation_id = take_back.conversation_id and q.role = 'user' and q.content = question order by q.id desc limit 1)
    order by f.id limit 1);
  get diagnostics dropped = row_count;
  update public.conversations v set message_count = greatest(0, v.message_count - dropped) where v.id = take_back.conversation_id and dropped > 0;
end $$;
comment on function private.take_back is
  'Removes the last exchange that began with a question, and what followed, so that it can be asked again. What was used stays billed.';
revoke execute on function private.take_back from public, anon, authenticated;
grant execute on function private.take_back to service_role;

create function private.stray_result(conversation_id uuid, q private.question) returns text
language sql stable security invoker set search_path = ''
as $$
  select r.call_id from (
    select e.value -> 'metadata' ->> 'tool_call_id' as call_id from jsonb_array_elements(q.earlier) e
    union all select q.message_metadata ->> 'tool_call_id'
  ) r
  where r.call_id is not null and not exists (
    select from jsonb_array_elements((
      select case when m.role = 'assistant' then m.metadata -> 'tool_calls' end from public.messages m
      where m.conversation_id = stray_result.conversation_id order by m.id desc limit 1)) c
    where c.value ->> 'id' = r.call_id)
  limit 1
$$;
comment on function private.stray_result is 'The first tool result of a question whose call is not in the session''s last answer, or null.';
revoke execute on function private.stray_result from public, anon, authenticated;
grant execute on function private.stray_result to service_role;

create function private.session_refusal(conversation uuid, q private.question, messages_before integer, max_turns integer) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  running uuid;
begin
  select t.id into running from public.turns t where t.conversation_id = conversation and t.settled_at is null;
  if found and not private.settle_abandoned(running, now()) then
    return private.refusal('turn_in_progress', 409, 'The session is still being answered.',
      jsonb_build_object('retry_after', 1, 'turn_id', running));
  end if;
  if q.regenerate then
    perform private.take_back(conversation, q.message);
  end if;
  -- A turn has one question and mostly one answer: count only where it can matter.
  if messages_before >= max_turns
    and (select count(distinct m.turn_id) >= max_turns from public.messages m where m.conversation_id = conversation and m.role = 'user') then
    return private.refusal('session_full', 409, 'The session has reached ' || max_turns || ' turns; reset it or start another.');
  end if;
  return null;
end $$;
comment on function private.session_refusal is
  'Why a session that exists takes no turn now, or null: one at a time, and not too many.';
revoke execute on function private.session_refusal from public, anon, authenticated;
grant execute on function private.session_refusal to service_role;

create function private.hold_session(c private.caller, q private.question, max_turns integer, out conversation uuid, out fresh boolean,
  out refused jsonb)
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  made uuid := private.uuid_v7();
  held record;
  stray text;
begin
  insert into public.conversations as v (id, agent_id, session_id, visitor_id, visitor_verified, user_id, api_key_id, channel, language, metadata,
    message_count)
  values (made, c.agent_id, q.session_id, q.visitor_id, q.visitor_verified, c.user_id, c.key_id, c.channel, q.language, q.metadata, 1)
  on conflict on constraint conversations_one_per_session do update set message_count = v.message_count + 1, status = 'active', closed_at = null,
    visitor_id = coalesce(v.visitor_id, excluded.visitor_id), language = coalesce(excluded.language, v.language),
    -- Whoever named the visitor first counts: a proof that comes later does not cover what was said before it.
    -- And another visitor's words are not to be remembered as the first one's.
    visitor_verified = case when v.visitor_id is null then excluded.visitor_verified
      else v.visitor_verified and coalesce(excluded.visitor_id, v.visitor_id) = v.visitor_id end,
    -- What grows with every message has an end: then the newest counts.
    metadata = case when octet_length((v.metadata || excluded.metadata)::text) <= 16384 then v.metadata || excluded.metadata else excluded.metadata end
    where v.status <> 'deleted'
  returning v.id, v.message_count - 1 as messages,
    v.user_id is distinct from c.user_id or (v.channel = 'admin') <> (c.channel = 'admin') as is_foreign into held;
  if not found then
    perform private.forget_session(c.agent_id, q.session_id, c.user_id, c.channel);
    select * into conversation, fresh, refused from private.hold_session(c, q, max_turns);
    return;
  end if;
  conversation := held.id;
  fresh := held.id = made;
  if held.is_foreign then
    refused := private.refusal('not_found', 404, 'There is no such session for this caller.');
  elsif not fresh then
    refused := private.session_refusal(held.id, q, held.messages, max_turns);
  end if;
  if refused is null and (q.earlier <> '[]' or q.message_metadata ? 'tool_call_id') then
    stray := private.stray_result(held.id, q);
    if stray is not null then
      refused := private.refusal('validation_failed', 422, 'The session''s last answer has no tool call ' || stray || '.');
    end if;
  end if;
end $$;
comment on function private.hold_session is
  'Opens or continues the conversation of a session and locks it, or answers why it takes no turn of this caller now.';
revoke execute on function private.hold_session from public, anon, authenticated;
grant execute on function private.hold_session to service_role;

create function private.append_earlier(c private.caller, q private.question, conversation_id uuid, turn_id uuid) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  appended integer := jsonb_array_length(q.earlier);
begin
  -- A millisecond apart, and before the question.
  insert into public.messages (id, conversation_id, agent_id, turn_id, role, content, tokens_used, metadata)
  select private.uuid_v7(clock_timestamp() - make_interval(secs => (appended - e.n + 1) / 1000.0)), append_earlier.conversation_id, c.agent_id,
    append_earlier.turn_id, e.value ->> 'role', e.value ->> 'content', (e.value ->> 'tokens')::integer, coalesce(e.value -> 'metadata', '{}')
  from jsonb_array_elements(q.earlier) with ordinality e (value, n);
  update public.conversations v set message_count = v.message_count + appended where v.id = append_earlier.conversation_id;
exception when check_violation or not_null_violation or invalid_text_representation then
  raise exception 'validation_failed' using errcode = 'PT422', detail = 'earlier holds messages with role, content and tokens.';
end $$;
comment on function private.append_earlier is 'Stores what a client says came before its question and is not in the session yet.';
revoke execute on function private.append_earlier from public, anon, authenticated;
grant execute on function private.append_earlier to service_role;

create function private.open_turn(c private.caller, q private.question, turn uuid, conversation_id uuid, month date, scopes text[],
  token_estimate bigint, cost_estimate numeric, prompt_version_id uuid) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  question uuid;
  answer uuid;
begin
  if q.earlier <> '[]' then
    perform private.append_earlier(c, q, conversation_id, turn);
  end if;
  question := private.uuid_v7();
  answer := private.uuid_v7(clock_timestamp() + interval '2 milliseconds');
  with said as (
    insert into public.messages (id, conversation_id, agent_id, turn_id, role, content, tokens_used, metadata)
    values (question, open_turn.conversation_id, c.agent_id, turn, case when q.message_metadata ? 'tool_call_id' then 'tool' else 'user' end,
      q.message, q.tokens, q.message_metadata)
  )
  insert into public.turns (id, conversation_id, agent_id, owner_id, api_key_id, limit_group, user_message_id, message_id, prompt_version_id, period,
    reserved_in, reserved_tokens, reserved_cost, resumable, leased_until)
  values (turn, open_turn.conversation_id, c.agent_id, c.owner_id, c.key_id, c.limit_group, question, answer, open_turn.prompt_version_id, month,
    scopes, token_estimate, cost_estimate, q.resumable, now() + interval '60 seconds');
  return jsonb_build_object('admitted', true, 'turn_id', turn, 'message_id', answer, 'user_message_id', question,
    'conversation_id', open_turn.conversation_id);
end $$;
comment on function private.open_turn is 'Stores the message and opens its turn, with the id that the answer will have.';
revoke execute on function private.open_turn from public, anon, authenticated;
grant execute on function private.open_turn to service_role;

-- Admission ---------------------------------------------------------------------------------------------------------

create function private.standing_refusal(c private.caller, faults text, month date, tokens integer) returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
begin
  if faults is not null then
    return private.refusal('validation_failed', 422, 'Cannot answer with the agent''s prompt: ' || faults);
  elsif c.is_plan_full then
    return private.budget_refusal(c, array['owner'], month, tokens, 0);
  end if;
  return null;
end $$;
comment on function private.standing_refusal is
  'The refusals that many repeat, found by a look that writes nothing: a prompt that lacks a fact, a plan that is used up. Null for none.';
revoke execute on function private.standing_refusal from public, anon, authenticated;
grant execute on function private.standing_refusal to service_role;

create function private.take_turn(c private.caller, settings jsonb, q private.question, month date) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  turn uuid := private.uuid_v7();
  refused jsonb;
  spent jsonb;
  held record;
  memory jsonb := '{"history": [], "memory": [], "summary": null, "overflow": [], "topic": null, "tokens": 0}'::jsonb;
  prompt jsonb := case when c.channel = 'admin' then private.admin_prompt(c.agent_id) else coalesce(c.prompts -> q.language, c.prompts -> '*') end;
  scopes text[] := private.budgets(c);
  estimate bigint;
  cost numeric := 0;
begin
  if q.idempotency_key is not null then
    refused := private.claim_request(q, turn);
    if refused is not null then
      return refused;
    end if;
  end if;
  refused := private.standing_refusal(c, prompt ->> 'faults', month, q.tokens);
  if refused is not null then
    return refused;
  end if;
  spent := private.spend_limits(c, settings, q.session_id, q.address_hash);
  if spent ? 'admitted' then
    return spent;
  end if;
  held := private.hold_session(c, q, (settings ->> 'maxTurns')::integer);
  if held.refused is not null then
    return held.refused;
  elsif not held.fresh then
    memory := private.turn_memory(c.agent_id, held.conversation, case when jsonb_typeof(c.config -> 'history_tokens') = 'number'
      then least(greatest((c.config ->> 'history_tokens')::numeric, 0), 200000)::integer else 3000 end);
  end if;
  -- What the prompt will hold, and the longest answer: passages have about 320 tokens, and of the instructions, which
  -- no tokenizer has counted, four characters make one. Settlement replaces it by what was used.
  estimate := q.tokens + q.extra_tokens + (memory ->> 'tokens')::bigint + char_length(c.instructions) / 4 + c.max_tokens
    + case when c.rag_enabled then 320 * c.match_count else 0 end;
  if c.agent_cost is not null or c.monthly_cost is not null then
    cost := private.cost_estimate(c.model, estimate - c.max_tokens, c.max_tokens);
  end if;
  -- The counters come last: turns of one owner wait for each other there, so the wait is short.
  refused := private.reserve(c, scopes, month, estimate, cost);
  if refused is not null then
    return refused;
  end if;
  return private.open_turn(c, q, turn, held.conversation, month, scopes, estimate, cost, (prompt ->> 'version_id')::uuid)
    || spent || (memory - 'tokens') || jsonb_build_object('prompt', prompt ->> 'text', 'prompt_version_id', prompt ->> 'version_id');
end $$;
comment on function private.take_turn is
  'Spends, reserves and stores what a turn needs, or answers the refusal of the first rule that says no; the caller undoes what was done before it.';
revoke execute on function private.take_turn from public, anon, authenticated;
grant execute on function private.take_turn to service_role;

create function private.brief(c private.caller, q private.question, conversation uuid, settings jsonb) returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
begin
  return jsonb_build_object('agent', c.agent, 'api_key_id', c.key_id, 'channel', c.channel, 'session_id', q.session_id,
    'visitor_verified', q.visitor_verified, 'facts', c.facts,
    'flags', jsonb_build_object('conversation_guard', settings -> 'conversationGuardEnabled', 'role_lock', settings -> 'roleLockEnabled',
      'topic_lock', settings -> 'topicLockEnabled', 'topic_lock_turns', settings -> 'topicLockTurns'),
    'recall', q.visitor_verified and exists (
      select from public.conversation_contexts x join public.conversations v on v.id = x.conversation_id and v.status <> 'deleted'
      where x.agent_id = c.agent_id and x.visitor_id = q.visitor_id and x.conversation_id <> conversation),
    'provider_key', case when c.provider_key_id is not null then (
      select jsonb_build_object('id', k.id, 'user_id', k.user_id, 'provider', k.provider, 'ciphertext', k.ciphertext, 'metadata', k.metadata)
      from public.provider_keys k where k.id = c.provider_key_id) end);
end $$;
comment on function private.brief is 'What the function needs to know to answer an admitted question.';
revoke execute on function private.brief from public, anon, authenticated;
grant execute on function private.brief to service_role;

create function public.admit_turn(message text, message_tokens integer, key_hash text default null, session_id text default null,
  visitor_id text default null, origin text default null, address_hash text default null, metadata jsonb default '{}',
  language text default null, user_id uuid default null, is_admin boolean default false, agent_id uuid default null,
  channel text default 'api', visitor_token text default null, min_session_length integer default 20, idempotency_key text default null,
  route text default null, request_hash text default null, earlier jsonb default '[]', regenerate boolean default false,
  resumable boolean default false, message_metadata jsonb default '{}', extra_tokens integer default 0)
returns jsonb
language plpgsql volatile security invoker set search_path = '' set enable_seqscan = off
as $$
declare
  c private.caller;
  q private.question;
  settings jsonb;
  taken jsonb;
begin
  if num_nonnulls(key_hash, user_id) <> 1 then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'Either key_hash or user_id is needed.';
  end if;
  select jsonb_object_agg(s.key, s.value) into settings from public.app_config s
    where s.key in ('killSwitch', 'maxTurns', 'sessionRequestsPerMinute', 'addressRequestsPerMinute', 'conversationGuardEnabled',
      'roleLockEnabled', 'topicLockEnabled', 'topicLockTurns');
  c := case when key_hash is not null then private.load_key(key_hash, origin, channel, now()) else private.load_user(user_id, is_admin, agent_id) end;
  if c.agent_id is null or c.refusal is not null or 'chat' <> all (c.scopes) or settings -> 'killSwitch' = 'true' then
    return private.caller_refusal(c, 'chat', settings);
  end if;
  q := row(message, message_tokens, extra_tokens, coalesce(session_id, 's_' || private.random_hex()), visitor_id,
    private.is_visitor(c, visitor_id, visitor_token), address_hash, language, metadata, message_metadata, earlier, regenerate, resumable,
    coalesce(c.key_id, c.user_id), route, idempotency_key, request_hash);
  perform private.check_question(q);
  if q.visitor_verified is null then
    return private.refusal('invalid_credential', 401, 'The visitor_token does not fit the visitor_id.');
  elsif c.is_browser and char_length(session_id) < min_session_length then
    return private.refusal('validation_failed', 422, 'With a browser key a session_id has at least ' || min_session_length || ' characters.');
  end if;
  begin
    taken := private.take_turn(c, settings, q, private.month_of(now()));
    if not (taken ->> 'admitted')::boolean then
      -- Undoes what was spent or reserved before the rule that refused.
      raise exception 'refused' using errcode = 'PT001';
    end if;
  exception when sqlstate 'PT001' then
    return taken || jsonb_build_object('key_id', c.key_id, 'agent_id', c.agent_id);
  end;
  if c.key_id is not null and (c.last_used_at is null or c.last_used_at < now() - interval '1 minute') then
    perform private.touch_key(c.key_id, c.last_used_at, now());
  end if;
  return taken || private.brief(c, q, (taken ->> 'conversation_id')::uuid, settings)
    || private.provider_states(c.model || array(select jsonb_array_elements_text(c.agent -> 'fallback_models')), c.provider_key_id);
end $$;
comment on function public.admit_turn is
  'Everything before the model is called: caller, limits, quotas, reservation, conversation and message, all or nothing, and back comes what the model needs. Denied: the code, and no counter moved. A repeated idempotency key: code `replayed` and what the first turn answered.';
revoke execute on function public.admit_turn from public, anon, authenticated;
grant execute on function public.admit_turn to service_role;

-- Settlement --------------------------------------------------------------------------------------------------------

create function public.append_deltas(turn_id uuid, seq integer, text text, provider text default null, model text default null,
  input_tokens integer default null, output_tokens integer default null, events jsonb default '[]') returns jsonb
language plpgsql volatile security invoker set search_path = '' set enable_seqscan = off
as $$
declare
  stop boolean;
begin
  if num_nulls(append_deltas.turn_id, append_deltas.seq, append_deltas.text) > 0 or append_deltas.seq < 1
    or append_deltas.input_tokens < 0 or append_deltas.output_tokens < 0 or jsonb_typeof(append_deltas.events) is distinct from 'array' then
    raise exception 'validation_failed' using errcode = 'PT422',
      detail = 'turn_id, seq and text are needed, seq is 1 or more, tokens are not negative, events is a list.';
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
  if append_deltas.text <> '' or append_deltas.events <> '[]' then
    insert into public.turn_deltas (turn_id, seq, text, events)
    values (append_deltas.turn_id, append_deltas.seq, append_deltas.text, append_deltas.events)
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
  insert into public.usage_counters as u (scope, subject_id, period, owner_id, messages, tokens, cost)
  select b.scope, b.subject_id, t.period, t.owner_id, answered::integer, bill_turn.input_tokens::bigint + bill_turn.output_tokens, price.cost
  from (values ('owner', t.owner_id), ('key', t.limit_group), ('agent', t.agent_id)) as b (scope, subject_id) where b.subject_id is not null
  on conflict on constraint usage_counters_pkey do update
    set messages = u.messages + excluded.messages, tokens = u.tokens + excluded.tokens, cost = u.cost + excluded.cost,
      -- Never below zero: a counter that somebody set back must not keep a turn open for ever.
      reserved_messages = greatest(0, u.reserved_messages - (u.scope = any (t.reserved_in))::integer),
      reserved_tokens = greatest(0, u.reserved_tokens - case when u.scope = any (t.reserved_in) then t.reserved_tokens else 0 end),
      reserved_cost = greatest(0, u.reserved_cost - case when u.scope = any (t.reserved_in) then t.reserved_cost else 0 end);
  insert into public.usage_logs (id, owner_id, agent_id, api_key_id, turn_id, provider, model, input_tokens, output_tokens, cost, currency, priced,
    status, error_code, latency_ms, first_token_ms)
  values (private.uuid_v7(), t.owner_id, t.agent_id, t.api_key_id, t.id, bill_turn.provider, bill_turn.model, bill_turn.input_tokens,
    bill_turn.output_tokens, price.cost, price.currency, price.priced, outcome, bill_turn.error_code, response_time_ms, bill_turn.first_token_ms);
end $$;
comment on function private.bill_turn is 'Moves a turn''s reservation into the counters and the ledger.';
revoke execute on function private.bill_turn from public, anon, authenticated;
grant execute on function private.bill_turn to service_role;

create function private.store_answer(t public.turns, outcome text, answer text, citations jsonb, support real, provider text, model text,
  output_tokens integer, response_time_ms integer, metadata jsonb) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  dropped integer;
begin
  -- After a reset of the session there is no question any more, and then no answer either.
  perform 1 from public.messages m where m.id = t.user_message_id;
  if not found then
    return;
  end if;
  if answer <> '' or metadata ? 'tool_calls' then
    insert into public.messages (id, conversation_id, agent_id, turn_id, role, content, citations, support, prompt_version_id, tokens_used, response_time_ms,
      model, provider, status, metadata)
    values (t.message_id, t.conversation_id, t.agent_id, t.id, 'assistant', answer, store_answer.citations, store_answer.support, t.prompt_version_id,
      store_answer.output_tokens, store_answer.response_time_ms, store_answer.model, store_answer.provider, outcome, store_answer.metadata);
    update public.conversations v set message_count = v.message_count + 1 where v.id = t.conversation_id;
    -- A question that was refused is marked with its refusal.
    update public.messages m set metadata = m.metadata || jsonb_build_object('guard', store_answer.metadata -> 'guard')
      where m.id = t.user_message_id and store_answer.metadata ? 'guard';
  elsif outcome = 'failed' then
    -- A turn that failed before its first word leaves no trace but its record.
    delete from public.messages m where m.conversation_id = t.conversation_id and m.turn_id = t.id;
    get diagnostics dropped = row_count;
    update public.conversations v set message_count = greatest(0, v.message_count - dropped) where v.id = t.conversation_id;
    -- Whoever asks the same again is answered anew.
    delete from public.idempotency_keys i where i.turn_id = t.id;
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

create function private.close_deltas(t public.turns, events jsonb) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  if not t.resumable then
    delete from public.turn_deltas d where d.turn_id = t.id;
  elsif events <> '[]' and exists (select from public.messages m where m.id = t.message_id or m.id = t.user_message_id) then
    insert into public.turn_deltas (turn_id, seq, text, events)
    select t.id, coalesce(max(d.seq), 0) + 1, '', close_deltas.events from public.turn_deltas d where d.turn_id = t.id;
  end if;
end $$;
comment on function private.close_deltas is
  'Drops the deltas of a settled turn; those of a resumable one stay for an hour, with its last events, for whoever reads on.';
revoke execute on function private.close_deltas from public, anon, authenticated;
grant execute on function private.close_deltas to service_role;

create function public.settle_turn(turn_id uuid, outcome text, provider text, model text, answer text default '',
  citations jsonb default '[]', input_tokens integer default 0, output_tokens integer default 0, finish_reason text default null,
  response_time_ms integer default null, first_token_ms integer default null, attempts jsonb default '[]', error_code text default null,
  retrieved jsonb default '[]', message_metadata jsonb default '{}', events jsonb default '[]', memory jsonb default null,
  support real default null)
returns jsonb
language plpgsql volatile security invoker set search_path = '' set enable_seqscan = off
as $$
declare
  t public.turns;
begin
  if num_nulls(outcome, provider, model, answer, input_tokens, output_tokens) > 0 or outcome not in ('completed', 'failed', 'aborted')
    or input_tokens < 0 or output_tokens < 0 or response_time_ms < 0 or first_token_ms < 0 or support not between 0 and 1
    or jsonb_typeof(citations) is distinct from 'array'
    or jsonb_typeof(attempts) is distinct from 'array' or jsonb_typeof(retrieved) is distinct from 'array'
    or jsonb_typeof(message_metadata) is distinct from 'object' or jsonb_typeof(events) is distinct from 'array' then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'outcome is completed, failed or aborted; provider, model and answer are '
      'needed; tokens and times are not negative, support is 0 to 1; citations, attempts, retrieved and events are lists, message_metadata is an object.';
  end if;
  t := private.hold_turn(turn_id);
  if t.settled_at is null then
    perform private.bill_turn(t, outcome, outcome <> 'failed' or answer <> '', provider, model, input_tokens, output_tokens, error_code,
      response_time_ms, first_token_ms, now());
    perform private.store_answer(t, outcome, answer, citations, support, provider, model, output_tokens, response_time_ms,
      jsonb_strip_nulls(jsonb_build_object('finish_reason', finish_reason)) || message_metadata);
    if jsonb_typeof(memory) = 'object' then
      perform private.store_memory(t, memory);
    end if;
    perform private.close_deltas(t, settle_turn.events);
    update public.turns x set state = outcome, settled_at = now(), provider = settle_turn.provider, model = settle_turn.model,
        input_tokens = settle_turn.input_tokens, output_tokens = settle_turn.output_tokens, attempts = settle_turn.attempts,
        error_code = settle_turn.error_code, retrieved = case
          when exists (select from public.messages m where m.id = x.user_message_id) or not x.stop_requested then settle_turn.retrieved else '[]' end
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
      and u.scope = any (old.reserved_in)
    order by u.scope desc for update;
  update public.usage_counters u
    set reserved_messages = greatest(0, u.reserved_messages - 1), reserved_tokens = greatest(0, u.reserved_tokens - old.reserved_tokens),
      reserved_cost = greatest(0, u.reserved_cost - old.reserved_cost)
    where (u.scope, u.subject_id) in (('owner', old.owner_id), ('key', old.limit_group), ('agent', old.agent_id)) and u.period = old.period
      and u.scope = any (old.reserved_in);
  return null;
end $$;
comment on function private.release_reservation is 'Trigger function: a turn that is erased while it is open holds nothing back.';
revoke execute on function private.release_reservation from public, anon, authenticated;
create trigger turns_release_reservation after delete on public.turns
  for each row when (old.settled_at is null) execute function private.release_reservation();

create function public.turn_events(agent_id uuid, turn_id uuid, after_id integer default 0) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select jsonb_build_object('resumable', t.resumable, 'settled', t.settled_at is not null, 'error_code', t.error_code,
    'message_id', (select m.id from public.messages m where m.id = t.message_id),
    'events', coalesce((
      select jsonb_agg(e.value order by d.seq, e.n) from public.turn_deltas d, jsonb_array_elements(d.events) with ordinality e (value, n)
      where d.turn_id = t.id and (e.value ->> 'id')::integer > after_id), '[]'))
  from public.turns t join public.conversations v on v.id = t.conversation_id and v.status <> 'deleted'
    join public.agents a on a.id = t.agent_id and a.deleted_at is null
  where t.id = turn_events.turn_id and t.agent_id = turn_events.agent_id
$$;
comment on function public.turn_events is
  'The stored events of a resumable turn behind `after_id`, and whether it goes on; null when this agent has no such turn.';
revoke execute on function public.turn_events from public, anon, authenticated;
grant execute on function public.turn_events to service_role;

create function public.stop_turn(agent_id uuid, turn_id uuid) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  held record;
begin
  update public.turns t set stop_requested = t.stop_requested or t.settled_at is null
    where t.id = stop_turn.turn_id and t.agent_id = stop_turn.agent_id
      and exists (select from public.agents a where a.id = t.agent_id and a.deleted_at is null)
    returning t.state, t.settled_at into held;
  if not found then
    return null;
  end if;
  return jsonb_build_object('turn_id', turn_id, 'state', held.state, 'stopping', held.settled_at is null);
end $$;
comment on function public.stop_turn is
  'Asks whoever answers a turn to stop, which they learn with their next append_deltas; a settled turn stays as it is. Null when this agent has no such turn.';
revoke execute on function public.stop_turn from public, anon, authenticated;
grant execute on function public.stop_turn to service_role;

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

create function private.forget_turn_traces(as_of timestamptz default now()) returns integer
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  keys integer;
  deltas integer;
begin
  delete from public.idempotency_keys i where i.ctid = any (array(
    select x.ctid from public.idempotency_keys x where x.created_at <= as_of - interval '24 hours' limit 5000));
  get diagnostics keys = row_count;
  delete from public.turn_deltas d where d.ctid = any (array(
    select x.ctid from public.turn_deltas x join public.turns t on t.id = x.turn_id and t.settled_at is not null
    where x.created_at <= as_of - interval '1 hour' limit 5000));
  get diagnostics deltas = row_count;
  return keys + deltas;
end $$;
comment on function private.forget_turn_traces is
  'Drops idempotency keys after 24 hours and the events of resumable turns after one; returns how many rows.';
revoke execute on function private.forget_turn_traces from public, anon, authenticated;
grant execute on function private.forget_turn_traces to service_role;

select private.add_job('reap_turns', 'sql', 'reap_turns', interval '15 seconds', takes_locks => true);
select private.add_job('forget_turn_traces', 'sql', 'forget_turn_traces', interval '1 minute', takes_locks => true);
