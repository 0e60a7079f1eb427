-- Identity: plans, users, admins, members of agents, invitations.

-- ------------------------------------------------------------------------------------------------ plans
create table public.plans (
  name text not null,
  messages bigint not null,
  tokens bigint not null,
  documents integer not null,
  agents integer not null,
  stripe_price_ids text[] not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint plans_pkey primary key (name),
  constraint plans_name_is_snake_case check (name ~ '^[a-z][a-z0-9_]{0,31}$'),
  constraint plans_messages_is_positive check (messages > 0),
  constraint plans_tokens_is_positive check (tokens > 0),
  constraint plans_documents_is_positive check (documents > 0),
  constraint plans_agents_is_positive check (agents > 0),
  constraint plans_stripe_price_ids_has_no_null check (array_position(stripe_price_ids, null) is null)
);
comment on table public.plans is
  'What an owner may use: messages and tokens per month in UTC, documents and agents as they exist. Every user reads it; only a server changes it.';
create trigger plans_updated_at before update on public.plans
  for each row execute function public.update_updated_at_column();

insert into public.plans (name, messages, tokens, documents, agents) values
  ('free', 1000, 1000000, 200, 3),
  ('pro', 20000, 20000000, 2000, 20),
  ('business', 200000, 200000000, 20000, 100);

-- ------------------------------------------------------------------------------------------------ users
create table public.users (
  id uuid not null,
  email text,
  email_verified boolean not null default false,
  first_name text not null default '',
  last_name text not null default '',
  plan text not null default 'free',
  preferences jsonb not null default '{}',
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint users_pkey primary key (id),
  constraint users_plan_fkey foreign key (plan) references public.plans (name) on update cascade,
  constraint users_names_are_short check (length(first_name) <= 200 and length(last_name) <= 200),
  constraint users_preferences_is_a_small_object
    check (jsonb_typeof(preferences) = 'object' and octet_length(preferences::text) <= 16384)
);
create index users_plan_idx on public.users (plan);
create index users_email_idx on public.users (lower(email));
create index users_deleted_idx on public.users (deleted_at) where deleted_at is not null;
comment on table public.users is
  'The profile of every auth user, kept by triggers on auth.users. A user reads their own row and writes names and preferences; admins read all.';
comment on column public.users.id is 'The id in auth.users, without a foreign key: the row stays, hidden, until it is erased.';
comment on column public.users.deleted_at is 'Set when the auth user is gone: hidden at once, erased by a job.';
create trigger users_updated_at before update on public.users
  for each row execute function public.update_updated_at_column();

-- Takes the row as JSON: the columns of auth.users differ between versions of the auth server.
create function private.store_user(auth_user jsonb) returns void
language sql volatile security definer set search_path = ''
as $$
  insert into public.users as u (id, email, email_verified, first_name, last_name, deleted_at)
  values (
    (auth_user ->> 'id')::uuid,
    auth_user ->> 'email',
    auth_user ->> 'email' is not null and auth_user ->> 'email_confirmed_at' is not null,
    left(coalesce(auth_user -> 'raw_user_meta_data' ->> 'first_name', ''), 200),
    left(coalesce(auth_user -> 'raw_user_meta_data' ->> 'last_name', ''), 200),
    (auth_user ->> 'deleted_at')::timestamptz)
  on conflict on constraint users_pkey do update
  set email = excluded.email, email_verified = excluded.email_verified,
      deleted_at = coalesce(u.deleted_at, excluded.deleted_at)
  where (u.email, u.email_verified, u.deleted_at)
    is distinct from (excluded.email, excluded.email_verified, coalesce(u.deleted_at, excluded.deleted_at))
$$;
comment on function private.store_user(jsonb) is
  'Makes or refreshes the profile of an auth user. Names are taken once: afterwards they are the user''s own.';
revoke execute on function private.store_user(jsonb) from public, anon, authenticated;

create function private.follow_auth_user() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    update public.users u set deleted_at = now() where u.id = old.id and u.deleted_at is null;
  else
    perform private.store_user(to_jsonb(new));
  end if;
  return null;
end $$;
comment on function private.follow_auth_user() is 'Trigger function on auth.users: keeps the profile, and hides it when the auth user is gone.';
revoke execute on function private.follow_auth_user() from public, anon, authenticated;

create trigger on_auth_user_created after insert or update on auth.users
  for each row execute function private.follow_auth_user();
create trigger on_auth_user_deleted after delete on auth.users
  for each row execute function private.follow_auth_user();

select count(private.store_user(to_jsonb(u))) as users_backfilled from auth.users u;

-- A delete is a wish, kept at once by hiding the row; only the job that erases in batches sets app.erasing and deletes.
create function private.hide_instead_of_delete() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if current_setting('app.erasing', true) is not distinct from 'on' then
    return old;
  end if;
  execute format('update %I.%I set deleted_at = now() where id = $1 and deleted_at is null', tg_table_schema, tg_table_name)
  using old.id;
  return null;
