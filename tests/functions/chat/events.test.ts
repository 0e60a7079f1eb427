import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { EventStream } from "../../../functions/chat/events.ts";
import { EventReader, parseEvents } from "./read-events.ts";

Deno.test("events are numbered from 1 and carry any text", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: "binary" }), { maxLength: 20 }), async (texts) => {
      const stream = new EventStream();
      for (const text of texts) stream.send("delta", { text });
      stream.close();
      const events = parseEvents(await new Response(stream.body).text());
      assertEquals(
        events.map(({ id, event, data }) => [id, event, data.text]),
        texts.map((text, n) => [n + 1, "delta", text]),
      );
    }),
    { numRuns: 50 },
  );
});

Deno.test("events of one turn of the event loop leave in one write", async () => {
  const stream = new EventStream();
  const reader = stream.body.getReader();
  for (let n = 0; n < 5; n++) {
    stream.send("delta", { text: "tok " });
    await Promise.resolve();
  }
  const { value } = await reader.read();
  assertEquals(parseEvents(new TextDecoder().decode(value)).length, 5);
  stream.send("done", {});
  stream.close();
  assertEquals(parseEvents(new TextDecoder().decode((await reader.read()).value)).map(({ id }) => id), [6]);
  assert((await reader.read()).done);
});

Deno.test("a silent stream sends comments", async () => {
  const stream = new EventStream({ heartbeatMs: 10 });
  const reader = new EventReader(stream.body);
  assertEquals((await reader.next())?.event, "comment");
  assertEquals((await reader.next())?.event, "comment");
  stream.send("done", {});
  assertEquals(await reader.next(), { id: 1, event: "done", data: {} });
  stream.close();
  assertEquals(await reader.next(), null);
});

Deno.test("a stream tells once that its reader has left, and takes further events without harm", async () => {
  let left = 0;
  const stream = new EventStream({ onCancel: () => left++ });
  stream.send("meta", {});
  const reader = new EventReader(stream.body);
  await reader.next();
  await reader.leave();
  stream.send("delta", { text: "nobody hears this" });
  stream.close();
  assertEquals(left, 1);
});

Deno.test("a reader that stays to the end does not count as one that left", async () => {
  let left = 0;
  const stream = new EventStream({ onCancel: () => left++ });
  stream.send("done", {});
  stream.close();
  await new Response(stream.body).text();
  assertEquals(left, 0);
});
