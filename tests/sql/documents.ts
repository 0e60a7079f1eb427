import type { Session } from "../../local/database.ts";
import { call, change, type Client, sha256 } from "./turns.ts";

/** What `store_documents` answers of one. */
export interface Begun {
  outcome: "stored" | "created" | "deduplicated" | "refused";
  document_id: string;
  lease: string;
  embedding_model: string;
  language: string | null;
  agent_language: string;
  replaces: string | null;
  reusable: string[];
  status?: string;
  chunks?: number;
  tokens?: number;
  code?: string;
  limit?: number;
  used?: number;
}

/** A passage to store; without a vector it is to be taken over. */
export interface Passage {
  content: string;
  embedding?: number[] | null;
  hash?: string;
  heading?: string | null;
  page?: number | null;
}

/** The arguments of `store_documents` for one document. */
export function oneUpload(
  { agent_id, embedding_model, lease_seconds, ...document }: Record<string, unknown>,
) {
  return { agent_id, embedding_model, lease_seconds, documents: JSON.stringify([document]) };
}

/** Begins a document whose content is its title, unless the arguments say otherwise. */
export async function begin(
  session: Session,
  client: Client,
  title: string,
  args: Record<string, unknown> = {},
): Promise<Begun> {
  const upload = oneUpload({
    agent_id: client.agentId,
    title,
    mime_type: "text/plain",
    content_hash: await sha256(String(args.content ?? title)),
    size_bytes: title.length,
    embedding_model: "test/one",
    ...Object.fromEntries(Object.entries(args).filter(([name]) => name !== "content")),
  });
  return (await call<Begun[]>(session, "public.store_documents", upload))[0]!;
}

/** Stores passages behind those that are stored. */
export function store(
  session: Session,
  { document_id, lease }: { document_id: string; lease: string },
  passages: (string | Passage)[],
  args: Record<string, unknown> = {},
): Promise<{ outcome: "stored" | "lost"; status: string; chunks: number; tokens: number }> {
  return call(session, "public.store_chunks", {
    document_id,
    lease,
    from_index: 0,
    chunks: JSON.stringify(passages.map(chunk)),
    language: "en",
    ...args,
  });
}

/** A chunk as the ingestion sends it. */
export function chunk(passage: string | Passage) {
  const { content, embedding = [1, 1, 1, 1], hash, heading = null, page = null } = typeof passage === "string"
    ? { content: passage }
    : passage;
  return {
    content,
    heading,
    page,
    char_start: 0,
    char_end: content.length,
    tokens: content.split(" ").length,
    hash: hash ?? content,
    embedding: embedding && JSON.stringify(embedding),
  };
}

/** A document that is ready; returns its id. */
export async function learn(
  session: Session,
  client: Client,
  passages: (string | Passage)[],
  { title = `Title ${crypto.randomUUID()}`, language = "en", ...args }: Record<string, unknown> = {},
): Promise<string> {
  const begun = await begin(session, client, String(title), args);
  if (begun.outcome !== "created") throw new Error(`not created: ${JSON.stringify(begun)}`);
  await store(session, begun, passages, { language, done: true });
  return begun.document_id;
}

/** A row of `match_documents`. */
export interface Match {
  id: number;
  document_id: string;
  content: string;
  source: string | null;
  category: string | null;
  language: string | null;
  chunk_index: number;
  similarity: number | null;
  title: string;
  heading: string | null;
  page: number | null;
  char_start: number;
  char_end: number;
  score: number;
}

/** Work as `claim_work` hands it out. */
export interface Work {
  id: string;
  agent_id: string;
  owner_id: string;
  lease: string;
  chunks: number;
  attempts: number;
  state: Record<string, unknown>;
  reusable: string[];
  [field: string]: unknown;
}

/** The noon that the tests of leases and waits count from. */
export const noon = Date.parse("2030-01-01T12:00:00Z");

/** So many seconds after noon. */
export const at = (seconds: number) => new Date(noon + 1000 * seconds).toISOString();

/** Claims work so many seconds after noon, for a minute. */
export function claim(session: Session, seconds: number, max_items = 1): Promise<Work[]> {
  return call(session, "public.claim_work", { max_items, lease_seconds: 60, as_of: at(seconds) });
}

/** Ends work so many seconds after noon, well or with an error. */
export function finish(
  session: Session,
  { id, lease }: { id: string; lease: string },
  error: Record<string, unknown> | null,
  seconds: number,
): Promise<{ outcome: string; next_attempt_at: string }> {
  return call(session, "public.finish_work", { kind: "documents", id, lease, error, as_of: at(seconds) });
}

/** A set of vectors to be built, as `claim_work` hands it out. */
export interface SetWork {
  id: string;
  lease: string;
  embedding_model: string;
}

/** Claims a set of vectors to be built, so many seconds after noon, for a minute. */
export async function claimSet(session: Session, seconds = 0): Promise<SetWork> {
  const args = { kind: "embeddings", max_items: 1, lease_seconds: 60, as_of: at(seconds) };
  const [work] = await call<SetWork[]>(session, "public.claim_work", args);
  if (!work) throw new Error("no set of vectors is due");
  return work;
}

/** Makes so many vectors of a set; returns whether all are made now. */
export async function embed(
  session: Session,
  { id, lease }: SetWork,
  vector: number[],
  max_items = 400,
): Promise<boolean> {
  const chunks = await call<{ id: number }[]>(session, "public.chunks_to_embed", { id, lease, max_items });
  const vectors = chunks.map((chunk) => ({ id: chunk.id, embedding: JSON.stringify(vector) }));
  await call(session, "public.store_vectors", { id, lease, vectors: JSON.stringify(vectors) });
  return chunks.length < max_items;
}

/** Lets a set of vectors answer, if it is complete. */
export async function switchModel(session: Session, { id, lease }: SetWork): Promise<string> {
  return (await call<{ outcome: string }>(session, "public.switch_model", { id, lease })).outcome;
}

/** Changes the model of an agent, whose chunks all get the same vector, and waits for nothing. */
export async function changeModel(
  session: Session,
  { agentId }: Client,
  model: string,
  vector: number[],
): Promise<void> {
  await change(session, "agents", agentId, { embedding_model: model });
  const work = await claimSet(session);
  await embed(session, work, vector);
  const outcome = await switchModel(session, work);
  if (outcome !== "switched") throw new Error(`not switched: ${outcome}`);
}

/** A document as it is stored. */
export async function row(session: Session, id: string): Promise<Record<string, unknown> | undefined> {
  return (await session.query<Record<string, unknown>>("select * from public.documents where id = $1", [id]))[
    0
  ];
}
