import type { Env } from "./env.ts";
import { Problem, problem } from "./errors.ts";
import { embedLocally, LOCAL_DIMENSIONS } from "./local-embedder.ts";
import { MISTRAL_BASE_URL, OPENAI_BASE_URL, splitModel } from "./models.ts";
import { fullJitter, retryAfterMs, sleep } from "./retry.ts";
import { countTokens } from "./tokens.ts";

/** What embedding takes besides the texts. */
export interface EmbedOptions {
  env: Pick<Env, "MISTRAL_API_KEY" | "MISTRAL_BASE_URL" | "OPENAI_API_KEY" | "OPENAI_BASE_URL">;
  /** Whether the texts are to be found or to find. The vectors are alike, but nobody waits long for a question's. */
  purpose?: "query" | "document";
  signal?: AbortSignal;
  fetch?: typeof fetch;
  /** The global object of the hosted runtime. */
  platform?: Platform;
  /** Milliseconds between tries grow from here. */
  firstDelayMs?: number;
}

/** The dimensions of the models that are known; another one's are whatever its first answer has. */
export const embeddingDimensions: Readonly<Record<string, number>> = {
  local: LOCAL_DIMENSIONS,
  "gte-small": 384,
  "mistral/mistral-embed": 1024,
  "openai/text-embedding-3-small": 1536,
  "openai/text-embedding-3-large": 3072,
};

/**
 * The vectors of texts, as pgvector texts, in order. `local` computes here, `gte-small` on the platform, and
 * `provider/model` asks a vendor. Throws the problems `provider_not_configured`, `provider_failed`, `provider_timeout`.
 */
export async function embed(model: string, texts: string[], options: EmbedOptions): Promise<string[]> {
  if (texts.length === 0) return [];
  if (model === "local") return texts.map(embedLocally);
  const vectors = model === "gte-small"
    ? await embedOnPlatform(texts, options)
    : await embedRemotely(model, texts, options);
  const expected = embeddingDimensions[model] ?? vectors[0]!.length;
  return vectors.map((vector) => toText(vector, expected, model));
}

function toText(vector: number[], dimensions: number, model: string): string {
  if (vector.length !== dimensions || !vector.every(Number.isFinite)) {
    throw problem(
      "provider_failed",
      `Cannot use a vector of ${model}: it must have ${dimensions} finite numbers`,
    );
  }
  // Twice the digits that halfvec keeps, a third of those that JSON has.
  return `[${vector.map((value) => Number(value.toPrecision(6))).join(",")}]`;
}

/** The part of the hosted runtime that embeds. */
export interface Platform {
  Supabase?: { ai: { Session: new (model: string) => PlatformSession } };
}

/** A model of the platform. */
export interface PlatformSession {
  run(text: string, options: object): Promise<number[]>;
}

// Opened once: it loads the model.
const sessions = new WeakMap<Platform, PlatformSession>();

async function embedOnPlatform(texts: string[], options: EmbedOptions): Promise<number[][]> {
  const platform = options.platform ?? globalThis as Platform;
  if (platform.Supabase === undefined) {
    throw problem(
      "provider_not_configured",
      "Cannot embed with gte-small: it exists on the hosted platform only",
    );
  }
  const session = sessions.get(platform) ?? new platform.Supabase.ai.Session("gte-small");
  sessions.set(platform, session);
  const vectors: number[][] = [];
  // One at a time: the platform's model holds one text in memory.
  for (const text of texts) {
    options.signal?.throwIfAborted();
    vectors.push(await session.run(text, { mean_pool: true, normalize: true }));
  }
  return vectors;
}

/** The limits of one call: Mistral's, which are the narrowest, 512 texts and 16,384 tokens. */
const MOST_TEXTS = 512;
// Of Mistral's own, which are up to a third more than those counted here.
const MOST_TOKENS = 12_000;

