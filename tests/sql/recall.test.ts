import { assert, assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { forgetWhere } from "./forget-where.ts";
import { refusal, user, value } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { type Admission, admit, call, change, type Client, exchange, makeClient } from "./turns.ts";

interface Recalled {
  contexts: { conversation_id: string; summary: string; topics: string[]; similarity: number | null }[];
  memory: { type: string; value: string }[];
}

/** A conversation in which a visitor says something, and that is kept as the function does after a turn. */
async function tell(
  session: Session,
  client: Client,
  { name, embedding, ...args }: { name: string; embedding?: string } & Record<string, unknown>,
): Promise<Admission> {
  const entities = [{ type: "name", value: name, sentiment: "neutral", confidence: 0.9 }];
  const turn = await exchange(session, client, args, { memory: JSON.stringify({ entities }) });
  const model = embedding ? { embedding, embedding_model: "test/one" } : {};
  await call(session, "public.save_context", {
    turn_id: turn.turn_id,
    summary: `${name} asked.`,
    topic: name,
    ...model,
  });
  return turn;
}

/** What a turn recalls, if its admission says that it may; null when it does not. */
async function recall(
  session: Session,
  client: Client,
  args: Record<string, unknown>,
  query: Record<string, unknown> = {},
): Promise<Recalled | null> {
  const turn = await admit(session, client, args);
  assert(turn.admitted, turn.code);
  const found = await call<Recalled>(session, "public.recall_contexts", {
    agent_id: client.agentId,
    visitor_id: args.visitor_id ?? "nobody",
    conversation_id: turn.conversation_id,
    ...query,
  });
  if (!turn.recall) assertEquals(found, { contexts: [], memory: [] }, "recalled without leave");
  return turn.recall ? found : null;
}

const names = (recalled: Recalled | null) => recalled?.memory.map(({ value }) => value) ?? null;

async function sign(session: Session, client: Client, visitor: string): Promise<string> {
  const { secret } = await call<{ secret: string }>(session, "public.rotate_identity_secret", {
    agent_id: client.agentId,
  });
  const bytes = (text: string) => new TextEncoder().encode(text);
  const key = await crypto.subtle.importKey("raw", bytes(secret), { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes(visitor)));
  return [...mac].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

rolledBack("a visitor's later conversation recalls the earlier ones, not itself", async (session) => {
  const client = await makeClient(session);
  assertEquals(await recall(session, client, { visitor_id: "zoe", session_id: "0" }), null);
  const first = await tell(session, client, { name: "Zoe", visitor_id: "zoe", session_id: "1" });
  assertEquals(await recall(session, client, { visitor_id: "zoe", session_id: "1" }), null);
  const recalled = await recall(session, client, { visitor_id: "zoe", session_id: "2" });
  assertEquals(recalled!.contexts.map(({ conversation_id, summary }) => [conversation_id, summary]), [
    [first.conversation_id, "Zoe asked."],
  ]);
  assertEquals(recalled!.memory, [{ type: "name", value: "Zoe" }]);
});

rolledBack(
  "two visitors of one agent never recall each other, nor does somebody without a name",
  async (session) => {
    const client = await makeClient(session);
    const zoe = await tell(session, client, { name: "Zoe", visitor_id: "zoe", session_id: "1" });
    await tell(session, client, { name: "Max", visitor_id: "max", session_id: "2" });
    assertEquals(names(await recall(session, client, { visitor_id: "max", session_id: "3" })), ["Max"]);
    assertEquals(names(await recall(session, client, { visitor_id: "zoe", session_id: "4" })), ["Zoe"]);
    for (const visitor_id of ["eve", "ZOE", "zoe ", "z%"]) {
      assertEquals(await recall(session, client, { visitor_id, session_id: `of ${visitor_id}` }), null);
    }
    assertEquals(await recall(session, client, { session_id: "5" }), null);
    // Whoever names Zoe in a conversation of somebody else finds nothing of hers.
    const eve = await admit(session, client, { visitor_id: "eve", session_id: "6" });
    for (const conversation_id of [eve.conversation_id, zoe.conversation_id, crypto.randomUUID()]) {
      const args = { agent_id: client.agentId, visitor_id: "zoe", conversation_id };
      assertEquals(await call(session, "public.recall_contexts", args), { contexts: [], memory: [] });
    }
  },
);

rolledBack("another agent never recalls a visitor of the same id", async (session) => {
  const owner = await makeClient(session);
  const sibling = await makeClient(session, { owner: owner.ownerId });
  await tell(session, owner, { name: "Zoe", visitor_id: "zoe", session_id: "1" });
  for (const other of [sibling, await makeClient(session)]) {
    assertEquals(await recall(session, other, { visitor_id: "zoe", session_id: "1" }), null);
  }
});

rolledBack(
  "in a browser only a signed visitor recalls, and only what was said under a signature",
  async (session) => {
    const client = await makeClient(session, { key: { allowed_origins: ["https://shop.example"] } });
    const origin = "https://shop.example";
    const named = (n: number) => ({ origin, visitor_id: "zoe", session_id: `session-of-the-shop-${n}` });
    const visitor_token = await sign(session, client, "zoe");
    await tell(session, client, { name: "Zoe", ...named(1), visitor_token });
    // An impostor who only claims the name hears nothing, and plants nothing.
    await tell(session, client, { name: "Mallory", ...named(2) });
    assertEquals(await recall(session, client, named(3)), null);
    const wrong = await admit(session, client, {
      ...named(4),
      visitor_token: visitor_token.replace(/^./, (c) => c === "0" ? "1" : "0"),
    });
    assertEquals([wrong.admitted, wrong.code], [false, "invalid_credential"]);
    assertEquals(names(await recall(session, client, { ...named(5), visitor_token })), ["Zoe"]);
  },
);

rolledBack("a session that a second visitor goes on with is nobody's any more", async (session) => {
  const client = await makeClient(session);
  await tell(session, client, { name: "Zoe", visitor_id: "zoe", session_id: "1" });
  await tell(session, client, { name: "Max", visitor_id: "max", session_id: "2" });
  // Max takes Zoe's session over: he is not told of hers, nor she of what he said in it, nor is his told in hers.
  const taken = await tell(session, client, { name: "Eve", visitor_id: "max", session_id: "1" });
  const args = { agent_id: client.agentId, conversation_id: taken.conversation_id };
  for (const visitor_id of ["zoe", "max"]) {
    assertEquals(await call(session, "public.recall_contexts", { ...args, visitor_id }), {
      contexts: [],
      memory: [],
    });
  }
  assertEquals(await recall(session, client, { visitor_id: "zoe", session_id: "3" }), null);
  assertEquals(names(await recall(session, client, { visitor_id: "max", session_id: "4" })), ["Max"]);
});

rolledBack("after a reset, and after a deletion, nothing is recalled", async (session) => {
  const client = await makeClient(session);
  const turn = await tell(session, client, { name: "Zoe", visitor_id: "zoe", session_id: "1" });
  await change(session, "conversations", turn.conversation_id, { status: "deleted" });
  assertEquals(await recall(session, client, { visitor_id: "zoe", session_id: "2" }), null);
  await change(session, "conversations", turn.conversation_id, { status: "closed" });
  assertEquals(names(await recall(session, client, { visitor_id: "zoe", session_id: "3" })), ["Zoe"]);
  await call(session, "public.reset_chat_session", { p_session_id: "1", p_agent_id: client.agentId });
  assertEquals(await recall(session, client, { visitor_id: "zoe", session_id: "4" }), null);
});

rolledBack(
  "the contexts that fit the question best come first, without a vector of that model the newest",
  async (session) => {
    const client = await makeClient(session);
    const vectors = ["[1,0,0]", "[0,1,0]", "[0,0,1]", "[1,1,0]", undefined];
    for (const [n, embedding] of vectors.entries()) {
      await tell(session, client, { name: `N${n}`, visitor_id: "zoe", session_id: `${n}`, embedding });
    }
    const found = async (query: Record<string, unknown>) =>
      (await recall(session, client, { visitor_id: "zoe", session_id: crypto.randomUUID() }, query))!.contexts
        .map(({ summary }) => summary.slice(0, 2));
    const query = { query_embedding: "[1,0.1,0]", embedding_model: "test/one" };
    assertEquals(await found({ ...query, max_items: 2 }), ["N0", "N3"]);
    assertEquals(await found({ ...query, max_items: 5 }), ["N0", "N3", "N1", "N2", "N4"]);
    assertEquals(await found({ ...query, embedding_model: "test/two" }), ["N4", "N3", "N2"]);
    assertEquals(await found({ ...query, query_embedding: "[1,0]" }), ["N4", "N3", "N2"]);
    assertEquals(await found({}), ["N4", "N3", "N2"]);
  },
);

rolledBack(
  "a recall that forgot its WHERE still finds nothing of another visitor or agent",
  async (session) => {
    const [client, other] = [await makeClient(session), await makeClient(session)];
    await tell(session, client, { name: "Zoe", visitor_id: "zoe", session_id: "1" });
    await tell(session, client, { name: "Max", visitor_id: "max", session_id: "2" });
    await tell(session, client, { name: "Nobody", session_id: "3" });
    await tell(session, other, { name: "Far", visitor_id: "zoe", session_id: "1" });
    assert((await forgetWhere(session)).includes("find_contexts"));
    assertEquals(names(await recall(session, client, { visitor_id: "zoe", session_id: "4" })), ["Zoe"]);
    // Without the reader's policies the same function finds them all: the WHERE is really gone.
    const leaked = await value<Recalled>(
      session,
      { name: "owner", role: "postgres", claims: null },
      `private.find_contexts('${client.agentId}', 'zoe', gen_random_uuid(), null, null, 20)`,
    );
    assertEquals(names(leaked)!.toSorted(), ["Far", "Max", "Nobody", "Zoe"]);
    await session.exec("set local role agent_reader");
    assertEquals(await session.query("select from public.conversation_contexts"), []);
  },
);

rolledBack("recall is for the service role alone, with sensible arguments", async (session) => {
  const client = await makeClient(session);
  const turn = await tell(session, client, { name: "Zoe", visitor_id: "zoe", session_id: "1" });
  const sql = `public.recall_contexts('${client.agentId}', 'zoe', '${turn.conversation_id}')`;
  assertEquals(await refusal(value(session, user(client.ownerId), sql)), "42501");
  assertEquals(await refusal(value(session, { name: "anon", role: "anon", claims: null }, sql)), "42501");
  const good = { agent_id: client.agentId, visitor_id: "zoe", conversation_id: turn.conversation_id };
  for (
    const bad of [{ agent_id: null }, { visitor_id: null }, { visitor_id: "" }, { conversation_id: null }, {
      max_items: 0,
    }, {
      max_items: 21,
    }, { query_embedding: "[1]" }]
  ) {
    assertEquals(
      await refusal(call(session, "public.recall_contexts", { ...good, ...bad })),
      "PT422 validation_failed",
    );
  }
});
