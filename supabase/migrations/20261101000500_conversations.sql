-- Conversations: sessions, their messages, the turns that make them, what is remembered, and feedback.

-- Tables ------------------------------------------------------------------------------------------------------------

create table public.conversations (
  id uuid primary key default private.uuid_v7(),
  agent_id uuid not null references public.agents (id) on delete cascade,
  session_id text not null,
  visitor_id text,
  visitor_verified boolean not null default false,
  user_id uuid,
  api_key_id uuid,
  channel text not null default 'api',
  status text not null default 'active',
  language text,
  summary text,
  summary_from uuid,
  summary_through uuid,
  topic_words text[] not null default '{}',
  topic_turns integer not null default 0,
  message_count integer not null default 0,
  metadata jsonb not null default '{}',
  closed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint conversations_one_per_session unique (session_id, agent_id),
  constraint conversations_session_id_is_1_to_200_characters check (char_length(session_id) between 1 and 200),
  constraint conversations_visitor_id_is_1_to_200_characters check (char_length(visitor_id) between 1 and 200),
  constraint conversations_channel_is_known check (channel in ('api', 'widget', 'openai', 'dashboard', 'admin', 'import')),
  constraint conversations_status_is_known check (status in ('active', 'closed', 'archived', 'deleted')),
  constraint conversations_language_is_a_code check (language ~ '^[a-z]{2,3}$'),
  constraint conversations_summary_has_its_whole_range check (num_nulls(summary_from, summary_through) <> 1
    and (summary is not null or summary_from is null)),
  constraint conversations_topic_turns_are_not_negative check (topic_turns >= 0),
  constraint conversations_message_count_is_not_negative check (message_count >= 0),
  -- 16 KiB as the API counts them; the text form of jsonb has up to half as many blanks besides.
  constraint conversations_metadata_is_a_small_object check (jsonb_typeof(metadata) = 'object' and octet_length(metadata::text) <= 24576)
);
comment on table public.conversations is
  'One session of a visitor with an agent. `updated_at` moves with every message; the asker (`user_id`) has no foreign key, so a conversation outlives the account until it is erased or pruned; neither has the API key, whose row goes only with the agent. The summary covers the messages from `summary_from` through `summary_through`, which no longer fit the history.';
create index conversations_agent_updated on public.conversations (agent_id, updated_at desc);
create index conversations_visitor on public.conversations (agent_id, visitor_id) where visitor_id is not null;
create index conversations_user_id on public.conversations (user_id) where user_id is not null;
-- Ranges of blocks, for the job alone: a tree would make every message write all indexes of the row anew.
create index conversations_idle on public.conversations using brin (updated_at) where status = 'active';
create index conversations_hidden on public.conversations (agent_id) where status = 'deleted' or channel = 'admin';
-- Closing or archiving is not activity: only a message moves `updated_at`.
create trigger conversations_updated_at before update of message_count on public.conversations
  for each row execute function public.update_updated_at_column();

create table public.messages (
  id uuid primary key default private.uuid_v7(),
  conversation_id uuid not null references public.conversations (id) on delete cascade,
  agent_id uuid not null,
  turn_id uuid,
  role text not null,
  content text not null,
  citations jsonb not null default '[]',
  support real,
  prompt_version_id uuid,
  tokens_used integer not null default 0,
  response_time_ms integer,
  model text,
  provider text,
  status text not null default 'completed',
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  constraint messages_role_is_known check (role in ('user', 'assistant', 'system', 'tool')),
  constraint messages_citations_are_a_list check (jsonb_typeof(citations) = 'array'),
  constraint messages_support_is_a_share check (support between 0 and 1),
  constraint messages_tokens_used_is_not_negative check (tokens_used >= 0),
  constraint messages_response_time_is_not_negative check (response_time_ms >= 0),
  constraint messages_status_is_known check (status in ('completed', 'failed', 'aborted')),
  constraint messages_metadata_is_an_object check (jsonb_typeof(metadata) = 'object')
) partition by range (id);
comment on table public.messages is
  'What was said. The id is a UUIDv7 and the partitions are months of it. `agent_id` repeats the conversation''s for the policies; the conversation''s key removes the row. `status` says whether an answer is whole.';
comment on column public.messages.support is
  'The share of an answer''s statements that its citations bear out, by their words; null when it states nothing or the agent has no documents.';
