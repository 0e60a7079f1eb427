import { assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";

/** What must hold whatever happened: nothing billed twice, nothing held back by what has ended. */
export async function assertBalanced(session: Session): Promise<void> {
  const unbilled = await session.query(
    `select t.id, t.state from public.turns t
     where (select count(*) from public.usage_logs u where u.turn_id = t.id) <> (t.settled_at is not null)::integer`,
  );
  assertEquals(unbilled, [], "one ledger row per settled turn");
  // The ledger outlives its turns; keys count by their own id as long as none was rotated.
  const unbalanced = await session.query(
    `select u.scope, u.subject_id, u.reserved_messages, t.open, u.reserved_tokens, t.held, u.tokens, l.used
     from public.usage_counters u,
       lateral (select count(*) as open, coalesce(sum(t.reserved_tokens), 0) as held from public.turns t
         where t.settled_at is null and u.subject_id in (t.owner_id, t.agent_id, t.limit_group)
           and u.scope = any (t.reserved_in)) t,
       lateral (select coalesce(sum(l.input_tokens + l.output_tokens), 0) as used from public.usage_logs l
         where u.subject_id in (l.owner_id, l.agent_id, l.api_key_id)) l
     where (u.reserved_messages, u.reserved_tokens, u.tokens) <> (t.open, t.held, l.used)`,
  );
  assertEquals(unbalanced, [], "reserved is what is open, used is what was settled");
  const miscounted = await session.query(
    `select c.id from public.conversations c left join public.messages m on m.conversation_id = c.id
     group by c.id having c.message_count <> count(m.id)`,
  );
  assertEquals(miscounted, [], "message_count is the number of messages");
}
