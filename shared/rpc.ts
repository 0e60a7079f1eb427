import type { SupabaseClient } from "@supabase/supabase-js";
import { z } from "zod";
import { type CallOptions, run } from "./database.ts";
import * as results from "./results.ts";

/** A chunk as it is stored; `embedding` is a pgvector text, null where the hash is among the `reusable` ones. */
export interface NewChunk {
  content: string;
  heading: string | null;
  page: number | null;
  char_start: number;
  char_end: number;
  tokens: number;
  hash: string;
  embedding: string | null;
}

type Json = Record<string, unknown>;

/** An upload as it is kept: its original in base64 or its path in the bucket, and its chunks when each has its vector. */
export interface NewDocument {
  title: string;
  mime_type: string;
  content_hash: string;
  size_bytes: number;
  source?: string | null;
  category?: string | null;
  language?: string | null;
  /** The language of its text, which counts when none is given. */
  detected_language?: string | null;
  metadata?: Json;
  file_base64?: string | null;
  file_path?: string | null;
  api_key_id?: string | null;
  created_by?: string | null;
  chunks?: NewChunk[];
}

interface StoreDocuments {
  agentId: string;
  /** The model of the vectors, and that of an agent which has none yet. */
  embeddingModel: string;
  documents: NewDocument[];
  leaseSeconds?: number;
}

interface StoreChunks {
  documentId: string;
  lease: string;
  fromIndex: number;
  chunks: NewChunk[];
  language: string | null;
  state?: Json;
  progress?: number;
  done?: boolean;
  leaseSeconds?: number;
}

/** A message that a client says came before its question, as `admit_turn` stores it. */
export interface EarlierMessage {
  role: "user" | "assistant" | "tool";
  content: string;
  tokens: number;
  metadata?: Json;
}

interface AdmitTurn {
  /** Who asks: the hash of an agent key, or a user whose token was verified. */
  keyHash?: string;
  userId?: string;
  isAdmin?: boolean;
  agentId?: string;
  channel?: "api" | "openai" | "widget";
  message: string;
  messageTokens: number;
  sessionId?: string | null;
  visitorId?: string | null;
  origin?: string | null;
  addressHash?: string | null;
  metadata?: Json;
  language?: string | null;
  visitorToken?: string | null;
  /** What a session id must have at least with a browser key. */
  minSessionLength?: number;
  idempotencyKey?: string | null;
  route?: string | null;
  requestHash?: string | null;
  earlier?: EarlierMessage[];
  regenerate?: boolean;
  resumable?: boolean;
  messageMetadata?: Json;
  /** Tokens that the prompt will have besides, and that are not stored. */
  extraTokens?: number;
}

interface AppendDeltas {
  turnId: string;
  seq: number;
  text: string;
  provider?: string;
  model?: string;
  inputTokens?: number;
  outputTokens?: number;
  events?: results.TurnEvent[];
}

interface SettleTurn {
  turnId: string;
  outcome: "completed" | "failed" | "aborted";
  answer: string;
  citations?: unknown[];
  /** The share of its statements that the citations bear out, 0 to 1. */
  support?: number | null;
  provider: string;
  model: string;
  inputTokens: number;
  outputTokens: number;
  finishReason?: string | null;
  responseTimeMs: number;
  firstTokenMs?: number | null;
  attempts?: unknown[];
  errorCode?: string | null;
  retrieved?: unknown[];
  messageMetadata?: Json;
  events?: results.TurnEvent[];
  memory?: TurnMemory;
}

/** What a turn adds to the memory of its conversation. */
export interface TurnMemory {
  entities: { type: string; value: string; sentiment: string; confidence: number }[];
  topic: { words: string[]; turns: number } | null;
  /** The summary with these messages added, and whether it goes on with the one before. */
  summary: { text: string; from: string; through: string; continues: boolean } | null;
  /** The question by itself, where it was rewritten. */
  standalone: string | null;
}

interface SaveContext {
  turnId: string;
  summary: string;
  keyFacts: string[];
  topic: string | null;
  embedding: string | null;
  embeddingModel: string | null;
}

interface RecallContexts {
  agentId: string;
  visitorId: string;
  conversationId: string;
  queryEmbedding: string | null;
  embeddingModel: string | null;
  maxItems?: number;
}

interface MatchDocuments {
  agentId: string;
  query: string;
  queryEmbedding?: string | null;
  matchCount?: number;
  matchThreshold?: number | null;
  category?: string | null;
  language?: string | null;
  embeddingModel?: string | null;
}

interface ReportIncident {
  kind: string;
  severity: string;
  subject: string;
  agentId?: string | null;
  sessionId?: string | null;
  addressHash?: string | null;
  details?: Json;
}

interface ReportProvider {
  provider: string;
  model: string;
  failed: boolean;
  /** Seconds that the provider asks to wait. */
  retryAfter?: number | null;
  error?: string | null;
  /** The user's own key it was called with. */
  providerKeyId?: string | null;
}

