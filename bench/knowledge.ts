// @ts-types="@types/pg"
import type pg from "pg";
import { blend, noise, random, vectorText, writer } from "./synthetic.ts";

export const dimensions = 1024;
export const embeddingModel = "mistral/mistral-embed";
const chunksPerDocument = 20;
const topicsPerAgent = 50;

/** A question made from a stored chunk: some of its words, and its vector moved by as much noise as it holds itself. */
export interface Probe {
  text: string;
  vector: string;
}

/** What is stored of a chunk. */
interface Chunk {
  content: string;
  vector: Float32Array;
}

/**
 * Made-up knowledge that lies as embeddings of texts do: topics apart from each other, documents within a topic and
 * chunks within a document spread along few directions (32 of 1024), and a little noise over all of them. So near
 * ones differ by degrees, and no chunk is just far from everything.
 */
export function knowledge(seed = 7) {
  const next = random(seed);
  const write = writer(next);
  const directions = Array.from({ length: 32 }, () => noise(next, dimensions));
  const spread = (scale: number) => {
    const share = scale / Math.sqrt(directions.length);
    const along = noise(next, directions.length);
    return blend(directions.map((direction, index) => [share * along[index]!, direction] as const));
  };
  return {
    topics: () => Array.from({ length: topicsPerAgent }, () => noise(next, dimensions)),
    document(topics: readonly Float32Array[]): Chunk[] {
      const topic = topics[Math.floor(next() * topics.length)]!;
      const own = spread(0.8);
      const words = write();
      return Array.from({ length: chunksPerDocument }, () => ({
        content: words(125),
        vector: blend([[1, topic], [1, own], [1, spread(0.6)], [0.3, noise(next, dimensions)]]),
      }));
    },
    probe({ content, vector }: Chunk): Probe {
      const words = content.split(" ");
      return {
        text: Array.from({ length: 12 }, () => words[Math.floor(next() * words.length)]!).join(" "),
        vector: vectorText(blend([[1, vector], [0.3, noise(next, dimensions)]])),
      };
    },
    shuffled<T>(items: T[]): T[] {
      for (let index = items.length - 1; index > 0; index--) {
        const other = Math.floor(next() * (index + 1));
        [items[index], items[other]] = [items[other]!, items[index]!];
      }
      return items;
    },
  };
}

/** Stores a document through the function that the product stores it with. */
export async function store(
  client: pg.Client,
  agentId: string,
  number: number,
  chunks: readonly Chunk[],
): Promise<void> {
  const document = {
    title: `Document ${number}`,
    mime_type: "text/plain",
    content_hash: number.toString(16).padStart(64, "0"),
    size_bytes: 1,
    language: "en",
    chunks: chunkRows(chunks),
  };
  const { rows: [stored] } = await client.query({
    name: "store",
    text: "select public.store_documents($1, $2, $3) -> 0 as answer",
    values: [agentId, embeddingModel, JSON.stringify([document])],
  });
  if (stored.answer.outcome !== "stored") throw new Error(JSON.stringify(stored.answer));
}

/** Chunks as they are stored. */
export function chunkRows(chunks: readonly Chunk[]) {
  let position = 0;
  return chunks.map(({ content, vector }, index) => {
    const start = position;
    position += content.length + 1;
    return {
      content,
      heading: null,
      page: null,
      char_start: start,
      char_end: start + content.length,
      tokens: 160,
      hash: index.toString(16).padStart(64, "0"),
      embedding: vectorText(vector),
    };
  });
}
