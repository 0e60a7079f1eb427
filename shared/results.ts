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

/** What `store_documents` answers of each. `reusable` holds the hashes of chunks whose embeddings are already stored. */
export const KeptDocument = z.discriminatedUnion("outcome", [
  z.object({
    outcome: z.literal("stored"),
    document_id: z.string(),
    replaces: z.string().nullable(),
    chunks: count,
    tokens: count,
  }),
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

/** What `store_documents` answers of each. */
export type KeptDocument = z.infer<typeof KeptDocument>;

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

/** A claimed set of vectors: those of `embedding_model` are to be made of an agent's chunks. */
export const EmbeddingWork = z.object({
  id: z.string(),
  agent_id: z.string(),
  lease: z.string(),
  embedding_model: z.string(),
});

/** A claimed set of vectors. */
export type EmbeddingWork = z.infer<typeof EmbeddingWork>;

/** The answer of `chunks_to_embed`; null when somebody else has the lease, or nobody wants the set any more. */
export const ChunksToEmbed = z.array(
  z.object({ id: z.number(), heading: z.string().nullable(), content: z.string() }),
).nullable();

/** The answer of `finish_work`. */
export const FinishedWork = z.object({
  outcome: z.enum(["retry", "failed", "released", "lost"]),
  next_attempt_at: moment.nullish(),
});

/** Where a document's original is: in the table (a part of its `size` bytes, in base64) or in the bucket (path). */
export const DocumentFile = z.object({
  mime_type: z.string(),
  title: z.string(),
  size: count.nullable(),
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

/** What a settled turn answered, for whoever asks the same again under its Idempotency-Key. */
export const Replay = z.object({
  turn_id: z.string(),
  message_id: z.string(),
  session_id: z.string(),
  conversation_id: z.string(),
  agent_id: z.string(),
  outcome: z.enum(["completed", "failed", "aborted"]),
  answer: z.string(),
  citations: z.array(z.record(z.string(), z.unknown())),
  usage: z.object({ input_tokens: count, output_tokens: count, total_tokens: count }),
  model: z.string(),
  provider: z.string(),
  metadata: z.record(z.string(), z.unknown()),
  finish_reason: z.string(),
  error_code: z.string().nullable(),
  response_time_ms: count,
  created_at: moment,
});

/** What a settled turn answered. */
export type Replay = z.infer<typeof Replay>;

/** Something that a visitor said about themselves. */
const Remembered = z.object({ type: z.string(), value: z.string() });

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
    /** With the code `replayed`. */
    replay: Replay.nullish(),
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
    /** The version that the prompt is; null for the agent's own instructions. */
    prompt_version_id: z.string().nullable(),
    facts: z.array(z.object({ key: z.string(), value: z.string(), category: z.string() })),
    /** Of what the history no longer holds. */
    summary: z.string().nullable(),
    /** What neither history nor summary holds, oldest first: it is to join the summary. */
    overflow: z.array(z.object({
      id: z.string(),
      role: z.string(),
      content: z.string(),
      standalone: z.string().nullable(),
    })),
    /** What the session has been about, and for how many turns; null while that cannot be said. */
    topic: z.object({ words: z.array(z.string()), turns: count }).nullable(),
    memory: z.array(Remembered),
    history: z.array(z.object({
      role: z.string(),
      content: z.string(),
      /**
       * What the model called with this message (`tool_calls`), which call a tool's message answers (`tool_call_id`), how a
       * question was rewritten to stand alone (`standalone`).
       */
      metadata: z.record(z.string(), z.unknown()).optional(),
    })),
    api_key_id: z.string().nullable(),
    limits: z.array(Limit),
    channel: z.string(),
    /** Whether the visitor id may be believed. */
    visitor_verified: z.boolean(),
    flags: z.object({
      conversation_guard: z.boolean(),
      role_lock: z.boolean(),
      topic_lock: z.boolean(),
      topic_lock_turns: count,
    }),
    /** Whether earlier sessions of this visitor are remembered. */
    recall: z.boolean(),
    /** Models as `provider/model`: to be skipped now, the first to come back first; and those that failed last. */
    unhealthy: z.array(z.string()),
    ailing: z.array(z.string()),
    /** The key that the agent's owner brought, encrypted. */
    provider_key: z.object({
      id: z.string(),
      user_id: z.string(),
      provider: z.string(),
      ciphertext: z.string(),
      metadata: z.record(z.string(), z.unknown()),
    }).nullable(),
  }),
]);

/** The answer of `admit_turn`. */
export type Admission = z.infer<typeof Admission>;

/** The answer of `append_deltas`. */
export const AppendedDeltas = z.object({
  stop: z.boolean(),
  reason: z.enum(["stopped", "kill_switch", "settled"]).nullable(),
});

/** One numbered event of a turn, as the native stream sends it. */
export const TurnEvent = z.object({
  id: count,
  event: z.string(),
  data: z.record(z.string(), z.unknown()),
});

/** One numbered event of a turn. */
export type TurnEvent = z.infer<typeof TurnEvent>;

/** The answer of `turn_events`: what a resumable turn sent behind a number, or null when there is no such turn. */
export const TurnEvents = z.object({
  resumable: z.boolean(),
  settled: z.boolean(),
  error_code: z.string().nullable(),
  message_id: z.string().nullable(),
  events: z.array(TurnEvent),
}).nullable();

/** The answer of `turn_events`. */
export type TurnEvents = z.infer<typeof TurnEvents>;

/** The answer of `stop_turn`, or null when there is no such turn. */
export const StoppedTurn = z.object({ turn_id: z.string(), state: z.string(), stopping: z.boolean() })
  .nullable();

/** The answer of `settle_turn`. */
export const Settlement = z.object({
  settled: z.literal(true),
  duplicate: z.boolean(),
  message_id: z.string().nullable(),
  created_at: moment,
  usage: z.object({ input_tokens: count, output_tokens: count, total_tokens: count }),
});

/** The answer of `recall_contexts`: what earlier conversations of the same visitor left, the best first. */
export const Recalled = z.object({
  contexts: z.array(z.object({
    conversation_id: z.string(),
    summary: z.string(),
    key_facts: z.array(z.string()),
    topics: z.array(z.string()),
    similarity: z.number().nullable(),
    updated_at: moment,
  })),
  memory: z.array(Remembered),
});

/** The answer of `recall_contexts`. */
export type Recalled = z.infer<typeof Recalled>;

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

/** A provider key as its owner sees it. */
export const ProviderKey = z.object({
  id: z.string(),
  provider: z.string(),
  masked_key: z.string(),
  metadata: z.record(z.string(), z.unknown()),
  // A column and a function's JSON write it differently.
  created_at: z.string().transform((text) => new Date(text).toISOString()),
});

/** A provider key that another master key than the first encrypted. */
export const StaleProviderKey = z.object({
  id: z.string(),
  user_id: z.string(),
  provider: z.string(),
  ciphertext: z.string(),
});

/** A provider key that another master key than the first encrypted. */
export type StaleProviderKey = z.infer<typeof StaleProviderKey>;
