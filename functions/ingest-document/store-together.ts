import { Problem } from "../../shared/errors.ts";
import type { KeptDocument } from "../../shared/results.ts";
import type { NewDocument, Rpc } from "../../shared/rpc.ts";
import { leaseSeconds } from "./round.ts";

/** Where documents go, and the model of their vectors. */
interface Target {
  agentId: string;
  embeddingModel: string;
}

interface Waiting {
  document: NewDocument;
  resolve(kept: KeptDocument): void;
  reject(error: unknown): void;
}

// What goes in one call, so that it is a matter of a second.
const MOST_DOCUMENTS = 100, MOST_CHUNKS = 400, MOST_BYTES = 4 * 1024 * 1024;

const queues = new WeakMap<Rpc, Map<string, Waiting[]>>();

/**
 * Keeps a document. Uploads for one agent wait for each other in the database anyway; those that come while one is being
 * kept go together in the next call, which takes hardly longer for many than for one.
 */
export function storeTogether(document: NewDocument, target: Target, rpc: Rpc): Promise<KeptDocument> {
  const { promise, resolve, reject } = Promise.withResolvers<KeptDocument>();
  const byTarget = queues.get(rpc) ?? new Map<string, Waiting[]>();
  queues.set(rpc, byTarget);
  const name = `${target.agentId} ${target.embeddingModel}`;
  const queue = byTarget.get(name);
  if (queue) queue.push({ document, resolve, reject });
  else {
    const mine: Waiting[] = [{ document, resolve, reject }];
    byTarget.set(name, mine);
    void drain(mine, target, rpc, () => byTarget.delete(name));
  }
  return promise;
}

async function drain(queue: Waiting[], target: Target, rpc: Rpc, end: () => void): Promise<void> {
  while (queue.length > 0) await store(queue.splice(0, fitting(queue)), target, rpc);
  // At once, or one that comes now would join a queue that nobody looks at any more.
  end();
}

/** How many of those that wait fit into one call; at least the first. */
function fitting(queue: readonly Waiting[]): number {
  let chunks = 0, bytes = 0;
  const end = queue.findIndex(({ document }, index) => {
    chunks += document.chunks?.length ?? 0;
    bytes += document.size_bytes;
    return index > 0 && (index === MOST_DOCUMENTS || chunks > MOST_CHUNKS || bytes > MOST_BYTES);
  });
  return end < 0 ? queue.length : end;
}

async function store(batch: readonly Waiting[], target: Target, rpc: Rpc): Promise<void> {
  try {
    const documents = batch.map(({ document }) => document);
    const kept = await rpc.storeDocuments({ ...target, documents, leaseSeconds });
    batch.forEach(({ resolve }, index) => resolve(kept[index]!));
  } catch (error) {
    const isOutage = error instanceof Problem && error.status >= 500;
    if (batch.length === 1 || isOutage) batch.forEach(({ reject }) => reject(error));
    // One that the database refuses must not take the others with it.
    else for (const one of batch) await store([one], target, rpc);
  }
}
