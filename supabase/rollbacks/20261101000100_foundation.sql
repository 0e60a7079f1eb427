-- Undoes foundation. Drops for good: settings and their history, events not delivered yet, the job list. Stays: schema
-- extensions and extension vector, which are the project's; whatever somebody else put into private and partitions.

drop function
  private.ensure_all_partitions,
  private.ensure_partitions,
  private.create_partition,
  private.move_statements,
  private.run_with_short_locks,
  private.uuid_floor,
  private.uuid_v7,
  public.run_due_jobs,
  private.run_job,
  private.run_sql_job,
  private.next_beat,
  private.remove_job,
  private.add_job,
  private.emit,
  private.setting,
  private.is_service;
drop table private.partitioned_tables, public.jobs, public.outbox, public.app_config_history, public.app_config;
drop function
  private.keep_app_config_history,
  private.count_version,
  public.update_updated_at_column;

alter default privileges grant execute on functions to public;

-- The role belongs to the whole server: its rights in this database go, the role itself only if no other needs it.
drop owned by agent_reader;
do $$
begin
  drop role agent_reader;
exception when dependent_objects_still_exist or insufficient_privilege then
  raise notice 'Role agent_reader stays: %', sqlerrm;
end $$;

do $$
declare
  schema_name text;
begin
  foreach schema_name in array array['private', 'partitions'] loop
    begin
      execute format('drop schema %I', schema_name);
    exception when dependent_objects_still_exist then
      raise notice 'Schema % stays: it holds what is not of this project', schema_name;
    end;
  end loop;
end $$;
