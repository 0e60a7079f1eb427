import { z } from "zod";
import { Limit } from "./limits.ts";

// What the SQL functions answer, field for field as they name it. Unknown members are dropped, missing ones refused.

const count = z.number().int();
const moment = z.string();
const language = z.string().nullable();

/** A used quota: `messages` and `tokens` count a month, `documents` and `agents` count what exists. */
const Quota = z.object({
  limit: z.number().nullable(),
  used: z.number(),
  reserved: z.number().optional(),
  resets_at: moment.optional(),
});

/** The answer of `check_rate_limit`; `retry_after` is in whole seconds. */
export const RateLimit = z.object({
  allowed: z.boolean(),
  count,
  remaining: count,
  limit: count,
  retry_after: count,
  reset_at: moment,
});

/** A key that is good, and the agent it opens. */
export const ValidKey = z.object({
  valid: z.literal(true),
  key_id: z.string(),
  name: z.string(),
  agent_id: z.string(),
  owner_id: z.string(),
  agent_name: z.string(),
  model_id: z.string(),
  system_prompt: z.string().nullable(),
  rag_enabled: z.boolean(),
  scopes: z.array(z.string()),
  expires_at: moment.nullable(),
  allowed_origins: z.array(z.string()),
  embedding_model: z.string().nullable(),
  language: z.string(),
  limits: z.object({ requests_per_minute: count }),
  quota: z.record(z.string(), Quota).optional(),
  rate: RateLimit.omit({ count: true }).optional(),
});

/** A key that is good, and the agent it opens. */
export type ValidKey = z.infer<typeof ValidKey>;

/** The answer of `validate_api_key`. */
export const Validation = z.discriminatedUnion("valid", [
  ValidKey,
  z.object({
    valid: z.literal(false),
    code: z.enum(["unknown", "revoked", "expired", "agent_inactive", "origin_not_allowed"]),
  }),
]);

/** The answer of `agent_access`: what the caller is to this agent, or null when it is not theirs to see. */
export const AgentAccess = z.object({
  agent_id: z.string(),
  owner_id: z.string(),
  role: z.enum(["owner", "editor", "viewer", "admin", "service"]),
  name: z.string(),
  embedding_model: z.string().nullable(),
  language: z.string(),
  is_active: z.boolean(),
}).nullable();

const documentStatus = z.enum(["queued", "processing", "ready", "failed"]);

/** The answer of `begin_document`. `reusable` holds the hashes of chunks whose embeddings are already stored. */
export const BegunDocument = z.discriminatedUnion("outcome", [
  z.object({
    outcome: z.literal("created"),
    document_id: z.string(),
    lease: z.string(),
    embedding_model: z.string(),
    language,
    agent_language: z.string(),
    replaces: z.string().nullable(),
    reusable: z.array(z.string()),
  }),
  z.object({
    outcome: z.literal("deduplicated"),
    document_id: z.string(),
    status: documentStatus,
    chunks: count,
    tokens: count,
  }),
  z.object({
    outcome: z.literal("refused"),
    code: z.literal("quota_exceeded"),
    limit: z.number(),
    used: z.number(),
  }),
]);

/** The answer of `store_chunks`; `lost` means that somebody else holds the work now. */
export const StoredChunks = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("stored"), status: documentStatus, chunks: count, tokens: count }),
  z.object({ outcome: z.literal("lost") }),
]);

/** One claimed document. `state` is what the last round left; `chunks` is how many are stored. */
export const Work = z.object({
  id: z.string(),
  agent_id: z.string(),
  owner_id: z.string(),
  lease: z.string(),
  title: z.string(),
  mime_type: z.string(),
  language,
  agent_language: z.string(),
  embedding_model: z.string(),
  state: z.record(z.string(), z.unknown()),
  chunks: count,
  attempts: count,
  file_path: z.string().nullable(),
  reusable: z.array(z.string()),
});

/** One claimed document. */
export type Work = z.infer<typeof Work>;

/** The answer of `finish_work`. */
export const FinishedWork = z.object({
  outcome: z.enum(["retry", "failed", "released", "lost"]),
  next_attempt_at: moment.nullish(),
});

