import type { Session } from "../../local/database.ts";

export interface Ran {
  ran: { name: string; status: string; error: string | null }[];
  functions: { name: string; path: string }[];
  more: boolean;
}

/** Leaves these jobs alone on the list, due at noon. */
export async function listOf(
  session: Session,
  jobs: Record<string, [kind: string, target: string, every: string]>,
) {
  await session.exec(`
    delete from public.jobs;
    create function private.succeed() returns void language sql set search_path = '' as
      $$ insert into public.outbox (topic) values ('ran') $$;
    create function private.fail() returns void language plpgsql set search_path = '' as
      $$ begin insert into public.outbox (topic) values ('undone'); raise 'broken on purpose'; end $$;
    create function private.wait() returns void language sql set search_path = '' as $$ select pg_sleep(0.3) $$`);
  for (const [name, [kind, target, every]] of Object.entries(jobs)) {
    await session.query("select private.add_job($1, $2, $3, $4::interval)", [name, kind, target, every]);
  }
  await session.query("update public.jobs set next_run_at = $1", [noon]);
}

export const noon = "2026-11-20T12:00:00Z";
export const run = async (session: Session, asOf = noon, budget = 4000) => {
  const [row] = await session.query<{ ran: Ran }>("select public.run_due_jobs($1, $2) as ran", [
    asOf,
    budget,
  ]);
  return row!.ran;
};