interface StoreProviderKey {
  /** The row's, which the ciphertext is bound to. */
  id: string;
  userId: string;
  provider: string;
  ciphertext: string;
  secretId: string;
  keyHashes: string[];
  maskedKey: string;
  metadata: Json;
}

/** A provider key encrypted anew; `old_ciphertext` is the one that was read. */
export interface ResealedKey {
  id: string;
  old_ciphertext: string;
  ciphertext: string;
  secret_id: string;
  key_hash: string;
}

interface WorkOf {
  documents: results.Work;
  embeddings: results.EmbeddingWork;
}
type Work = keyof WorkOf;
const works: { [K in Work]: z.ZodType<WorkOf[K][]> } = {
  documents: z.array(results.Work),
  embeddings: z.array(results.EmbeddingWork),
};

/** Every SQL function that the service role calls, typed, with parsed results. */
export type Rpc = ReturnType<typeof createRpc>;

/** The calls made as a user, under row level security. */
export type UserRpc = ReturnType<typeof createUserRpc>;

/** The SQL functions for the service role; `client` carries a secret key. */
export function createRpc(client: SupabaseClient) {
  const call = caller(client, {});
  return {
    validateApiKey: (p: { keyHash: string; origin?: string | null; cost?: number }, options?: CallOptions) =>
      call("validate_api_key", prefixed(p), results.Validation, options),
    checkRateLimit: (
      p: { key: string; maxRequests: number; windowSeconds: number; cost?: number; blockSeconds?: number },
      options?: CallOptions,
    ) => call("check_rate_limit", prefixed(p), results.RateLimit, options),
    reportIncident: (args: ReportIncident, options?: CallOptions) =>
      call("report_incident", args, z.unknown(), options),
    reportProvider: (args: ReportProvider, options?: CallOptions) =>
      call("report_provider", args, z.unknown(), options),
    agentAccess: (args: { agentId: string }, options?: CallOptions) =>
      call("agent_access", args, results.AgentAccess, options),

    storeProviderKey: (args: StoreProviderKey, options?: CallOptions) =>
      call("store_provider_key", args, results.ProviderKey, options),
    staleProviderKeys: (
      args: { secretId: string; after?: string | null; maxItems?: number },
      options?: CallOptions,
    ) => call("stale_provider_keys", args, z.array(results.StaleProviderKey), options),
    resealProviderKeys: (args: { items: ResealedKey[] }, options?: CallOptions) =>
      call("reseal_provider_keys", args, z.number(), options),

    storageMode: (options?: CallOptions) => call("storage_mode", {}, z.enum(["bucket", "table"]), options),
    storeDocuments: (args: StoreDocuments, options?: CallOptions) =>
      call("store_documents", args, z.array(results.KeptDocument), options),
    storeChunks: (args: StoreChunks, options?: CallOptions) =>
      call("store_chunks", args, results.StoredChunks, options),
    claimWork: <K extends Work>(
      args: { kind: K; maxItems?: number; leaseSeconds?: number },
      options?: CallOptions,
    ) => call<z.ZodType<WorkOf[K][]>>("claim_work", args, works[args.kind], options),
    chunksToEmbed: (args: { id: string; lease: string; maxItems?: number }, options?: CallOptions) =>
      call("chunks_to_embed", args, results.ChunksToEmbed, options),
    storeVectors: (
      args: {
        id: string;
        lease: string;
        vectors: { id: number; embedding: string }[];
        leaseSeconds?: number;
      },
      options?: CallOptions,
    ) => call("store_vectors", args, z.object({ outcome: z.enum(["stored", "lost"]) }), options),
    switchModel: (args: { id: string; lease: string }, options?: CallOptions) =>
      call("switch_model", args, z.object({ outcome: z.enum(["switched", "more", "lost"]) }), options),
    finishWork: (
      args: {
        kind: Work;
        id: string;
        lease: string;
        error?: { code: string; message: string; retryable: boolean } | null;
      },
      options?: CallOptions,
    ) => call("finish_work", args, results.FinishedWork, options),
    documentFile: (
      args: { documentId: string; fromByte?: number; maxBytes?: number },
      options?: CallOptions,
    ) => call("document_file", args, results.DocumentFile, options),
    getDocument: (args: { agentId: string; documentId: string }, options?: CallOptions) =>
      call("get_document", args, results.DocumentView.nullable(), options),
    listDocuments: (
      args: { agentId: string; maxItems?: number; cursor?: string | null; status?: string | null },
      options?: CallOptions,
    ) => call("list_documents", args, results.DocumentList, options),
    retryDocument: (args: { agentId: string; documentId: string }, options?: CallOptions) =>
      call("retry_document", args, z.object({ outcome: z.enum(["queued", "conflict"]) }).nullable(), options),
    deleteDocument: (args: { agentId: string; documentId: string }, options?: CallOptions) =>
      call("delete_document", args, z.object({ file_path: z.string().nullable() }).nullable(), options),
    /** The agent of a document, or null when there is no such document. */
    documentAgent: agentReader(client, {}, "documents"),
    deletedFiles: (args: { maxItems?: number }, options?: CallOptions) =>
      call(
        "deleted_files",
        args,
        z.array(z.object({ document_id: z.string(), file_path: z.string() })),
        options,
      ),
    forgetDocuments: (args: { documentIds: string[] }, options?: CallOptions) =>
      call("forget_documents", args, z.number(), options),
    matchDocuments: (args: MatchDocuments, options?: CallOptions) =>
      call("match_documents", args, z.array(results.Match), options),

    admitTurn: (args: AdmitTurn, options?: CallOptions) =>
      call("admit_turn", args, results.Admission, options),
    appendDeltas: (args: AppendDeltas, options?: CallOptions) =>
      call("append_deltas", args, results.AppendedDeltas, options),
    settleTurn: (args: SettleTurn, options?: CallOptions) =>
      call("settle_turn", args, results.Settlement, options),
    saveContext: (args: SaveContext, options?: CallOptions) =>
      call("save_context", args, z.boolean(), options),
    recallContexts: (args: RecallContexts, options?: CallOptions) =>
      call("recall_contexts", args, results.Recalled, options),
    turnEvents: (args: { agentId: string; turnId: string; afterId?: number }, options?: CallOptions) =>
      call("turn_events", args, results.TurnEvents, options),
    stopTurn: (args: { agentId: string; turnId: string }, options?: CallOptions) =>
      call("stop_turn", args, results.StoppedTurn, options),
    sessionMessages: (
      args: {
        agentId: string;
        sessionId: string;
        maxItems?: number;
        before?: string | null;
        reader?: string;
      },
      options?: CallOptions,
    ) => call("session_messages", args, results.SessionMessages, options),
    resetChatSession: (p: { sessionId: string; agentId?: string | null }, options?: CallOptions) =>
      call("reset_chat_session", prefixed(p), z.object({ conversations: z.number() }), options),
    saveFeedback: (
      args: {
        agentId: string;
        messageId: string;
        rating: number;
        comment?: string | null;
        category?: string | null;
      },
      options?: CallOptions,
    ) => call("save_feedback", args, results.SavedFeedback, options),
  };
}

