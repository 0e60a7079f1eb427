import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Session } from "../../local/database.ts";
import { refusal } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import {
  admit,
  ago,
  append,
  call,
  change,
  type Client,
  counters,
  makeClient,
  reap,
  settle,
} from "./turns.ts";

// Whatever happens in whatever order: what is reserved is what is open, and what is used is what the ledger says.
type Step = ["admit", number] | ["settle" | "fail" | "abort" | "append" | "reset" | "die", number];

const steps = fc.array(
  fc.oneof(
    fc.tuple(fc.constant("admit" as const), fc.nat(3)),
    fc.tuple(
      fc.constantFrom(
        "settle" as const,
        "fail" as const,
        "abort" as const,
        "append" as const,
        "reset" as const,
        "die" as const,
      ),
      fc.nat(9),
    ),
  ),
  { minLength: 5, maxLength: 30 },
);

async function play(session: Session, client: Client, plan: Step[]): Promise<void> {
  const turns: string[] = [];
  for (const [step, n] of plan) {
    if (step === "admit") {
      const turn = await admit(session, client, { session_id: `s${n}` });
      if (turn.admitted) turns.push(turn.turn_id);
      continue;
    }
    const turn = turns[n % Math.max(1, turns.length)];
    if (step === "reset") {
      await refusal(
        call(session, "public.reset_chat_session", { p_session_id: `s${n % 4}`, p_agent_id: client.agentId }),
      );
    } else if (turn === undefined) continue;
    else if (step === "append") {
      await append(session, turn, n + 1, "x", { input_tokens: 7, output_tokens: n });
    } else if (step === "die") {
      await change(session, "turns", turn, { leased_until: ago(1) });
      if (n % 2) await reap(session);
    } else {
      const outcome = { settle: "completed", fail: "failed", abort: "aborted" }[step];
      await settle(session, turn, { outcome, answer: n % 2 ? "Words." : "" });
    }
  }
}

rolledBack(
  "in any order of events, reserved is what is open and used is what the ledger says",
  async (session) => {
    await fc.assert(
      fc.asyncProperty(steps, async (plan) => {
        await session.exec("savepoint run");
        const client = await makeClient(session, {
          agent: { monthly_tokens: 1_000_000 },
          key: { monthly_messages: 1000 },
        });
        await play(session, client, plan as Step[]);
        const [open] = await session.query(
          `select count(*)::integer as messages, coalesce(sum(reserved_tokens), 0)::integer as tokens from public.turns
         where agent_id = $1 and settled_at is null`,
          [client.agentId],
        );
        const [billed] = await session.query(
          `select coalesce(sum(input_tokens + output_tokens), 0)::integer as tokens, count(*)::integer as rows,
           count(distinct turn_id)::integer as turns from public.usage_logs where agent_id = $1`,
          [client.agentId],
        );
        const [settled] = await session.query(
          "select count(*)::integer as n from public.turns where agent_id = $1 and settled_at is not null",
          [client.agentId],
        );
        for (const counted of Object.values(await counters(session, client))) {
          assertEquals([counted.reserved_messages, counted.reserved_tokens], [open!.messages, open!.tokens]);
          assertEquals(counted.tokens, billed!.tokens);
        }
        assertEquals([billed!.rows, billed!.turns], [settled!.n, settled!.n]);
        const wrong = await session.query(
          `select c.session_id, c.message_count, count(m.id) from public.conversations c
         left join public.messages m on m.conversation_id = c.id where c.agent_id = $1
         group by c.id having c.message_count <> count(m.id)`,
          [client.agentId],
        );
        assertEquals(wrong, [], "message_count is the number of messages");
        await session.exec("rollback to savepoint run");
      }),
      { numRuns: 25, seed: 20261120 },
    );
  },
);
