import type { Session } from "../../local/database.ts";

/** A partitioned table with what makes moving rows hard: a key it names, a key that names it, a trigger, an identity. */
export async function makeTable(session: Session) {
  await session.exec(`
    create table public.rooms (id uuid primary key default gen_random_uuid());
    create table public.notes (
      id uuid primary key default private.uuid_v7(), room_id uuid not null references public.rooms (id) on delete cascade,
      n bigint generated always as identity, text text not null, shout text generated always as (upper(text)) stored
    ) partition by range (id);
    create index notes_room on public.notes (room_id);
    create table public.stars (note_id uuid not null unique references public.notes (id) on delete cascade);
    create function public.forbid() returns trigger language plpgsql as $$ begin raise 'notes are kept'; end $$;
    create trigger notes_are_kept before delete on public.notes for each row execute function public.forbid();
    insert into public.rooms default values`);
}

export const months = async (session: Session, table = "notes") =>
  (await session.query<{ name: string }>(
    "select inhrelid::regclass::text as name from pg_inherits where inhparent = $1::regclass order by 1",
    [`public.${table}`],
  )).map(({ name }) => name.replace("partitions.", ""));

export const ensure = async (session: Session, asOf: string, ahead = 3) => {
  const [row] = await session.query<{ created: number }>(
    "select private.ensure_partitions('notes', $1, $2) as created",
    [asOf, ahead],
  );
  return row!.created;
};

export const note = (session: Session, at: string, text = "note") =>
  session.query<{ id: string }>(
    "insert into public.notes (id, room_id, text) select private.uuid_v7($1), r.id, $2 from public.rooms r returning id",
    [at, text],
  );
