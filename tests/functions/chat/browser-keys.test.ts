import { assert, assertEquals } from "@std/assert";
import { assertOpenAIError, assertProblem, contents } from "../../support/security-suite.ts";
import { type ChatAgent, startChat } from "./fixture.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

const origin = "https://shop.example";
const browser = () => chat.agent({ steps: ["Fine."] }, {}, { scopes: ["chat"], allowed_origins: [origin] });
const question = { id: "1", role: "user", parts: [{ type: "text", text: "Hello" }] };

/** Asks by each protocol, in a session of this id. */
function protocols(agent: ChatAgent, session: string, visitor: { id?: string; token?: string } = {}) {
  const send = (path: string, body: object) =>
    fetch(chat.stack.functionUrl(path), {
      method: "POST",
      headers: { authorization: `Bearer ${agent.key}`, "content-type": "application/json", origin },
      body: JSON.stringify(body),
    });
  const { id: visitor_id, token: visitor_token } = visitor;
  return {
    chat: () => send("chat", { message: "Hello", session_id: session, visitor_id, visitor_token }),
    openai: () =>
      send("chat/completions", {
        messages: [{ role: "user", content: "Hello" }],
        user: visitor_id,
        metadata: { session_id: session, visitor_token },
      }),
    ui: () => send("chat/ui", { id: session, messages: [question], visitor_id, visitor_token }),
  };
}

Deno.test("with a browser's key a session id is a capability, so a short one is refused", async () => {
  const agent = await browser();
  const before = await contents(chat.stack);
  const short = protocols(agent, "x".repeat(19));
  await assertProblem(await short.chat(), 422, "validation_failed");
  await assertOpenAIError(await short.openai(), 422, "validation_failed");
  await assertProblem(await protocols(agent, "x".repeat(15)).ui(), 422, "validation_failed");
  assertEquals(await contents(chat.stack), before);
  for (
    const ask of [...Object.values(protocols(agent, "y".repeat(20))), protocols(agent, "z".repeat(16)).ui]
  ) {
    const response = await ask();
    assertEquals([response.status, (await response.text()).includes("Fine.")], [200, true]);
  }
});

Deno.test("the key of a server names its sessions as it likes", async () => {
  const agent = await chat.agent({ steps: ["Fine."] });
  for (const ask of Object.values(protocols(agent, "s1"))) {
    const response = await ask();
    await response.body?.cancel();
    assertEquals(response.status, 200);
  }
});

Deno.test("a browser's key is for its own origins, and never reads what it did not start", async () => {
  const agent = await browser();
  const session = "abcdefghij_-ABCDEFG1";
  await (await protocols(agent, session).chat()).body?.cancel();
  const read = (id: string, from?: string) =>
    fetch(chat.stack.functionUrl(`chat/sessions/${id}/messages`), {
      headers: { "x-api-key": agent.key, ...(from ? { origin: from } : {}) },
    });
  assertEquals((await (await read(session, origin)).json()).messages.length, 2);
  await assertProblem(await read("short", origin), 403, "scope_missing");
  await assertProblem(await read(session, "https://evil.example"), 403, "origin_not_allowed");
  await assertProblem(await read(session), 403, "origin_not_allowed");
  const { error } = await chat.stack.client(chat.owner.token)
    .rpc("create_api_key", { agent_id: agent.id, name: "x", scopes: ["read"], allowed_origins: [origin] });
  assert(error !== null);
});

Deno.test("a visitor is believed in a browser by the token that the owner's server made", async () => {
  const agent = await browser();
  const { data: { secret } } = await chat.stack.client(chat.owner.token)
    .rpc("rotate_identity_secret", { agent_id: agent.id }).throwOnError();
  const token = await hmac(secret, "ada");
  const verified = async (session: string) =>
    (await chat.rows("select visitor_id, visitor_verified from public.conversations where session_id = $1", [
      session,
    ]))[0];
  for (const name of ["chat", "openai", "ui"] as const) {
    const sessions = [`${name}-with-token-00000`, `${name}-without-token-00`, `${name}-wrong-token-0000`];
    await (await protocols(agent, sessions[0]!, { id: "ada", token })[name]()).text();
    assertEquals(await verified(sessions[0]!), { visitor_id: "ada", visitor_verified: true });
    await (await protocols(agent, sessions[1]!, { id: "ada" })[name]()).text();
    assertEquals(await verified(sessions[1]!), { visitor_id: "ada", visitor_verified: false });
    for (const wrong of [{ id: "eve", token }, { id: "ada", token: token.toUpperCase() }, { token }]) {
      const refused = await protocols(agent, sessions[2]!, wrong)[name]();
      const assertRefused = name === "openai" ? assertOpenAIError : assertProblem;
      await assertRefused(refused, 401, "invalid_credential");
      assertEquals(await verified(sessions[2]!), undefined);
    }
  }
});

Deno.test("a visitor's token is not kept", async () => {
  const agent = await browser();
  const { data: { secret } } = await chat.stack.client(chat.owner.token)
    .rpc("rotate_identity_secret", { agent_id: agent.id }).throwOnError();
  const token = await hmac(secret, "ada");
  await (await protocols(agent, "openai-metadata-0000", { id: "ada", token }).openai()).text();
  const [conversation] = await chat.rows("select metadata from public.conversations where agent_id = $1", [
    agent.id,
  ]);
  assertEquals(conversation, { metadata: {} });
});

/** Lower-case hex HMAC-SHA-256, as the owner's server makes it. */
async function hmac(secret: string, text: string): Promise<string> {
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign"]);
  const signed = new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text)));
  return [...signed].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
