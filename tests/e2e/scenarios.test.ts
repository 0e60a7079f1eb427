import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { parseEvents } from "../functions/chat/read-events.ts";
import { startStack } from "../support/stack.ts";

const handbook = `# Night train

## Luggage
Every traveller may bring two suitcases and one bicycle. A bicycle costs 12 euros a night.

## Breakfast
Breakfast is served from 6:30 in the sleeping car and is included in the fare.

## Dogs
Dogs travel for half the fare and must wear a muzzle in the corridor.
`;

Deno.test("somebody signs up, makes an agent, gives it a document and talks to it", async (t) => {
  await using stack = await startStack();
  const owner = await stack.signUp();
  const mine = stack.client(owner.token);
  let agentId = "", keyId = "", key = "", documentId = "", session = "", messageId = "";

  const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    fetch(stack.functionUrl(path), {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });

  await t.step("an agent needs a name only, over PostgREST", async () => {
    const { data: agent } = await mine.from("agents").insert({ name: "Night train", language: "en" })
      .select("id, owner_id, rag_enabled").single().throwOnError();
    assertEquals([agent.owner_id, agent.rag_enabled], [owner.id, true]);
    agentId = agent.id;
  });

  await t.step("a key is shown once and says what it may do", async () => {
    const { data } = await mine.rpc("create_api_key", {
      agent_id: agentId,
      name: "website",
      scopes: ["chat", "ingest", "read"],
    }).throwOnError();
    [keyId, key] = [data.id, data.key];
    const valid = await (await call("POST", "validate-key")).json();
    assertEquals([valid.valid, valid.agent_id, valid.scopes], [true, agentId, ["chat", "ingest", "read"]]);
    const { data: kept } = await mine.from("api_keys").select("masked_key").eq("id", keyId).single()
      .throwOnError();
    assert(!JSON.stringify(kept).includes(key));
  });

  await t.step(
    "an uploaded document can be asked about, and the same one again changes nothing",
    async () => {
      const upload = () => {
        const form = new FormData();
        form.append("file", new File([handbook], "night-train.md", { type: "text/markdown" }));
        return fetch(stack.functionUrl("ingest-document"), {
          method: "POST",
          headers: { authorization: `Bearer ${key}` },
          body: form,
        });
      };
      const first = await upload();
      const stored = await first.json();
      assertEquals([first.status, stored.status], [201, "ready"]);
      assertGreater(stored.chunks, 0);
      documentId = stored.document_id;
      const second = await upload();
      assertEquals([second.status, (await second.json()).deduplicated], [200, true]);
      const { data: documents } = await mine.from("documents").select("id, status").throwOnError();
      assertEquals(documents, [{ id: documentId, status: "ready" }]);
    },
  );

  await t.step("an answer cites the passage it comes from", async () => {
    const response = await call("POST", "chat", { message: "How much does a bicycle cost?" });
    const answer = await response.json();
    assertEquals(response.status, 200, JSON.stringify(answer));
    assertStringIncludes(answer.answer, "12 euros");
    const [citation] = answer.citations;
    assertEquals([citation.document_id, citation.marker], [documentId, 1]);
    assertStringIncludes(answer.answer, "[1]");
    assertStringIncludes(handbook.replaceAll("\n", " "), citation.quote.replaceAll("\n", " "));
    session = answer.session_id;
    messageId = answer.message_id;
  });

  await t.step("the same session goes on as a stream", async () => {
    const response = await call(
      "POST",
      "chat",
      { message: "When is breakfast served?", session_id: session },
      {
        accept: "text/event-stream",
      },
    );
    const events = parseEvents(await response.text());
    const names = events.map((event) => event.event);
    assertEquals([names[0], names.at(-1)], ["meta", "done"]);
    const text = events.filter(({ event }) => event === "delta").map(({ data }) => data.text).join("");
    assertStringIncludes(text, "6:30");
    assert(names.includes("citation"));
  });

  await t.step("what nothing fits is not made up", async () => {
    const { answer, citations } =
      await (await call("POST", "chat", { message: "Who painted the Mona Lisa?" })).json();
    assertEquals(citations, []);
    assert(!/leonardo/i.test(answer));
  });

  await t.step("the visitor rates the answer, and the owner sees it", async () => {
    const rated = await call("POST", "chat/feedback", { message_id: messageId, rating: 1, comment: "clear" });
    assertEquals([rated.status, (await rated.json()).rating], [200, 1]);
    const { data: feedback } = await mine.from("feedback").select("message_id, rating").throwOnError();
    assertEquals(feedback, [{ message_id: messageId, rating: 1 }]);
  });

  await t.step("the history is the conversation, until it is reset", async () => {
    const path = `chat/sessions/${session}/messages`;
    const { messages } = await (await call("GET", path)).json();
    assertEquals(messages.map((message: { role: string }) => message.role), [
      "user",
      "assistant",
      "user",
      "assistant",
    ]);
    const reset = await call("DELETE", `chat/sessions/${session}`);
    assertEquals(reset.status, 204);
    const { messages: left } = await (await call("GET", path)).json();
    assertEquals(left, []);
    const { data: usage } = await mine.from("usage_logs").select("agent_id").throwOnError();
    assertEquals(usage!.length, 3);
  });

  await t.step("a deleted document is not cited any more", async () => {
    assertEquals((await call("DELETE", `ingest-document/${documentId}`)).status, 204);
    const { citations } = await (await call("POST", "chat", { message: "How much does a bicycle cost?" }))
      .json();
    assertEquals(citations, []);
  });

  await t.step("a stranger sees none of it", async () => {
    const stranger = stack.client((await stack.signUp()).token);
    for (
      const table of [
        "agents",
        "api_keys",
        "documents",
        "conversations",
        "messages",
        "feedback",
        "usage_logs",
      ]
    ) {
      const { data } = await stranger.from(table).select("*", { head: false }).limit(1);
      assertEquals(data ?? [], [], table);
    }
    const { error } = await stranger.rpc("revoke_api_key", { key_id: keyId });
    assertEquals(error?.message, "not_found");
  });

  await t.step("a revoked key opens nothing", async () => {
    await mine.rpc("revoke_api_key", { key_id: keyId }).throwOnError();
    const response = await call("POST", "chat", { message: "Hello?" });
    assertEquals([response.status, (await response.json()).code], [401, "key_revoked"]);
    assertEquals(await (await call("POST", "validate-key")).json(), { valid: false, code: "revoked" });
  });
});