/** Where a document's original is: in the table (base64) or in the bucket (path). */
export const DocumentFile = z.object({
  mime_type: z.string(),
  title: z.string(),
  file_base64: z.string().nullable(),
  file_path: z.string().nullable(),
}).nullable();

/** A document as the contract shows it. */
export const DocumentView = z.object({
  document_id: z.string(),
  title: z.string(),
  status: documentStatus,
  progress: z.number(),
  chunks: count,
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
});

/** One page of documents. */
export const DocumentList = z.object({
  documents: z.array(DocumentView),
  next_cursor: z.string().nullable(),
});

/** One row of `match_documents`; `similarity` is null for a row found by words alone. */
export const Match = z.object({
  id: z.number(),
  document_id: z.string(),
  content: z.string(),
  source: z.string().nullable(),
  category: z.string().nullable(),
  language,
  chunk_index: count,
  similarity: z.number().nullable(),
  title: z.string(),
  heading: z.string().nullable(),
  page: count.nullable(),
  char_start: count.nullable(),
  char_end: count.nullable(),
  score: z.number(),
});

/** One row of `match_documents`. */
export type Match = z.infer<typeof Match>;

/** The answer of `admit_turn`: all that the model needs, or the code that says why not. */
export const Admission = z.discriminatedUnion("admitted", [
  z.object({
    admitted: z.literal(false),
    code: z.string(),
    status: count,
    detail: z.string(),
    retry_after: count.nullish(),
    limits: z.array(Limit).default([]),
    rule: z.string().nullish(),
    key_id: z.string().nullish(),
    agent_id: z.string().nullish(),
  }),
  z.object({
    admitted: z.literal(true),
    turn_id: z.string(),
    message_id: z.string(),
    user_message_id: z.string(),
    conversation_id: z.string(),
    session_id: z.string(),
    agent: z.object({
      id: z.string(),
      owner_id: z.string(),
      name: z.string(),
      role: z.string(),
      instructions: z.string(),
      model: z.string(),
      temperature: z.number(),
      max_tokens: count,
      top_p: z.number(),
      language: z.string(),
      rag_enabled: z.boolean(),
      match_count: count,
      match_threshold: z.number().nullable(),
      embedding_model: z.string().nullable(),
      has_knowledge: z.boolean(),
      config: z.record(z.string(), z.unknown()),
      fallback_models: z.array(z.string()),
    }),
    prompt: z.string().nullable(),
    facts: z.array(z.object({ key: z.string(), value: z.string(), category: z.string() })),
    summary: z.string().nullable(),
    memory: z.array(z.object({ type: z.string(), value: z.string() })),
    history: z.array(z.object({
      role: z.string(),
      content: z.string(),
      metadata: z.record(z.string(), z.unknown()).optional(),
    })),
    api_key_id: z.string().nullable(),
    limits: z.array(Limit),
  }),
]);

/** The answer of `admit_turn`. */
export type Admission = z.infer<typeof Admission>;

/** The answer of `append_deltas`. */
export const AppendedDeltas = z.object({
  stop: z.boolean(),
  reason: z.enum(["stopped", "kill_switch", "settled"]).nullable(),
});

/** The answer of `settle_turn`. */
export const Settlement = z.object({
  settled: z.literal(true),
  duplicate: z.boolean(),
  message_id: z.string().nullable(),
  created_at: moment,
  usage: z.object({ input_tokens: count, output_tokens: count, total_tokens: count }),
});

/** A session's messages, oldest first, or null when there is no such session. */
export const SessionMessages = z.object({
  messages: z.array(z.object({
    id: z.string(),
    turn_id: z.string().nullable(),
    role: z.string(),
    content: z.string(),
    citations: z.array(z.record(z.string(), z.unknown())),
    rating: count.nullable(),
    created_at: moment,
  })),
  has_more: z.boolean(),
}).nullable();

/** The answer of `save_feedback`, or null when there is no such message. */
export const SavedFeedback = z.object({ id: z.string(), message_id: z.string(), rating: count }).nullable();
