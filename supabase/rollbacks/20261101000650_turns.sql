-- Undoes turns. Drops for good: no rows, only what admits, settles and reaps. Settle or reap open turns first, since
-- nothing else releases what they reserved.

select private.remove_job('reap_turns');
select private.remove_job('forget_turn_traces');
drop trigger turns_release_reservation on public.turns;
drop function
  private.forget_turn_traces,
  private.reap_turns,
  private.settle_abandoned,
  public.stop_turn,
  public.turn_events,
  private.release_reservation,
  public.settle_turn,
  private.close_deltas,
  private.hold_turn,
  private.store_answer,
  private.bill_turn,
  public.append_deltas,
  public.admit_turn,
  private.brief,
  private.take_turn,
  private.standing_refusal,
  private.open_turn,
  private.append_earlier,
  private.hold_session,
  private.session_refusal,
  private.stray_result,
  private.take_back,
  private.forget_session,
  private.claim_request,
  private.replay,
  private.check_question,
  private.budget_refusal,
  private.reserve,
  private.budgets,
  private.spend_limits,
  private.spend_together,
  private.caller_refusal,
  private.refusal,
  private.is_visitor,
  private.hmac_sha256,
  private.load_user,
  private.load_key;
drop type private.question;
drop type private.caller;
drop view private.askable_agents;
