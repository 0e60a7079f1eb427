import type { Session } from "../../local/database.ts";
import { type Actor, admin as asAdmin, makeAgent, signUp, user } from "./people.ts";

/** An owner with an agent, and a row in every table that belongs to one. */
export interface Tenant {
  ownerId: string;
  agentId: string;
}

/** Two tenants that know nothing of each other, and everybody who may try. */
export interface World {
  ann: Tenant;
  bob: Tenant;
  actors: Record<"owner" | "editor" | "viewer" | "stranger" | "anonymous" | "admin" | "neighbour", Actor>;
}

/** Fills an empty database: Ann's agent has an editor and a viewer, Bob's has another member, nobody is in both. */
export async function makeWorld(session: Session): Promise<World> {
  const account = (name: string) => signUp(session, `${name}@example.com`);
  const [ann, bob] = [await account("ann"), await account("bob")];
  const [editor, viewer, bobsViewer] = [
    await account("editor"),
    await account("viewer"),
    await account("guest"),
  ];
  const [stranger, admin] = [await account("stranger"), await account("admin")];
  const annsAgent = await tenant(session, ann, { [editor]: "editor", [viewer]: "viewer" });
  const bobsAgent = await tenant(session, bob, { [bobsViewer]: "viewer" });
  await installation(session);
  return {
    ann: { ownerId: ann, agentId: annsAgent },
    bob: { ownerId: bob, agentId: bobsAgent },
    actors: {
      owner: { ...user(ann), name: "owner" },
      editor: { ...user(editor), name: "editor" },
      viewer: { ...user(viewer), name: "viewer" },
      stranger: { ...user(stranger), name: "stranger" },
      admin: { ...asAdmin(admin), name: "admin" },
      neighbour: { ...user(bob), name: "neighbour" },
      anonymous: { name: "anonymous", role: "anon", claims: null },
    },
  };
}

async function one<T = Record<string, unknown>>(
  session: Session,
  sql: string,
  params: unknown[],
): Promise<T> {
  const [row] = await session.query<{ value: T }>(`select ${sql} as value`, params);
  return row!.value;
}

async function tenant(session: Session, owner: string, members: Record<string, string>): Promise<string> {
  const agentId = await makeAgent(session, owner);
  for (const [member, role] of Object.entries(members)) {
    await session.query("insert into public.agent_members (agent_id, user_id, role) values ($1, $2, $3)", [
      agentId,
      member,
      role,
    ]);
  }
  await session.query("insert into public.agent_tools (agent_id, tool) values ($1, 'search_products')", [
    agentId,
  ]);
  await session.query(
    `insert into public.provider_keys (user_id, provider, ciphertext, secret_id, key_hash, masked_key)
     values ($1, 'mistral', 'c2VhbGVk', '1', repeat('a', 64), 'WW8G...T9g')`,
    [owner],
  );
  await session.query(
    `insert into public.provider_health (provider, model, provider_key_id)
     select k.provider, 'large', k.id from public.provider_keys k where k.user_id = $1`,
    [owner],
  );
  await one(session, "public.publish_prompt('main', 'You answer for a shop.', $1)", [agentId]);
  await one(session, "public.rotate_identity_secret($1)", [agentId]);
  await one(session, "public.create_invitation('guest@example.com', 'viewer', $1)", [agentId]);
  await document(session, agentId);
  await conversation(session, agentId);
  return agentId;
}

async function document(session: Session, agentId: string): Promise<void> {
  const document = {
    title: "Returns",
    mime_type: "text/plain",
    content_hash: "b".repeat(64),
    size_bytes: 7,
    file_base64: "cmV0dXJucw==",
  };
  const [begun] = await one<{ document_id: string; lease: string }[]>(
    session,
    "public.store_documents($1, 'local', $2)",
    [agentId, JSON.stringify([document])],
  );
  const content = "Returns are accepted within thirty days.";
  const chunk = {
    content,
    char_start: 0,
    char_end: content.length,
    tokens: 8,
    hash: "1",
    embedding: "[1,-1,2,-2]",
  };
  await one(
    session,
    "public.store_chunks(document_id => $1, lease => $2, from_index => 0, chunks => $3, language => 'en', done => true)",
    [begun!.document_id, begun!.lease, JSON.stringify([chunk])],
  );
  await session.query("update public.agents set embedding_model = 'test/next' where id = $1", [agentId]);
}

async function conversation(session: Session, agentId: string): Promise<void> {
  const { key } = await one<{ key: string }>(session, "public.create_api_key($1, 'widget')", [agentId]);
  const turn = (sessionId: string) =>
    one<{ turn_id: string; message_id: string; conversation_id: string }>(
      session,
      `public.admit_turn('May I return it?', 5, encode(sha256($1::text::bytea), 'hex'), $2, idempotency_key => $2,
         route => 'chat', request_hash => repeat('c', 64))`,
      [key, sessionId],
    );
  const settled = await turn("session-settled-0001");
  await one(
    session,
    `public.settle_turn(turn_id => $1, outcome => 'completed', provider => 'local', model => 'extractive',
       answer => 'Within thirty days.', input_tokens => 5, output_tokens => 4)`,
    [settled.turn_id],
  );
  const open = await turn("session-open-0000001");
  await one(session, "public.append_deltas($1, 1, 'Within')", [open.turn_id]);
  await one(session, "public.save_feedback($1, $2, 1)", [agentId, settled.message_id]);
  await session.query(
    "insert into public.entity_memory (agent_id, conversation_id, type, value) values ($1, $2, 'name', 'Zoe')",
    [agentId, settled.conversation_id],
  );
  await session.query(
    "insert into public.conversation_contexts (agent_id, conversation_id, visitor_id) values ($1, $2, 'zoe')",
    [
      agentId,
      settled.conversation_id,
    ],
  );
  await one(session, "public.report_incident('anomaly', 'low', $2, agent_id => $1)", [
    agentId,
    `of ${agentId}`,
  ]);
}

/** What belongs to no tenant. */
async function installation(session: Session): Promise<void> {
  await one(session, "private.emit('agent.created', '{}')", []);
  await one(session, "public.check_rate_limit('somebody', 5, 60)", []);
}