async function embedRemotely(name: string, texts: string[], options: EmbedOptions): Promise<number[][]> {
  const { provider, modelId } = splitModel(name);
  const { env } = options;
  const servers: Record<string, [key: string | undefined, base: string]> = {
    mistral: [env.MISTRAL_API_KEY, env.MISTRAL_BASE_URL ?? MISTRAL_BASE_URL],
    openai: [env.OPENAI_API_KEY, env.OPENAI_BASE_URL ?? OPENAI_BASE_URL],
  };
  const [key, base] = Object.hasOwn(servers, provider) ? servers[provider]! : [];
  if (key === undefined) {
    throw problem("provider_not_configured", `Cannot embed with ${name}: its provider has no key here`);
  }
  const vectors: number[][] = [];
  for (const batch of batches(texts)) {
    vectors.push(...await askUntilAnswered(`${base}/embeddings`, { key, model: modelId, batch }, options));
  }
  return vectors;
}

/** Texts in groups that one call takes; a text over the limit goes alone, and the vendor decides. */
function* batches(texts: string[]): Generator<string[]> {
  let batch: string[] = [];
  let tokens = 0;
  for (const text of texts) {
    const count = countTokens(text);
    if (batch.length === MOST_TEXTS || (batch.length > 0 && tokens + count > MOST_TOKENS)) {
      yield batch;
      batch = [];
      tokens = 0;
    }
    batch.push(text);
    tokens += count;
  }
  yield batch;
}

interface Call {
  key: string;
  model: string;
  batch: string[];
}

/** How long an answer is waited for: a document is embedded in the background, a visitor waits for a question. */
const patience = {
  document: { tries: 4, timeoutMs: 30_000, longestWaitMs: 20_000 },
  query: { tries: 2, timeoutMs: 8_000, longestWaitMs: 1_000 },
};

/** Asks again after 429, 5xx and broken connections, with full jitter, or after the wait the vendor names. */
async function askUntilAnswered(url: string, call: Call, options: EmbedOptions): Promise<number[][]> {
  const { tries, longestWaitMs } = patience[options.purpose ?? "document"];
  for (let attempt = 1;; attempt++) {
    const answer = await ask(url, call, options);
    if ("vectors" in answer) return answer.vectors;
    options.signal?.throwIfAborted();
    const { failure, waitMs } = answer;
    // To ask before the time the vendor names would only be refused again.
    if (waitMs === null || waitMs > longestWaitMs || attempt === tries) throw failure;
    const jitter = fullJitter(attempt, { firstMs: options.firstDelayMs ?? 500 });
    await sleep(waitMs > 0 ? waitMs : jitter, options.signal);
  }
}

/** `waitMs` is null when asking again is of no use, 0 when the vendor names no wait. */
type CallAnswer = { vectors: number[][] } | { failure: Problem; waitMs: number | null };

async function ask(
  url: string,
  { key, model, batch }: Call,
  { signal, ...options }: EmbedOptions,
): Promise<CallAnswer> {
  const timeout = AbortSignal.timeout(patience[options.purpose ?? "document"].timeoutMs);
  try {
    const response = await (options.fetch ?? fetch)(url, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ model, input: batch, encoding_format: "float" }),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    if (response.ok) return { vectors: readVectors(await response.json(), batch.length) };
    await response.body?.cancel();
    const again = response.status === 429 || response.status >= 500;
    return {
      failure: problem(
        "provider_failed",
        `Cannot embed with ${model}: its provider answered ${response.status}`,
      ),
      waitMs: again ? retryAfterMs(response.headers, new Date()) : null,
    };
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof Problem) return { failure: cause, waitMs: null };
    const code = timeout.aborted ? "provider_timeout" : "provider_failed";
    return {
      failure: problem(code, `Cannot embed with ${model}: its provider did not answer`, { cause }),
      waitMs: 0,
    };
  }
}

function readVectors(body: unknown, count: number): number[][] {
  const data = (body as { data?: { index?: number; embedding?: unknown }[] } | null)?.data;
  if (
    !Array.isArray(data) || data.length !== count || !data.every(({ embedding }) => Array.isArray(embedding))
  ) {
    throw problem(
      "provider_failed",
      `Cannot read the vectors of ${count} texts: the answer has another form`,
    );
  }
  return data.toSorted((a, b) => (a.index ?? 0) - (b.index ?? 0)).map(({ embedding }) =>
    embedding as number[]
  );
}