comment on column public.messages.prompt_version_id is
  'The version of a prompt that this answer was given with; null for the agent''s instructions. Without a key: a record that outlives the prompt.';
create index messages_conversation on public.messages (conversation_id, id);

create table public.turns (
  id uuid primary key default private.uuid_v7(),
  conversation_id uuid not null references public.conversations (id) on delete cascade,
  agent_id uuid not null,
  owner_id uuid not null,
  api_key_id uuid,
  limit_group uuid,
  state text not null default 'admitted',
  user_message_id uuid not null,
  message_id uuid not null,
  prompt_version_id uuid,
  period date not null,
  reserved_in text[] not null default '{owner}',
  reserved_tokens bigint not null,
  reserved_cost numeric(20, 10) not null default 0,
  input_tokens integer not null default 0,
  output_tokens integer not null default 0,
  provider text,
  model text,
  attempts jsonb not null default '[]',
  retrieved jsonb not null default '[]',
  error_code text,
  stop_requested boolean not null default false,
  resumable boolean not null default false,
  leased_until timestamptz not null,
  settled_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint turns_state_is_known check (state in ('admitted', 'streaming', 'completed', 'failed', 'aborted')),
  constraint turns_settled_means_ended check ((settled_at is not null) = (state in ('completed', 'failed', 'aborted'))),
  constraint turns_reserved_in_are_scopes check (reserved_in <@ '{owner,key,agent}'),
  constraint turns_reservation_is_not_negative check (reserved_tokens >= 0 and reserved_cost >= 0),
  constraint turns_tokens_are_not_negative check (input_tokens >= 0 and output_tokens >= 0),
  constraint turns_attempts_are_a_list check (jsonb_typeof(attempts) = 'array'),
  constraint turns_retrieved_is_a_list check (jsonb_typeof(retrieved) = 'array')
);
comment on table public.turns is
  'The state machine of one exchange: admitted, streaming, then completed, failed or aborted, exactly once. Holds the reservation until settlement (`reserved_in`: in which counters) and its lease while a function works on it. Agent, owner and key repeat the conversation''s, whose key removes the row.';
-- One exchange of a session at a time: two answers cannot interleave in one history.
create unique index turns_one_open_per_conversation on public.turns (conversation_id) where settled_at is null;
create index turns_conversation_id on public.turns (conversation_id);
create index turns_agent_id on public.turns (agent_id);
create index turns_open_lease on public.turns (leased_until) where state in ('admitted', 'streaming');
create trigger turns_updated_at before update on public.turns for each row execute function public.update_updated_at_column();

create table public.turn_deltas (
  turn_id uuid not null references public.turns (id) on delete cascade,
  seq integer not null,
  text text not null,
  events jsonb not null default '[]',
  created_at timestamptz not null default now(),
  constraint turn_deltas_pkey primary key (turn_id, seq),
  constraint turn_deltas_seq_is_positive check (seq > 0),
  constraint turn_deltas_events_are_a_list check (jsonb_typeof(events) = 'array')
);
create index turn_deltas_created_at on public.turn_deltas (created_at);
comment on table public.turn_deltas is
  'What an answer said so far, in batches, so that a killed worker loses at most the last seconds. Gone with the settlement, but for a resumable turn, whose numbered events can be read on for an hour.';

create table public.idempotency_keys (
  credential uuid not null,
  route text not null,
  key text not null,
  request_hash text not null,
  turn_id uuid not null,
  created_at timestamptz not null default now(),
  constraint idempotency_keys_pkey primary key (credential, route, key),
  -- Claimed before its turn is stored, in the same transaction.
  constraint idempotency_keys_turn_id_fkey foreign key (turn_id) references public.turns (id) on delete cascade
    deferrable initially deferred,
  constraint idempotency_keys_route_is_1_to_100_characters check (char_length(route) between 1 and 100),
  constraint idempotency_keys_key_is_1_to_255_characters check (char_length(key) between 1 and 255),
  constraint idempotency_keys_request_hash_is_sha256 check (request_hash ~ '^[0-9a-f]{64}$')
);
comment on table public.idempotency_keys is
  'Which turn answered an Idempotency-Key of a credential (API key or user) on a route, for 24 hours.';
create index idempotency_keys_turn_id on public.idempotency_keys (turn_id);
create index idempotency_keys_created_at on public.idempotency_keys (created_at);

