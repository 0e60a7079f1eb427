import { assert, assertEquals } from "@std/assert";
import { type Admission, makeClient } from "../sql/turns.ts";
import { openDatabase } from "../support/database.ts";
import { atOnce, gather } from "./crowd.ts";

const memory = JSON.stringify({
  entities: [{ type: "name", value: "Zoe", sentiment: "neutral", confidence: 0.9 }],
  topic: { words: ["digger"], turns: 1 },
  summary: null,
  standalone: "How much is the digger?",
});

Deno.test("settlement, contexts, recall and reset at once: no deadlock, and nothing outlives a reset", async () => {
  await using database = await openDatabase();
  await using crowd = await gather(database.url);
  await database.query("update public.app_config set value = '0' where key = 'sessionRequestsPerMinute'");
  const client = await database.transaction((session) =>
    makeClient(session, { key: { requests_per_minute: 1_000_000 } })
  );
  const admit = (session_id: string) =>
    crowd.call<Admission>("public.admit_turn", {
      key_hash: client.keyHash,
      message: "And the digger?",
      message_tokens: 5,
      session_id,
      visitor_id: "zoe",
    });
  let forgotten = 0, kept = 0;
  for (let round = 0; round < 8; round++) {
    const turns = await atOnce(16, (n) => admit(`s${n}`));
    await Promise.all(turns.flatMap(({ admitted, turn_id, conversation_id }, n) => {
      assert(admitted);
      const save = (summary: string) =>
        crowd.call("public.save_context", { turn_id, summary, topic: "digger" });
      return [
        crowd.call("public.settle_turn", {
          turn_id,
          outcome: "completed",
          provider: "local",
          model: "extractive",
          answer: "£140.",
          memory,
        }),
        save("first"),
        ...(n % 2
          ? []
          : [crowd.call("public.reset_chat_session", { p_session_id: `s${n}`, p_agent_id: client.agentId })]),
        save("second"),
        crowd.call("public.recall_contexts", {
          agent_id: client.agentId,
          visitor_id: "zoe",
          conversation_id,
        }),
      ];
    }));
    const left = await database.query<Record<string, number | boolean>>(`
      select (select count(*) from public.messages m where m.conversation_id = v.id)::integer as messages,
        (select count(*) from public.entity_memory e where e.conversation_id = v.id)::integer as entities,
        (select count(*) from public.conversation_contexts x where x.conversation_id = v.id)::integer as contexts, v.topic_turns as turns
      from public.conversations v`);
    for (const { messages, entities, contexts, turns } of left) {
      if (messages === 0) {
        assertEquals([entities, contexts, turns], [0, 0, 0]);
        forgotten++;
      } else {
        assertEquals([entities, contexts, turns], [1, 1, 1]);
        kept++;
      }
    }
  }
  assert(forgotten > 0 && kept > 0, `${forgotten} forgotten, ${kept} kept`);
});
