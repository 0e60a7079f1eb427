-- Undoes knowledge. Drops for good: every document, its original where it is kept in the database, chunks and
-- postings. Originals in the bucket `documents` stay there: a bucket with files cannot be dropped by SQL.

select private.remove_job('fail_exhausted_documents');
select private.remove_job('ingest_documents');
drop policy "agent_reader reads its agent" on public.agents;
revoke select (id, match_threshold, deleted_at) on public.agents from agent_reader;
drop function
  public.forget_documents,
  public.deleted_files,
  public.delete_document,
  public.retry_document,
  public.document_file,
  public.list_documents,
  public.get_document,
  private.document_status,
  private.fail_exhausted_documents,
  public.finish_work,
  private.fail_document,
  public.claim_work,
  private.claim_documents,
  public.store_chunks,
  private.insert_chunks,
  public.begin_document,
  private.insert_document,
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
drop table private.work_claims, public.agent_knowledge, public.chunk_terms, public.document_chunks, public.document_files, public.documents;
drop function private.count_knowledge;
drop type public.document_match;

do $$
begin
  if to_regclass('storage.buckets') is not null then
    drop policy "parley members read documents" on storage.objects;
    delete from storage.buckets b where b.id = 'documents' and not exists (select from storage.objects o where o.bucket_id = b.id);
  end if;
end $$;