create table public.feedback (
  id uuid primary key default gen_random_uuid(),
  agent_id uuid not null references public.agents (id) on delete cascade,
  message_id uuid not null references public.messages (id) on delete cascade,
  session_id text not null,
  rating smallint not null,
  comment text,
  category text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint feedback_once_per_message_and_session unique (message_id, session_id),
  constraint feedback_rating_is_a_thumb check (rating in (-1, 1)),
  constraint feedback_comment_is_at_most_4000_characters check (char_length(comment) <= 4000),
  constraint feedback_category_is_1_to_100_characters check (char_length(category) between 1 and 100)
);
comment on table public.feedback is 'A thumb up or down on an answer, once per message and session; a later one replaces it.';
create index feedback_agent_created on public.feedback (agent_id, created_at);
create trigger feedback_updated_at before update on public.feedback for each row execute function public.update_updated_at_column();

create table public.entity_memory (
  id uuid primary key default gen_random_uuid(),
  agent_id uuid not null references public.agents (id) on delete cascade,
  conversation_id uuid not null references public.conversations (id) on delete cascade,
  type text not null,
  value text not null,
  sentiment text not null default 'neutral',
  confidence real not null default 1,
  message_id uuid references public.messages (id) on delete cascade,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint entity_memory_once_per_value unique (conversation_id, type, value),
  constraint entity_memory_type_is_known check (type in ('name', 'email', 'phone', 'preference', 'intent', 'complaint', 'sentiment')),
  constraint entity_memory_value_is_1_to_1000_characters check (char_length(value) between 1 and 1000),
  constraint entity_memory_sentiment_is_known check (sentiment in ('positive', 'neutral', 'negative')),
  constraint entity_memory_confidence_is_a_share check (confidence between 0 and 1)
);
comment on table public.entity_memory is 'What a visitor said about themselves in a session, with the message it comes from, and goes with.';
create index entity_memory_agent_id on public.entity_memory (agent_id);
create index entity_memory_message_id on public.entity_memory (message_id);
create trigger entity_memory_updated_at before update on public.entity_memory
  for each row execute function public.update_updated_at_column();

create table public.conversation_contexts (
  conversation_id uuid primary key references public.conversations (id) on delete cascade,
  agent_id uuid not null references public.agents (id) on delete cascade,
  visitor_id text,
  from_message_id uuid references public.messages (id) on delete cascade,
  through_message_id uuid,
  embedding_model text,
  embedding extensions.halfvec,
  summary text,
  key_facts jsonb not null default '[]',
  entities jsonb not null default '[]',
  topics text[] not null default '{}',
  sentiment text not null default 'neutral',
  intent_history jsonb not null default '[]',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint conversation_contexts_visitor_id_is_1_to_200_characters check (char_length(visitor_id) between 1 and 200),
  constraint conversation_contexts_embedding_names_its_model check ((embedding is null) = (embedding_model is null)),
  constraint conversation_contexts_key_facts_are_a_list check (jsonb_typeof(key_facts) = 'array'),
  constraint conversation_contexts_entities_are_a_list check (jsonb_typeof(entities) = 'array'),
  constraint conversation_contexts_intent_history_is_a_list check (jsonb_typeof(intent_history) = 'array'),
  constraint conversation_contexts_sentiment_is_known check (sentiment in ('positive', 'neutral', 'negative'))
);
comment on table public.conversation_contexts is
  'The long-term context of a conversation, with an embedding for recall in later sessions of the same visitor: `visitor_id` is set where it was proven. It goes with the first message it was made from.';
create index conversation_contexts_visitor on public.conversation_contexts (agent_id, visitor_id);
create index conversation_contexts_from_message_id on public.conversation_contexts (from_message_id);
create trigger conversation_contexts_updated_at before update on public.conversation_contexts
  for each row execute function public.update_updated_at_column();

insert into private.partitioned_tables (name) values ('messages');
select private.ensure_partitions('messages');

-- Rights ------------------------------------------------------------------------------------------------------------

alter table public.conversations enable row level security;
alter table public.messages enable row level security;
alter table public.turns enable row level security;
alter table public.turn_deltas enable row level security;
alter table public.idempotency_keys enable row level security;
alter table public.feedback enable row level security;
alter table public.entity_memory enable row level security;
alter table public.conversation_contexts enable row level security;

revoke all on public.conversations, public.messages, public.turns, public.turn_deltas, public.idempotency_keys, public.feedback, public.entity_memory,
  public.conversation_contexts from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.conversations, public.messages, public.turns, public.turn_deltas, public.idempotency_keys, public.feedback,
  public.entity_memory, public.conversation_contexts to service_role;
