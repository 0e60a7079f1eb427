-- Undoes identity. Drops for good: profiles (names, plan, preferences), plans with their Stripe prices, members,
-- invitations. The auth users themselves stay; coming up again makes their profiles anew.

drop trigger on_auth_user_created on auth.users;
drop trigger on_auth_user_deleted on auth.users;
drop policy "admins read the settings" on public.app_config;
drop policy "admins change the settings" on public.app_config;
drop policy "admins read the history of the settings" on public.app_config_history;
drop table public.invitations, public.agent_members, public.users, public.plans;
drop function
  private.is_admin,
  private.hide_instead_of_delete,
  private.follow_auth_user,
  private.store_user;
