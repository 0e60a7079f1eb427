import { SupabaseVectorStore } from "@langchain/community/vectorstores/supabase";
import { Embeddings } from "@langchain/core/embeddings";
import type { SupabaseClient } from "@supabase/supabase-js";

/** The table of LangChain's guide for Supabase, without an index on the vectors. */
export function langchainTable(dimensions: number): string {
  return `
    create table public.langchain_documents (
      id bigserial primary key, content text, metadata jsonb, embedding extensions.vector(${dimensions})
    );
    grant all on public.langchain_documents to service_role;
    grant usage on sequence public.langchain_documents_id_seq to service_role;`;
}

/** LangChain's vector store over the REST endpoint of `client`. */
export function openLangchainStore(client: SupabaseClient): SupabaseVectorStore {
  return new SupabaseVectorStore(new Precomputed({}), { client, tableName: "langchain_documents" });
}

/** The vectors are computed before the race; asking for one in it would be a mistake of the bench. */
class Precomputed extends Embeddings {
  override embedDocuments(): Promise<number[][]> {
    return Promise.reject(new Error("Embeddings are precomputed"));
  }
  override embedQuery(): Promise<number[]> {
    return Promise.reject(new Error("Embeddings are precomputed"));
  }
}