grant select on public.conversations, public.messages, public.turns, public.feedback, public.entity_memory, public.conversation_contexts
  to authenticated;

create function private.asked_conversations() returns setof uuid
language sql stable security definer set search_path = '' rows 20
as $$
  select c.id from public.conversations c join public.agents a on a.id = c.agent_id and a.deleted_at is null
  where c.user_id = (select auth.uid()) and c.status <> 'deleted'
$$;
comment on function private.asked_conversations is 'The conversations that the caller had as a user with agents that still exist.';
revoke execute on function private.asked_conversations from public, anon;
grant execute on function private.asked_conversations to authenticated, service_role;

create function private.hidden_conversations() returns setof uuid
language sql stable security definer set search_path = '' rows 20
as $$
  select c.id from public.conversations c
  where (c.status = 'deleted' or c.channel = 'admin') and c.agent_id = any (array(select private.visible_agents('viewer')))
$$;
comment on function private.hidden_conversations is
  'The conversations of the caller''s agents that members do not see, and neither what is in them: deleted ones that are not yet erased, and what admins ask.';
revoke execute on function private.hidden_conversations from public, anon;
grant execute on function private.hidden_conversations to authenticated, service_role;

-- Members read the conversations of their agents, askers their own, admins all.
create policy "members, askers and admins read conversations" on public.conversations for select to authenticated
  using ((agent_id = any (array(select private.visible_agents('viewer'))) and status <> 'deleted' and channel <> 'admin')
    or id = any (array(select private.asked_conversations())) or (select private.is_admin()));
create policy "members, askers and admins read messages" on public.messages for select to authenticated
  using ((agent_id = any (array(select private.visible_agents('viewer')))
      and conversation_id <> all (array(select private.hidden_conversations())))
    or conversation_id = any (array(select private.asked_conversations())) or (select private.is_admin()));
create policy "members and admins read turns" on public.turns for select to authenticated
  using ((agent_id = any (array(select private.visible_agents('viewer')))
      and conversation_id <> all (array(select private.hidden_conversations()))) or (select private.is_admin()));
create policy "members and admins read feedback" on public.feedback for select to authenticated
  using (agent_id = any (array(select private.visible_agents('viewer'))) or (select private.is_admin()));
create policy "members read memory" on public.entity_memory for select to authenticated
  using (agent_id = any (array(select private.visible_agents('viewer')))
    and conversation_id <> all (array(select private.hidden_conversations())));
create policy "members read contexts" on public.conversation_contexts for select to authenticated
  using (agent_id = any (array(select private.visible_agents('viewer')))
    and conversation_id <> all (array(select private.hidden_conversations())));
create policy nobody on public.idempotency_keys as restrictive for all to anon, authenticated using (false);
create policy nobody on public.turn_deltas as restrictive for all to anon, authenticated using (false);

-- Sessions ----------------------------------------------------------------------------------------------------------

create function public.session_messages(agent_id uuid, session_id text, max_items integer default 50, before uuid default null,
  reader uuid default null) returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
declare
  conversation uuid;
  result jsonb;
begin
  if max_items is null or max_items not between 1 and 200 then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'limit is 1 to 200.';
  end if;
  select c.id into conversation from public.conversations c join public.agents a on a.id = c.agent_id and a.deleted_at is null
    where c.agent_id = session_messages.agent_id and c.session_id = session_messages.session_id and c.status <> 'deleted'
      -- What an admin asked is for that admin alone.
      and (c.channel <> 'admin' or c.user_id = reader);
  if not found then
    return null;
  end if;
  with page as (
    select m.* from public.messages m where m.conversation_id = conversation and (before is null or m.id < before)
    order by m.id desc limit max_items + 1
  )
  select jsonb_build_object('has_more', (select count(*) > max_items from page), 'messages', coalesce((
    select jsonb_agg(jsonb_build_object('id', s.id, 'turn_id', s.turn_id, 'role', s.role, 'content', s.content, 'citations', s.citations,
      'rating', f.rating, 'created_at', s.created_at) order by s.id)
    from (select * from page order by id desc limit max_items) s
    left join public.feedback f on f.message_id = s.id and f.session_id = session_messages.session_id), '[]'))
  into result;
  return result;
end $$;
comment on function public.session_messages is
  'The messages of a session before a message, oldest first; null when the agent has no such session.';
