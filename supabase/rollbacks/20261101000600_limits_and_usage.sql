-- Undoes limits_and_usage. Drops for good: all rate limits and blocks, the monthly counters with their reservations, the
-- ledger, prices, incidents and the providers' health.

select private.remove_job('forget_provider_health');
select private.remove_job('forget_rate_limits');
select private.remove_job('close_idle_conversations');
select private.remove_job('erase_agents');
delete from private.partitioned_tables where name = 'usage_logs';
drop function
  private.erase_agents,
  private.can_erase,
  private.close_idle_conversations,
  private.cost_estimate,
  private.admin_prompt,
  private.agent_prompt,
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