end $$;
comment on function private.hide_instead_of_delete() is 'Trigger function: turns a delete into deleted_at, but for the job that erases (app.erasing = on).';
revoke execute on function private.hide_instead_of_delete() from public, anon, authenticated;

create trigger users_hidden_first before delete on public.users
  for each row execute function private.hide_instead_of_delete();

-- ------------------------------------------------------------------------------------------------ admins
create function private.is_admin() returns boolean
language sql stable security definer set search_path = ''
as $$
  select coalesce(auth.jwt() -> 'app_metadata' ->> 'role' = 'admin', false)
    and not exists (select from public.users u where u.id = (select auth.uid()) and u.deleted_at is not null)
$$;
comment on function private.is_admin() is
  'True when the caller''s token carries app_metadata.role = admin, which only a server can set, and the user is not deleted.';
revoke execute on function private.is_admin() from public, anon;
grant execute on function private.is_admin() to authenticated, service_role;

-- ------------------------------------------------------------------------------------------------ members, invitations
create table public.agent_members (
  agent_id uuid not null,
  user_id uuid not null,
  role text not null default 'viewer',
  invited_by uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint agent_members_pkey primary key (agent_id, user_id),
  constraint agent_members_user_id_fkey foreign key (user_id) references public.users (id) on delete cascade,
  constraint agent_members_invited_by_fkey foreign key (invited_by) references public.users (id) on delete set null,
  constraint agent_members_role_is_known check (role in ('owner', 'editor', 'viewer'))
);
create index agent_members_user_id_idx on public.agent_members (user_id);
create index agent_members_invited_by_idx on public.agent_members (invited_by);
comment on table public.agent_members is
  'Who besides its owner works on an agent. Viewers read, editors also write its content, owners also manage keys, members and money. Written by accept_invitation; owners change roles and remove, a member may leave.';
create trigger agent_members_updated_at before update on public.agent_members
  for each row execute function public.update_updated_at_column();

create table public.invitations (
  id uuid not null default gen_random_uuid(),
  agent_id uuid,
  email text not null,
  role text not null,
  token_hash text not null,
  invited_by uuid,
  expires_at timestamptz not null default now() + interval '7 days',
  accepted_by uuid,
  accepted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint invitations_pkey primary key (id),
  constraint invitations_token_hash_key unique (token_hash),
  constraint invitations_invited_by_fkey foreign key (invited_by) references public.users (id) on delete set null,
  constraint invitations_accepted_by_fkey foreign key (accepted_by) references public.users (id) on delete set null,
  constraint invitations_email_is_an_address check (email ~ '^[^@\s]+@[^@\s]+$' and length(email) <= 320),
  constraint invitations_role_fits_its_target check (case
    when agent_id is null then role in ('member', 'admin') else role in ('viewer', 'editor', 'owner') end),
  constraint invitations_token_hash_is_sha256 check (token_hash ~ '^[0-9a-f]{64}$')
);
create unique index invitations_one_open_key on public.invitations (agent_id, lower(email)) nulls not distinct
  where accepted_at is null;
create index invitations_agent_id_idx on public.invitations (agent_id);
create index invitations_invited_by_idx on public.invitations (invited_by);
create index invitations_accepted_by_idx on public.invitations (accepted_by);
comment on table public.invitations is
  'An invitation to an agent (by its owners) or to the installation (by admins), for one e-mail address. Only the hash of its token is kept, and no client may read it. The inviters read and withdraw theirs.';
create trigger invitations_updated_at before update on public.invitations
  for each row execute function public.update_updated_at_column();

-- ------------------------------------------------------------------------------------------------ rights
alter table public.plans enable row level security;
alter table public.users enable row level security;
alter table public.agent_members enable row level security;
alter table public.invitations enable row level security;

create policy "users read the plans" on public.plans for select to authenticated using (true);
create policy "a user reads their own row, an admin all" on public.users for select to authenticated
  using ((id = (select auth.uid()) and deleted_at is null) or (select private.is_admin()));
create policy "a user changes their own row" on public.users for update to authenticated
  using (id = (select auth.uid()) and deleted_at is null) with check (id = (select auth.uid()));
create policy "admins read the settings" on public.app_config for select to authenticated
  using ((select private.is_admin()));
create policy "admins change the settings" on public.app_config for update to authenticated
  using ((select private.is_admin())) with check ((select private.is_admin()));
create policy "admins read the history of the settings" on public.app_config_history for select to authenticated
  using ((select private.is_admin()));

revoke all on public.plans, public.users, public.agent_members, public.invitations
  from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.plans, public.users, public.agent_members, public.invitations to service_role;
grant select on public.plans, public.users, public.agent_members to authenticated;
grant update (first_name, last_name, preferences) on public.users to authenticated;
grant update (role), delete on public.agent_members to authenticated;
grant select (id, agent_id, email, role, invited_by, expires_at, accepted_by, accepted_at, created_at, updated_at), delete
  on public.invitations to authenticated;