revoke execute on function public.session_messages from public, anon, authenticated;
grant execute on function public.session_messages to service_role;

create function private.clear_conversation(conversation_id uuid) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  -- Usage and bill are in the ledger and stay; a turn still open is settled there and finds nothing to write to.
  delete from public.entity_memory e where e.conversation_id = clear_conversation.conversation_id;
  delete from public.conversation_contexts x where x.conversation_id = clear_conversation.conversation_id;
  delete from public.idempotency_keys i using public.turns t where t.conversation_id = clear_conversation.conversation_id and i.turn_id = t.id;
  delete from public.turn_deltas d using public.turns t where t.conversation_id = clear_conversation.conversation_id and d.turn_id = t.id;
  delete from public.messages m where m.conversation_id = clear_conversation.conversation_id;
  update public.turns t set stop_requested = t.stop_requested or t.settled_at is null, retrieved = '[]'
    where t.conversation_id = clear_conversation.conversation_id and (t.settled_at is null or t.retrieved <> '[]');
  update public.conversations c set summary = null, summary_from = null, summary_through = null, topic_words = '{}', topic_turns = 0,
      message_count = 0, metadata = '{}', status = 'active', closed_at = null
    where c.id = clear_conversation.conversation_id;
end $$;
comment on function private.clear_conversation is
  'Removes what was said and remembered in a conversation, whose row the caller holds; an answer under way is stopped and not stored.';
revoke execute on function private.clear_conversation from public, anon, authenticated;
grant execute on function private.clear_conversation to service_role;

create function public.reset_chat_session(p_session_id text, p_agent_id uuid default null) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  named uuid[];
begin
  if p_session_id is null or p_session_id = '' then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'p_session_id is needed.';
  end if;
  -- Without an agent the session must be one that the caller may write, and only one.
  named := array(select c.id from public.conversations c join public.agents a on a.id = c.agent_id and a.deleted_at is null
    where c.session_id = p_session_id and (p_agent_id is null or c.agent_id = p_agent_id) and c.status <> 'deleted'
      and (private.is_service() or c.user_id = (select auth.uid())
        or (c.channel <> 'admin' and c.agent_id in (select private.visible_agents('editor'))))
    for update of c);
  if cardinality(named) = 0 then
    raise exception 'not_found' using errcode = 'PT404', detail = 'No such session.';
  elsif cardinality(named) > 1 then
    raise exception 'conflict' using errcode = 'PT409', detail = 'More than one agent has this session; name the agent.';
  end if;
  perform private.clear_conversation(named[1]);
  return jsonb_build_object('conversations', 1);
end $$;
comment on function public.reset_chat_session is
  'Clears messages, summary, count, memory, context and stored deltas of a session; usage and bill stay.';
revoke execute on function public.reset_chat_session from public, anon;
grant execute on function public.reset_chat_session to service_role, authenticated;

create function public.save_feedback(agent_id uuid, message_id uuid, rating integer, comment text default null, category text default null)
returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  saved jsonb;
begin
  if rating is null or rating not in (-1, 1) or char_length(comment) > 4000 or char_length(category) not between 1 and 100 then
    raise exception 'validation_failed' using errcode = 'PT422',
      detail = 'rating is -1 or 1, comment has at most 4000 characters, category 1 to 100.';
  end if;
  insert into public.feedback as f (agent_id, message_id, session_id, rating, comment, category)
  select c.agent_id, m.id, c.session_id, save_feedback.rating, save_feedback.comment, save_feedback.category
  from public.messages m join public.conversations c on c.id = m.conversation_id join public.agents a on a.id = c.agent_id and a.deleted_at is null
  where m.id = save_feedback.message_id and c.agent_id = save_feedback.agent_id and m.role = 'assistant' and c.status <> 'deleted'
  on conflict on constraint feedback_once_per_message_and_session
  do update set rating = excluded.rating, comment = excluded.comment, category = excluded.category
  returning jsonb_build_object('id', f.id, 'message_id', f.message_id, 'rating', f.rating) into saved;
  return saved;
exception when foreign_key_violation then
  -- The session was reset between the look at the answer and the write.
  return null;
end $$;
comment on function public.save_feedback is 'Rates an answer of this agent; null when there is no such answer.';
revoke execute on function public.save_feedback from public, anon, authenticated;
grant execute on function public.save_feedback to service_role;
