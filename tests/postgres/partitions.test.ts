import { assertEquals } from "@std/assert";
import { connect } from "../../local/database.ts";
import { ensure, makeTable, note } from "../sql/notes.ts";
import { openDatabase } from "../support/database.ts";

Deno.test("while a month is attached no writer waits for it, and a writer that is long at it only delays the month", async () => {
  await using database = await openDatabase();
  await makeTable(database);
  await ensure(database, "2026-11-20T12:00:00Z", 0);
  const [writer, maker] = await Promise.all([1, 2].map(() => connect({ url: database.url! })));
  try {
    let made: Promise<number>;
    await writer!.transaction(async (open) => {
      await open.query("insert into public.rooms default values");
      made = maker!.transaction((session) => ensure(session, "2026-12-20T12:00:00Z", 0));
      // Were the month to wait for its locks, these would wait behind it, and it for the open transaction: for ever.
      for (let i = 0; i < 20; i++) {
        await note(database, "2026-11-20T12:00:00Z");
      }
    });
    assertEquals(await made!, 1);
  } finally {
    await Promise.all([writer!.close(), maker!.close()]);
  }
});
