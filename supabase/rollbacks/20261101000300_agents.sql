-- Undoes agents. Drops for good: every agent with its keys, members' access to it, prompts and their versions, company
-- facts and their history, tools, identity secrets, all provider keys, and the invitations to agents.

alter table public.agents drop constraint agents_prompt_version_id_fkey;
alter table public.agent_members drop constraint agent_members_agent_id_fkey;
alter table public.invitations drop constraint invitations_agent_id_fkey;
delete from public.agent_members;
delete from public.invitations where agent_id is not null;

drop policy "members read who works on their agents" on public.agent_members;
drop policy "owners change roles" on public.agent_members;
drop policy "owners remove members, a member leaves" on public.agent_members;
drop policy "inviters read their invitations" on public.invitations;
drop policy "inviters withdraw their invitations" on public.invitations;
drop trigger users_hide_their_agents on public.users;

drop function
  public.reseal_provider_keys,
  public.stale_provider_keys,
  public.store_provider_key,
  public.set_company_fact,
  public.activate_prompt,
  public.publish_prompt,
  private.activate_version,
  private.require_starting_facts,
  private.require_facts,
  private.fact_values,
  private.render_prompt,
  private.require_wellformed,
  private.fault_text,
  private.prompt_faults,
  private.prompt_variables,
  private.fits_type,
  private.require_prompt_owner,
  public.accept_invitation,
  private.store_membership,
  public.create_invitation,
  public.rotate_identity_secret,
  public.revoke_api_key,
  public.rotate_api_key,
  private.require_api_key,
  public.create_api_key,
  private.issue_api_key,
  private.hash_token,
  private.random_hex,
  public.agent_access,
  private.require_agent,
  private.current_agent;
drop table
  public.agent_tools,
  public.company_facts_versions,
  public.company_facts,
  public.prompt_versions,
  public.prompts,
  public.api_keys,
  private.agent_secrets,
  public.agents,
  public.provider_keys;
drop function
  private.seed_company_facts,
  private.installation_facts,
  private.starting_facts,
  private.keep_needed_facts,
  private.prompts_in_use,
  private.keep_company_facts_versions,
  private.pin_own_prompts_only,
  private.set_limit_group,
  private.normalize_origins,
  private.hide_agents_of_user,
  private.keep_money_with_owners,
  private.hold_agents_to_plan,
  private.visible_agents;
