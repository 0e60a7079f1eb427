-- Memory: what the model is told of a conversation besides its question, what is kept of a turn, and what earlier
-- conversations of the same visitor left behind. Who reads for a key holder goes through agent_reader: it sees the rows
-- of one agent, and of one visitor, whatever the query says.

create function private.current_visitor() returns text
language sql stable security invoker set search_path = ''
as $$ select nullif(current_setting('app.visitor_id', true), '') $$;
comment on function private.current_visitor is
  'The one visitor whose earlier conversations agent_reader may read in this transaction, null for none.';
revoke execute on function private.current_visitor from public, anon, authenticated;
grant execute on function private.current_visitor to service_role, agent_reader;

create policy "agent_reader reads conversations" on public.conversations for select to agent_reader
  using (agent_id = (select private.current_agent()));
create policy "agent_reader reads messages" on public.messages for select to agent_reader
  using (agent_id = (select private.current_agent()));
create policy "agent_reader reads memory" on public.entity_memory for select to agent_reader
  using (agent_id = (select private.current_agent()));
create policy "agent_reader reads contexts of one visitor" on public.conversation_contexts for select to agent_reader
  using (agent_id = (select private.current_agent()) and visitor_id = (select private.current_visitor()));
grant select on public.conversations, public.messages, public.entity_memory, public.conversation_contexts to agent_reader;

-- What a turn starts from -------------------------------------------------------------------------------------------

create function private.overflow(conversation_id uuid, after_id uuid, before_id uuid) returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
begin
  -- Oldest first, so that what is left over joins the summary in a later turn, and the range has no gap.
  return (select coalesce(jsonb_agg(jsonb_build_object('id', o.id, 'role', o.role, 'content', o.content, 'standalone', o.standalone)
      order by o.id), '[]')
    from (
      select m.id, m.role, left(m.content, 4000) as content, m.metadata -> 'standalone' as standalone from public.messages m
      where m.conversation_id = overflow.conversation_id and m.role in ('user', 'assistant') and (after_id is null or m.id > after_id)
        and (before_id is null or m.id < before_id) and not m.metadata ? 'guard'
      order by m.id limit 40
    ) o);
end $$;
comment on function private.overflow is
  'The messages that neither the history nor the summary holds, oldest first, at most 40: they are to join the summary.';
revoke execute on function private.overflow from public, anon, authenticated;
grant execute on function private.overflow to agent_reader;

create function private.session_memory(conversation_id uuid) returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
begin
  return (select coalesce(jsonb_agg(jsonb_build_object('type', e.type, 'value', e.value) order by e.message_id nulls first), '[]')
    from (
      select x.type, x.value, x.message_id from public.entity_memory x
      where x.conversation_id = session_memory.conversation_id and x.confidence >= 0.5 order by x.message_id desc nulls last limit 30
    ) e);
end $$;
comment on function private.session_memory is
  'What the visitor said about themselves in a conversation, oldest first: the newest 30 that are likely meant.';
revoke execute on function private.session_memory from public, anon, authenticated;
grant execute on function private.session_memory to agent_reader;

create function private.turn_memory(agent_id uuid, conversation_id uuid, token_budget integer) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  held public.conversations;
  said record;
  result jsonb;
begin
  perform set_config('app.agent_id', turn_memory.agent_id::text, true);
  select c.* into held from public.conversations c where c.id = turn_memory.conversation_id;
  with recent as (
    -- Newest first until the budget is full.
    select m.*, sum(m.tokens_used) over (order by m.id desc) as running, count(*) over () as messages
    from (
      select m.id, m.role, m.content, m.metadata, m.tokens_used from public.messages m
      -- What was refused is not shown to the model again.
      where m.conversation_id = turn_memory.conversation_id and m.role in ('user', 'assistant', 'tool') and not m.metadata ? 'guard'
      order by m.id desc limit 100
    ) m
  )
  select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('role', r.role, 'content', r.content,
      'metadata', nullif(jsonb_strip_nulls(jsonb_build_object('tool_calls', r.metadata -> 'tool_calls',
        'tool_call_id', r.metadata -> 'tool_call_id', 'standalone', r.metadata -> 'standalone')), '{}'))) order by r.id), '[]') as history,
    coalesce(sum(r.tokens_used), 0) as tokens, (array_agg(r.id order by r.id))[1] as first_id,
    -- Nothing can be older than a history that has all there is.
    count(*) < 100 and count(*) = max(r.messages) as is_whole
  into said from recent r
  -- Whole exchanges only: models refuse a history that starts with an answer.
  where r.running <= token_budget and r.id >= (
    select q.id from recent q where q.running <= token_budget and q.role = 'user' order by q.id limit 1);
  -- A summary of messages that are gone is none, and one of what the history has is not needed.
  if held.summary_from is not null and (said.is_whole or not exists (select from public.messages m where m.id = held.summary_from)) then
    held.summary := null;
    held.summary_through := null;
  end if;
  result := jsonb_build_object('history', said.history, 'tokens', said.tokens, 'summary', held.summary,
    'overflow', case when said.is_whole then '[]'::jsonb else private.overflow(conversation_id, held.summary_through, said.first_id) end,
    'memory', private.session_memory(conversation_id),
    'topic', case when held.topic_turns > 0 then jsonb_build_object('words', held.topic_words, 'turns', held.topic_turns) end);
  perform set_config('app.agent_id', '', true);
  return result;
