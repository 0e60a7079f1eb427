import type { Session } from "../../local/database.ts";

/** Takes every comparison with the agent, the conversation or the visitor out of the functions that read for a key holder. */
export async function forgetWhere(session: Session): Promise<string[]> {
  const readers = await session.query<{ name: string; definition: string }>(
    `select p.proname as name, pg_get_functiondef(p.oid) as definition from pg_proc p
     where p.pronamespace = 'private'::regnamespace and p.prosrc ~ 'public\\.(documents|document_chunks|chunk_terms|messages|agents|entity_memory|conversation_contexts)'
       and (p.proowner = 'agent_reader'::regrole
         or has_function_privilege('agent_reader', p.oid, 'execute') and not has_function_privilege('service_role', p.oid, 'execute'))`,
  );
  const changed: string[] = [];
  for (const { name, definition } of readers) {
    const forgetful = definition.replaceAll(
      /\b\w+\.(agent_id|conversation_id|visitor_id|id) = \w+\.(agent_id|conversation_id|visitor_id)\b/g,
      "true",
    );
    if (forgetful === definition) continue;
    changed.push(name);
    await session.exec(forgetful);
  }
  return changed.sort();
}
