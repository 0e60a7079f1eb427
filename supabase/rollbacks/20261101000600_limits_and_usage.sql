-- Undoes limits_and_usage. Drops for good: all rate limits and blocks, the monthly counters with their reservations, the
-- ledger, prices, incidents and the providers' health.

select private.remove_job('forget_provider_health');
select private.remove_job('forget_rate_limits');
select private.remove_job('close_idle_conversations');
select private.remove_job('erase_agents');
delete from private.partitioned_tables where name = 'usage_logs';
drop trigger agents_brief_when_made on public.agents;
drop trigger agents_brief on public.agents;
drop trigger company_facts_brief on public.company_facts;
drop trigger prompts_brief on public.prompts;
drop trigger prompt_versions_brief on public.prompt_versions;
drop table private.agent_briefs;
drop function
  private.renew_briefs,
  private.erase_agents,
  private.can_erase,
  private.close_idle_conversations,
  private.cost_estimate,
  private.admin_prompt,
  private.write_brief,
  private.ready_prompt,
  private.prompt_versions_for,
  private.agent_facts,
  private.model_cost,
  private.forget_provider_health,
  private.provider_states,
  private.failing_models,
  public.report_provider,
  private.note_failure,
  private.provider_pause,
  public.report_incident,
  public.validate_api_key,
  private.touch_key,
  public.usage_summary,
  private.quota,
  private.month_of,
  private.forget_rate_limits,
  public.check_rate_limit,
  private.refuse_spending,
  private.spend_slowly,
  private.begin_sixtieth,
  private.spend_key,
  private.spend,
  private.sixtieth_end;
drop table public.provider_health, public.security_incidents, public.model_prices, public.usage_logs, public.usage_counters, public.rate_limits;