end $$;
comment on function private.turn_memory is
  'History within a token budget, summary of what is older, what has to join it, memory and topic of a conversation, read as agent_reader.';
revoke execute on function private.turn_memory from public, anon, authenticated;
grant execute on function private.turn_memory to service_role;
grant create on schema private to agent_reader;
alter function private.turn_memory owner to agent_reader;
revoke create on schema private from agent_reader;

-- What is kept of a turn --------------------------------------------------------------------------------------------

create function private.first_message(conversation_id uuid) returns uuid
language sql stable security invoker set search_path = ''
as $$ select m.id from public.messages m where m.conversation_id = first_message.conversation_id order by m.id limit 1 $$;
comment on function private.first_message is 'The oldest message of a conversation: what is made from its messages goes when that goes.';
revoke execute on function private.first_message from public, anon, authenticated;
grant execute on function private.first_message to service_role;

create function private.forget_summary() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  update public.conversations v set summary = null, summary_from = null, summary_through = null
    where v.id = old.conversation_id and v.summary is not null;
  return null;
end $$;
comment on function private.forget_summary is
  'Trigger function: a context goes with the first message that it was made from, and takes the summary of its conversation along.';
revoke execute on function private.forget_summary from public, anon, authenticated;
create trigger conversation_contexts_forget_summary after delete on public.conversation_contexts
  for each row execute function private.forget_summary();

create function private.store_summary(t public.turns, summary jsonb) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  -- The range goes on where the summary before it ended; where that one was not told on, a new range begins.
  update public.conversations v set summary = store_summary.summary ->> 'text', summary_through = (store_summary.summary ->> 'through')::uuid,
      summary_from = case when (store_summary.summary ->> 'continues')::boolean then v.summary_from else (store_summary.summary ->> 'from')::uuid end
    where v.id = t.conversation_id;
  -- Whose messages go takes the summary along, see forget_summary.
  insert into public.conversation_contexts (conversation_id, agent_id, from_message_id)
  select t.conversation_id, t.agent_id, private.first_message(t.conversation_id) on conflict do nothing;
end $$;
comment on function private.store_summary is 'Keeps the rolled summary of a conversation with the range of messages that it covers.';
revoke execute on function private.store_summary from public, anon, authenticated;
grant execute on function private.store_summary to service_role;

create function private.store_memory(t public.turns, memory jsonb) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  topic jsonb := nullif(memory -> 'topic', 'null');
begin
  -- After a reset of the session, or when the turn failed before its first word, there is no question any more: nothing
  -- may be remembered of it.
  perform 1 from public.messages m where m.id = t.user_message_id;
  if not found then
    return;
  end if;
  if memory ->> 'standalone' is not null then
    update public.messages m set metadata = m.metadata || jsonb_build_object('standalone', memory -> 'standalone') where m.id = t.user_message_id;
  end if;
  insert into public.entity_memory as e (agent_id, conversation_id, type, value, sentiment, confidence, message_id)
  select t.agent_id, t.conversation_id, x.type, x.value, x.sentiment, x.confidence, t.user_message_id
  from jsonb_to_recordset(coalesce(memory -> 'entities', '[]')) as x (type text, value text, sentiment text, confidence real)
  on conflict on constraint entity_memory_once_per_value do update set sentiment = excluded.sentiment,
    confidence = greatest(e.confidence, excluded.confidence), message_id = excluded.message_id;
  update public.conversations v set topic_turns = coalesce((topic ->> 'turns')::integer, 0),
      topic_words = case when topic is null then '{}' else array(select jsonb_array_elements_text(topic -> 'words')) end
    where v.id = t.conversation_id;
  if nullif(memory -> 'summary', 'null') is not null then
    perform private.store_summary(t, memory -> 'summary');
  end if;
