import { assertEquals } from "@std/assert";
import { connect } from "../../local/database.ts";
import { makeAgent, signUp } from "../sql/people.ts";
import { openDatabase } from "../support/database.ts";

Deno.test("of those who publish at once each makes a version of their own, and one is active", async () => {
  await using database = await openDatabase();
  const agent = await makeAgent(database, await signUp(database));
  const clients = await Promise.all(Array.from({ length: 6 }, () => connect({ url: database.url! })));
  try {
    await Promise.all(
      clients.map((client, at) =>
        client.query("select public.publish_prompt('main', $1, $2)", [`v${at}`, agent])
      ),
    );
    const [row] = await database.query(
      `
      select array_agg(v.version order by v.version) as versions, count(*) filter (where v.active)::integer as active
      from public.prompt_versions v join public.prompts p on p.id = v.prompt_id where p.agent_id = $1`,
      [agent],
    );
    assertEquals(row, { versions: [1, 2, 3, 4, 5, 6], active: 1 });
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
});
