import { assertEquals, assertRejects } from "@std/assert";
import { connect } from "../../local/database.ts";
import { StartFailure } from "../../local/failure.ts";
import { requireSupported } from "../../local/open.ts";

const server = (version: number, vector: string | null) => ({
  query: <T>() => Promise.resolve([{ version, vector } as T]),
});

Deno.test("a database without pgvector 0.8 or older than PostgreSQL 15 is refused", async () => {
  const refused: [number, string | null, string][] = [
    [170005, null, "it is not installed there"],
    [170005, "0.7.4", "version 0.7.4 is installed there"],
    [140012, "0.8.1", "it is PostgreSQL 14, 15 or later is needed"],
  ];
  for (const [version, vector, expected] of refused) {
    const failure = await assertRejects(
      () => requireSupported(server(version, vector), "the database"),
      StartFailure,
    );
    assertEquals(failure.message.startsWith("Cannot use the database: it "), true);
    assertEquals(failure.message.endsWith(expected), true, failure.message);
  }
  for (const [version, vector] of [[150000, "0.8.0"], [170005, "0.10.0"], [180001, "1.0.0"]] as const) {
    await requireSupported(server(version, vector), "the database");
  }
});

Deno.test("a server that takes the connection and never answers is given up", async () => {
  const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const taken: Deno.Conn[] = [];
  const taking = (async () => {
    for await (const connection of silent) taken.push(connection);
  })();
  try {
    const url = `postgres://somebody@127.0.0.1:${silent.addr.port}/nowhere`;
    await assertRejects(() => connect({ url }, 200), Error, "no answer within 0.2 s");
  } finally {
    silent.close();
    await taking;
    for (const connection of taken) connection.close();
  }
});