end $$;
comment on function private.store_memory is
  'Keeps what a turn adds to the memory of its conversation: what the visitor said about themselves, the topic, the summary with the range it covers, and the rewritten question beside the visitor''s own words. The caller holds the conversation.';
revoke execute on function private.store_memory from public, anon, authenticated;
grant execute on function private.store_memory to service_role;

-- What later conversations are told ---------------------------------------------------------------------------------

create function private.newest(items jsonb, most integer) returns jsonb
language sql immutable security invoker set search_path = ''
as $$
  select coalesce(jsonb_agg(i.value order by i.place), '[]') from (
    select x.value, max(x.n) as place from jsonb_array_elements(items) with ordinality x (value, n)
    group by x.value order by 2 desc limit most
  ) i
$$;
comment on function private.newest is 'Each item of a list once, at its last place; the last `most` of them.';
revoke execute on function private.newest from public, anon, authenticated;
grant execute on function private.newest to service_role;

create function private.told(conversation_id uuid, out entities jsonb, out sentiment text)
language plpgsql stable security invoker set search_path = ''
as $$
begin
  select coalesce(jsonb_agg(jsonb_build_object('type', e.type, 'value', e.value, 'sentiment', e.sentiment, 'confidence', e.confidence)
      order by e.message_id nulls first), '[]'),
    coalesce((array_agg(e.value order by e.message_id desc nulls last) filter (where e.type = 'sentiment'))[1], 'neutral')
    into entities, sentiment
  from (select * from public.entity_memory x where x.conversation_id = told.conversation_id order by x.message_id desc nulls last limit 50) e;
end $$;
comment on function private.told is 'The newest 50 things that a visitor said about themselves in a conversation, and how they felt last.';
revoke execute on function private.told from public, anon, authenticated;
grant execute on function private.told to service_role;

create function public.save_context(turn_id uuid, summary text, key_facts jsonb default '[]', topic text default null,
  embedding text default null, embedding_model text default null) returns boolean
language plpgsql volatile security invoker set search_path = '' set enable_seqscan = off
as $$
declare
  v public.conversations;
  t public.turns;
  told record;
  intents jsonb;
begin
  if num_nulls(save_context.turn_id, save_context.summary) > 0 or jsonb_typeof(save_context.key_facts) is distinct from 'array'
    or (save_context.embedding is null) <> (save_context.embedding_model is null) then
    raise exception 'validation_failed' using errcode = 'PT422',
      detail = 'turn_id and summary are needed, key_facts is a list, and an embedding needs its embedding_model.';
  end if;
  select * into t from public.turns x where x.id = save_context.turn_id;
  -- Under the lock of the conversation: what a reset forgets meanwhile does not come back.
  select * into v from public.conversations x where x.id = t.conversation_id and x.status <> 'deleted' for no key update;
  if not found or not exists (select from public.messages m where m.id = t.user_message_id) then
    return false;
  end if;
  told := private.told(v.id);
  intents := (select coalesce(jsonb_agg(jsonb_build_object('intent', e.value, 'at', t.created_at, 'message_id', t.user_message_id)), '[]') from public.entity_memory e
    where e.message_id = t.user_message_id and e.type = 'intent');
  insert into public.conversation_contexts as x (conversation_id, agent_id, visitor_id, from_message_id, through_message_id, summary, key_facts,
    entities, topics, sentiment, intent_history, embedding, embedding_model)
  values (v.id, v.agent_id, case when v.visitor_verified then v.visitor_id end,
    private.first_message(v.id), t.user_message_id, save_context.summary,
    save_context.key_facts, told.entities, array_remove(array[topic], null), told.sentiment, intents,
    save_context.embedding::extensions.halfvec, save_context.embedding_model)
  on conflict on constraint conversation_contexts_pkey do update set visitor_id = excluded.visitor_id,
    from_message_id = excluded.from_message_id, through_message_id = excluded.through_message_id, summary = excluded.summary,
    key_facts = private.newest(x.key_facts || excluded.key_facts, 12), entities = excluded.entities, sentiment = excluded.sentiment,
    topics = array(select jsonb_array_elements_text(private.newest(to_jsonb(x.topics || excluded.topics), 20))),
    intent_history = private.newest(x.intent_history || excluded.intent_history, 20),
    embedding = excluded.embedding, embedding_model = excluded.embedding_model
    -- Two turns may be saved in the wrong order: the later one counts.
    where x.through_message_id is null or x.through_message_id < excluded.through_message_id;
  return found;
