import { assertEquals } from "@std/assert";
import { connect } from "../../local/database.ts";
import { makeAgent, refusal, signUp } from "../sql/people.ts";
import { openDatabase } from "../support/database.ts";

Deno.test("of many agents made at once no more come to be than the plan allows", async () => {
  await using database = await openDatabase();
  const ann = await signUp(database);
  const clients = Array.from({ length: 8 }, () => connect({ url: database.url! }));
  const open = await Promise.all(clients);
  try {
    const made = await Promise.all(
      open.map((client, at) => refusal(makeAgent(client, ann, `agent ${at}`))),
    );
    assertEquals(made.filter((one) => one === "nothing was refused").length, 3);
    assertEquals(made.filter((one) => one === "PT429 quota_exceeded").length, 5);
  } finally {
    await Promise.all(open.map((client) => client.close()));
  }
});