/** The SQL functions called as the user of a verified JWT; `client` carries a publishable key. */
export function createUserRpc(client: SupabaseClient, token: string) {
  const headers = { authorization: `Bearer ${token}` };
  const call = caller(client, headers);
  return {
    resetChatSession: (p: { sessionId: string; agentId?: string | null }, options?: CallOptions) =>
      call("reset_chat_session", prefixed(p), z.object({ conversations: z.number() }), options),
    agentAccess: (args: { agentId: string }, options?: CallOptions) =>
      call("agent_access", args, results.AgentAccess, options),
    /** The agent of a document that the user may see, or null. */
    documentAgent: agentReader(client, headers, "documents"),
    /** The agent of a turn that the user may see, or null. */
    turnAgent: agentReader(client, headers, "turns"),
    /** The user's own provider keys, oldest first. */
    providerKeys: (options?: CallOptions) =>
      run(
        "provider_keys",
        client.from("provider_keys").select("id, provider, masked_key, metadata, created_at")
          .order("created_at").order("id"),
        headers,
        z.array(results.ProviderKey),
        options,
      ),
    /** Deletes a provider key of the user; false when they have no such key. */
    deleteProviderKey: ({ id }: { id: string }, options?: CallOptions) =>
      run(
        "provider_keys",
        client.from("provider_keys").delete().eq("id", id).select("id"),
        headers,
        z.array(z.object({ id: z.string() })),
        options,
      ).then((deleted) => deleted.length > 0),
  };
}

function caller(client: SupabaseClient, headers: Record<string, string>) {
  return <T extends z.ZodType>(name: string, args: object, result: T, options?: CallOptions) =>
    run(name, client.rpc(name, named(args)), headers, result, options);
}

// Found through the table, whose policies show a user the rows of their agents alone.
function agentReader(client: SupabaseClient, headers: Record<string, string>, table: "documents" | "turns") {
  return (id: string, options?: CallOptions) =>
    run(
      table,
      client.from(table).select("agent_id").eq("id", id).limit(1),
      headers,
      z.array(z.object({ agent_id: z.string() })),
      options,
    ).then(([found]) => found?.agent_id ?? null);
}

/** The arguments under their SQL names: `agentId` is `agent_id`. Undefined ones are left to the function's default. */
function named(args: object, prefix = ""): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(args).filter(([, value]) => value !== undefined)
      .map((
        [key, value],
      ) => [prefix + key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]),
  );
}

// The functions that older systems already called keep their `p_` names.
function prefixed(args: object): Record<string, unknown> {
  return named(args, "p_");
}