end $$;
comment on function public.save_context is
  'Keeps what a conversation came to with this turn, for later conversations of the same visitor; false when there is nothing to keep any more or a later turn was kept.';
revoke execute on function public.save_context from public, anon, authenticated;
grant execute on function public.save_context to service_role;

create function public.recall_contexts(agent_id uuid, visitor_id text, conversation_id uuid, query_embedding text default null,
  embedding_model text default null, max_items integer default 3) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  vector extensions.halfvec := recall_contexts.query_embedding::extensions.halfvec;
  result jsonb;
begin
  if num_nulls(agent_id, visitor_id, conversation_id) > 0 or visitor_id = '' or coalesce(max_items, 0) not between 1 and 20
    or (vector is not null and embedding_model is null) then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'agent_id, visitor_id and conversation_id are needed, '
      'max_items is 1 to 20, and an embedding needs its embedding_model.';
  end if;
  perform set_config('app.agent_id', agent_id::text, true);
  -- The visitor whom this conversation has proven, not whoever names somebody else in it.
  perform set_config('app.visitor_id', coalesce((select v.visitor_id from public.conversations v
    where v.id = recall_contexts.conversation_id and v.visitor_id = recall_contexts.visitor_id and v.visitor_verified), ''), true);
  result := private.find_contexts(agent_id, visitor_id, conversation_id, vector, embedding_model, max_items);
  perform set_config('app.agent_id', '', true);
  perform set_config('app.visitor_id', '', true);
  return result;
end $$;
comment on function public.recall_contexts is
  'What earlier conversations of the verified visitor of this one left: the contexts that fit the question best, else the newest, and what they said about themselves.';
revoke execute on function public.recall_contexts from public, anon, authenticated;
grant execute on function public.recall_contexts to service_role;

create function private.find_contexts(agent_id uuid, visitor_id text, conversation_id uuid, vector extensions.halfvec, embedding_model text,
  max_items integer) returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
begin
  return (
    with earlier as (
      select x.*, case when x.embedding_model = find_contexts.embedding_model
          and extensions.vector_dims(x.embedding) = extensions.vector_dims(vector)
        then 1 - (x.embedding operator(extensions.<=>) vector) end as similarity
      from public.conversation_contexts x join public.conversations v on v.id = x.conversation_id and v.status <> 'deleted'
      where x.agent_id = find_contexts.agent_id and x.visitor_id = find_contexts.visitor_id
        and x.conversation_id <> find_contexts.conversation_id
      order by x.through_message_id desc nulls last limit 100
    )
    select jsonb_build_object('contexts', coalesce((
        select jsonb_agg(jsonb_build_object('conversation_id', b.conversation_id, 'summary', b.summary, 'key_facts', b.key_facts,
          'topics', b.topics, 'similarity', b.similarity, 'updated_at', b.updated_at) order by b.similarity desc nulls last, b.through_message_id desc nulls last)
        from (select * from earlier e order by e.similarity desc nulls last, e.through_message_id desc nulls last limit max_items) b), '[]'),
      'memory', coalesce((
        select jsonb_agg(jsonb_build_object('type', s.type, 'value', s.value) order by s.through_message_id nulls first)
        from (
          select distinct on (i.type, i.value) i.type, i.value, e.through_message_id from earlier e
          cross join lateral jsonb_to_recordset(e.entities) as i (type text, value text, confidence real)
          where i.confidence >= 0.5 and i.type in ('name', 'email', 'phone', 'preference', 'complaint')
          order by i.type, i.value, e.through_message_id desc nulls last
        ) s), '[]')));
end $$;
comment on function private.find_contexts is 'The work of recall_contexts, for the agent and the visitor of the transaction.';
revoke execute on function private.find_contexts from public, anon, authenticated;
grant execute on function private.find_contexts to agent_reader;
grant create on schema public to agent_reader;
alter function public.recall_contexts owner to agent_reader;
revoke create on schema public from agent_reader;
