import type { Env } from "./env.ts";
import { Problem, problem } from "./errors.ts";
import { embedLocally, LOCAL_DIMENSIONS } from "./local-embedder.ts";
import { MISTRAL_BASE_URL, OPENAI_BASE_URL, splitModel } from "./models.ts";
import { countTokens } from "./tokens.ts";

/** What embedding takes besides the texts. */
export interface EmbedOptions {
  env: Pick<Env, "MISTRAL_API_KEY" | "MISTRAL_BASE_URL" | "OPENAI_API_KEY" | "OPENAI_BASE_URL">;
  /** Whether the texts are to be found or to find; the models in use treat both alike. */
  purpose?: "query" | "document";
  signal?: AbortSignal;
  fetch?: typeof fetch;
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
    ? await embedOnPlatform(texts)
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
  return `[${vector.join(",")}]`;
}

/** The part of the hosted runtime that embeds. */
interface Platform {
  Supabase?: {
    ai: { Session: new (model: string) => { run(text: string, options: object): Promise<number[]> } };
  };
}

async function embedOnPlatform(texts: string[]): Promise<number[][]> {
  const platform = (globalThis as Platform).Supabase;
  if (platform === undefined) {
    throw problem(
      "provider_not_configured",
      "Cannot embed with gte-small: it exists on the hosted platform only",
    );
  }
  const session = new platform.ai.Session("gte-small");
  const vectors: number[][] = [];
  // One at a time: the platform's model holds one text in memory.
  for (const text of texts) vectors.push(await session.run(text, { mean_pool: true, normalize: true }));
  return vectors;
}

/** The limits of one call: Mistral's, which are the narrowest. */
const MOST_TEXTS = 512;
const MOST_TOKENS = 16_384;

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

const TRIES = 4;
const CALL_TIMEOUT_MS = 30_000;
const LONGEST_DELAY_MS = 20_000;

/** Asks again after 429, 5xx and broken connections, with full jitter, or after the wait the vendor names. */
async function askUntilAnswered(url: string, call: Call, options: EmbedOptions): Promise<number[][]> {
  for (let attempt = 1;; attempt++) {
    const answer = await ask(url, call, options);
    if ("vectors" in answer) return answer.vectors;
    options.signal?.throwIfAborted();
    const { failure, waitMs } = answer;
    if (waitMs === null || attempt === TRIES) throw failure;
    const jitter = Math.random() * (options.firstDelayMs ?? 500) * 2 ** (attempt - 1);
    await sleep(Math.min(LONGEST_DELAY_MS, waitMs > 0 ? waitMs : jitter), options.signal);
  }
}

/** `waitMs` is null when asking again is of no use, 0 when the vendor names no wait. */
type CallAnswer = { vectors: number[][] } | { failure: Problem; waitMs: number | null };

async function ask(
  url: string,
  { key, model, batch }: Call,
  { signal, ...options }: EmbedOptions,
): Promise<CallAnswer> {
  const timeout = AbortSignal.timeout(CALL_TIMEOUT_MS);
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
      waitMs: again ? retryAfterMs(response.headers) : null,
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

function retryAfterMs(headers: Headers): number {
  const seconds = Number(headers.get("retry-after"));
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
