import type { LocalDatabase } from "./database.ts";

/**
 * Ends every lease of an embedded database that was just opened. Who held one died with the process before, since the
 * folder has one process at a time; without this a document half ingested would wait minutes for its lease to run out.
 * On a server another process may well be at work, so there nothing is touched.
 */
export async function endLeases(database: LocalDatabase): Promise<void> {
  if (database.kind !== "pglite") return;
  await database.exec(`
    update public.documents set leased_until = now() where leased_until > now();
    update public.turns set leased_until = now() where state in ('admitted', 'streaming') and leased_until > now();`);
}
