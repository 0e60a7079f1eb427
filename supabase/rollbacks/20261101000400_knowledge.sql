-- Undoes knowledge. Drops for good: every document, its original where it is kept in the database, chunks and
-- postings. Originals in the bucket `documents` stay there: a bucket with files cannot be dropped by SQL.

select private.remove_job('fail_exhausted_documents');
select private.remove_job('remove_outdated_vectors');
select private.remove_job('ingest_documents');
drop policy "agent_reader reads its agent" on public.agents;
revoke select (id, match_threshold, deleted_at) on public.agents from agent_reader;
drop trigger agents_want_model on public.agents;
drop function
  public.forget_documents,
  public.deleted_files,
  public.delete_document,
  public.retry_document,
  public.document_file,
  public.list_documents,
  public.get_document,
  private.document_status,
  private.remove_outdated_vectors,
  public.switch_model,
  public.store_vectors,
  private.insert_vectors,
  public.chunks_to_embed,
  private.chunks_without_vector,
  private.want_model,
  private.fail_exhausted_documents,
  public.finish_work,
  private.finish_embeddings,
  private.finish_document,
  private.attempt_wait,
  private.fail_document,
  public.claim_work,
  private.claim_embeddings,
  private.claim_documents,
  public.store_chunks,
  private.insert_chunks,
  public.store_documents,
  private.plan_document,
  private.take_upload,
  private.insert_document,
  private.use_model,
  private.active_model,
  private.outdated_documents,
  private.hold_uploads,
  private.document_quota,
  private.reusable_hashes,
  private.remove_document,
  public.storage_mode,
  public.match_documents,
  private.find_chunks,
  private.fuse,
  private.vector_weight,
  private.similarity_threshold,
  private.match_vectors,
  private.match_words,
  private.index_terms,
  private.question_lexemes,
  private.plain_text,
  private.fold,
  private.text_config;
drop table private.work_claims, public.embedding_sets, public.agent_knowledge, public.chunk_terms, public.document_chunks, public.document_files, public.documents;
drop function private.count_knowledge, private.remove_terms;
drop type public.document_match, private.upload;

do $$
begin
  if to_regclass('storage.buckets') is not null then
    drop policy "parley members read documents" on storage.objects;
    delete from storage.buckets b where b.id = 'documents' and not exists (select from storage.objects o where o.bucket_id = b.id);
  end if;
end $$;
