-- Knowledge: documents, their chunks with vectors, and the postings of the lexical side.
-- Reads for a key holder go through agent_reader, which sees the rows of one agent only, whatever the query says.

-- Tables ------------------------------------------------------------------------------------------------------------

create table public.documents (
  id uuid primary key default gen_random_uuid(),
  agent_id uuid not null references public.agents (id) on delete cascade,
  title text not null,
  source text,
  mime_type text not null,
  category text,
  language text,
  metadata jsonb not null default '{}',
  content_hash text not null,
  size_bytes bigint not null,
  file_path text,
  status text not null default 'queued',
  progress real not null default 0,
  chunk_count integer not null default 0,
  token_count bigint not null default 0,
  state jsonb not null default '{}',
  replaces uuid,
  lease uuid,
  leased_until timestamptz,
  attempts smallint not null default 0,
  next_attempt_at timestamptz not null default now(),
  error_code text,
  error_message text,
  api_key_id uuid references public.api_keys (id) on delete set null,
  created_by uuid,
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint documents_title_is_1_to_500_characters check (char_length(title) between 1 and 500),
  constraint documents_source_is_at_most_2000_characters check (char_length(source) between 1 and 2000),
  constraint documents_category_is_1_to_100_characters check (char_length(category) between 1 and 100),
  constraint documents_language_is_a_code check (language ~ '^[a-z]{2,3}$'),
  -- 16 KiB as the API counts them; the text form of jsonb has up to half as many blanks besides.
  constraint documents_metadata_is_a_small_object check (jsonb_typeof(metadata) = 'object' and octet_length(metadata::text) <= 24576),
  constraint documents_state_is_an_object check (jsonb_typeof(state) = 'object'),
  constraint documents_content_hash_is_sha256 check (content_hash ~ '^[0-9a-f]{64}$'),
  constraint documents_size_is_not_negative check (size_bytes >= 0),
  constraint documents_status_is_known check (status in ('queued', 'processing', 'ready', 'failed')),
  constraint documents_progress_is_a_share check (progress between 0 and 1),
  constraint documents_chunk_count_is_not_negative check (chunk_count >= 0),
  constraint documents_token_count_is_not_negative check (token_count >= 0),
  constraint documents_attempts_is_not_negative check (attempts >= 0),
  constraint documents_failed_has_a_reason check ((status = 'failed') = (error_code is not null)),
  constraint documents_lease_has_an_end check ((lease is null) = (leased_until is null))
);
comment on table public.documents is
  'One uploaded document of an agent: where it comes from, how far its ingestion is, and under which lease. Members read, the functions write.';
comment on column public.documents.state is
  'Where the ingestion continues: a page, an offset, the overlap; written with each batch of chunks.';
comment on column public.documents.replaces is
  'The document of the same source that disappears when this one becomes ready. Without a foreign key: it may be deleted meanwhile, and the key would lock this row for that.';
comment on column public.documents.file_path is 'Path in the bucket `documents`; null when the original is in document_files.';
-- Two uploads of the same content at once: the second waits for the first and then finds it.
create unique index documents_agent_content_source on public.documents (agent_id, content_hash, coalesce(source, ''))
  where deleted_at is null and status <> 'failed';
create index documents_agent_created on public.documents (agent_id, created_at, id) where deleted_at is null;
create index documents_agent_source on public.documents (agent_id, source) where deleted_at is null and source is not null;
create index documents_unready on public.documents (agent_id) where status <> 'ready';
create index documents_due on public.documents (next_attempt_at) where status in ('queued', 'processing') and deleted_at is null;
create index documents_deleted on public.documents (deleted_at) where deleted_at is not null;
create index documents_agent_id on public.documents (agent_id);
create index documents_api_key_id on public.documents (api_key_id);
create trigger documents_updated_at before update on public.documents for each row execute function public.update_updated_at_column();

create table public.document_files (
  document_id uuid primary key references public.documents (id) on delete cascade,
  content bytea not null,
  created_at timestamptz not null default now()
);
comment on table public.document_files is
  'The original of a document where the project has no Storage; otherwise it is in the bucket `documents`.';
-- Originals are compressed formats or short: compressing them again costs CPU and gains little.
alter table public.document_files alter column content set storage external;

create table public.document_chunks (
  id bigint generated always as identity primary key,
  agent_id uuid not null references public.agents (id) on delete cascade,
  document_id uuid not null references public.documents (id) on delete cascade,
  chunk_index integer not null,
  content text not null,
  heading text,
  page integer,
  char_start integer not null,
  char_end integer not null,
  tokens integer not null,
  hash text not null,
  embedding_model text not null,
  embedding extensions.halfvec not null,
  bits bit varying generated always as (extensions.binary_quantize(embedding)) stored,
  created_at timestamptz not null default now(),
  constraint document_chunks_one_per_index_and_model unique (document_id, chunk_index, embedding_model),
  constraint document_chunks_index_fits_a_posting check (chunk_index between 0 and 524287),
  constraint document_chunks_content_is_not_empty check (content <> ''),
  constraint document_chunks_offsets_are_ordered check (0 <= char_start and char_start < char_end),
  constraint document_chunks_page_is_positive check (page > 0),
  constraint document_chunks_tokens_are_positive check (tokens > 0)
);
comment on table public.document_chunks is
  'A passage of a document with its place in it and its vector; `embedding_model` says which model made the vector, and a query never meets a vector of another. While an agent changes its model, a passage stands here once for each.';
comment on column public.document_chunks.bits is
  'Signs of the embedding, for the pre-filter by Hamming distance; read from the index alone.';
-- In the row itself, not in TOAST: an exact scan reads it three times faster.
alter table public.document_chunks alter column embedding set storage plain;
-- The pre-filter is read index-only, which needs the visibility map: vacuum soon after inserts.
alter table public.document_chunks set (autovacuum_vacuum_insert_scale_factor = 0.02);
create index document_chunks_bits on public.document_chunks (agent_id, embedding_model) include (id, bits, document_id);

create table public.chunk_terms (
  agent_id uuid not null,
  lexeme text collate "C" not null,
  document_id uuid not null,
  batch integer not null,
  postings integer[] not null,
  constraint chunk_terms_pkey primary key (agent_id, lexeme, document_id, batch) include (postings),
  constraint chunk_terms_postings_are_not_empty check (cardinality(postings) > 0)
);
comment on table public.chunk_terms is
  'Postings of the lexical search: for one lexeme and one batch of a document, each element is chunk_index * 4096 + round(BM25 weight * 1800). Read from the key alone. Without a foreign key, which would cost a third of a small document''s ingestion: it is written under the document''s lock, and a trigger removes it with the document.';
create index chunk_terms_document on public.chunk_terms (document_id);
alter table public.chunk_terms set (autovacuum_vacuum_insert_scale_factor = 0.02);

create table private.work_claims (
  owner_id uuid not null references public.users (id) on delete cascade,
  kind text not null,
  claimed_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint work_claims_pkey primary key (owner_id, kind),
  constraint work_claims_kind_is_known check (kind in ('documents', 'embeddings'))
);
comment on table private.work_claims is 'When work of an owner was last claimed: the one who waited longest is next.';
create trigger work_claims_updated_at before update on private.work_claims for each row execute function public.update_updated_at_column();

create table public.agent_knowledge (
  agent_id uuid primary key references public.agents (id) on delete cascade,
  chunks bigint not null default 0,
  languages text[] not null default '{}',
  embedding_model text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint agent_knowledge_chunks_are_not_negative check (chunks >= 0)
);
comment on table public.agent_knowledge is
  'What an agent can search: the number of chunks of its ready documents, and their languages. Kept by a trigger on documents.';
comment on column public.agent_knowledge.embedding_model is
  'The model whose vectors answer: every chunk has one of it. `agents.embedding_model` is the one that is wanted, which takes over when its set is complete.';
create trigger agent_knowledge_updated_at before update on public.agent_knowledge
  for each row execute function public.update_updated_at_column();

create table public.embedding_sets (
  id uuid primary key default gen_random_uuid(),
  agent_id uuid not null references public.agents (id) on delete cascade,
  embedding_model text not null,
  status text not null default 'building',
  chunks bigint not null default 0,
  reached bigint not null default 0,
  lease uuid,
  leased_until timestamptz,
  attempts smallint not null default 0,
  next_attempt_at timestamptz not null default now(),
  error_code text,
  error_message text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint embedding_sets_one_per_model unique (agent_id, embedding_model),
  constraint embedding_sets_status_is_known check (status in ('building', 'outdated')),
  constraint embedding_sets_chunks_are_not_negative check (chunks >= 0),
  constraint embedding_sets_attempts_are_not_negative check (attempts >= 0),
  constraint embedding_sets_error_has_a_message check ((error_code is null) = (error_message is null)),
  constraint embedding_sets_lease_has_an_end check ((lease is null) = (leased_until is null))
);
comment on table public.embedding_sets is
  'The vectors of an agent beside those that answer: being built for the model it changes to, or outdated and being removed. Members read, the functions write.';
comment on column public.embedding_sets.chunks is 'How many vectors were made for it.';
comment on column public.embedding_sets.reached is 'The last chunk that was looked at; the switch looks at all of them once more.';
create unique index embedding_sets_one_is_built on public.embedding_sets (agent_id) where status = 'building';
create index embedding_sets_due on public.embedding_sets (status, next_attempt_at);
create trigger embedding_sets_updated_at before update on public.embedding_sets
  for each row execute function public.update_updated_at_column();

-- Rights ------------------------------------------------------------------------------------------------------------

alter table public.documents enable row level security;
alter table public.document_files enable row level security;
alter table public.document_chunks enable row level security;
alter table public.chunk_terms enable row level security;
alter table public.agent_knowledge enable row level security;
alter table public.embedding_sets enable row level security;
alter table private.work_claims enable row level security;

-- An older hosted project gives every new table to every role.
revoke all on public.documents, public.document_files, public.document_chunks, public.chunk_terms, public.agent_knowledge,
  public.embedding_sets, private.work_claims from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.documents, public.document_files, public.document_chunks, public.chunk_terms,
  public.agent_knowledge, public.embedding_sets, private.work_claims to service_role;
grant select (id, agent_id, title, source, mime_type, category, language, metadata, size_bytes, status, progress, chunk_count,
    token_count, error_code, error_message, api_key_id, created_by, created_at, updated_at)
  on public.documents to authenticated;
grant select (id, agent_id, document_id, chunk_index, content, heading, page, char_start, char_end, tokens, embedding_model,
  created_at) on public.document_chunks to authenticated;
grant select on public.agent_knowledge to authenticated;
grant select (id, agent_id, embedding_model, status, chunks, error_code, error_message, next_attempt_at, created_at, updated_at)
  on public.embedding_sets to authenticated;
grant select on public.documents, public.document_chunks, public.chunk_terms, public.agent_knowledge to agent_reader;
grant select (id, match_threshold, deleted_at) on public.agents to agent_reader;

create policy "members read documents" on public.documents for select to authenticated
  using (deleted_at is null and agent_id = any (array(select private.visible_agents('viewer'))));
create policy "members read chunks" on public.document_chunks for select to authenticated
  using (agent_id = any (array(select private.visible_agents('viewer'))));
create policy "members read what is searchable" on public.agent_knowledge for select to authenticated
  using (agent_id = any (array(select private.visible_agents('viewer'))));
create policy "members read embedding sets" on public.embedding_sets for select to authenticated
  using (agent_id = any (array(select private.visible_agents('viewer'))));
create policy nobody on public.document_files as restrictive for all to anon, authenticated using (false);
create policy nobody on public.chunk_terms as restrictive for all to anon, authenticated using (false);
create policy nobody on private.work_claims as restrictive for all to anon, authenticated using (false);

create policy "agent_reader reads its agent" on public.agents for select to agent_reader
  using (id = (select private.current_agent()) and deleted_at is null);
create policy "agent_reader reads documents" on public.documents for select to agent_reader
  using (agent_id = (select private.current_agent()));
create policy "agent_reader reads chunks" on public.document_chunks for select to agent_reader
  using (agent_id = (select private.current_agent()));
create policy "agent_reader reads postings" on public.chunk_terms for select to agent_reader
  using (agent_id = (select private.current_agent()));
create policy "agent_reader reads what is searchable" on public.agent_knowledge for select to agent_reader
  using (agent_id = (select private.current_agent()));

-- What is searchable ------------------------------------------------------------------------------------------------

create function private.count_knowledge() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  before bigint := case when tg_op <> 'INSERT' and old.status = 'ready' and old.deleted_at is null then old.chunk_count else 0 end;
  after bigint := case when tg_op <> 'DELETE' and new.status = 'ready' and new.deleted_at is null then new.chunk_count else 0 end;
begin
  if before <> after and tg_op = 'DELETE' then
    -- Nothing to count when the row goes with its agent.
    update public.agent_knowledge k set chunks = k.chunks - before where k.agent_id = old.agent_id;
  elsif before <> after then
    update public.agent_knowledge k set chunks = k.chunks + after - before,
        languages = case when new.language is null or new.language = any (k.languages) then k.languages else k.languages || new.language end
      where k.agent_id = new.agent_id;
  end if;
  return null;
end $$;
comment on function private.count_knowledge is
  'Keeps agent_knowledge equal to the sum over the ready documents; its row was made with the first of them, by use_model.';
revoke execute on function private.count_knowledge from public, anon, authenticated;
create trigger documents_count_knowledge after insert or delete or update of status, chunk_count, deleted_at on public.documents
  for each row execute function private.count_knowledge();

create function private.remove_terms() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  delete from public.chunk_terms t where t.document_id = any (array(select id from gone));
  return null;
end $$;
comment on function private.remove_terms is 'Trigger function: postings go with their document, also when it goes with its agent.';
revoke execute on function private.remove_terms from public, anon, authenticated;
create trigger documents_remove_terms after delete on public.documents referencing old table as gone
  for each statement execute function private.remove_terms();

-- Words -------------------------------------------------------------------------------------------------------------

create function private.text_config(language text) returns regconfig
language sql immutable security invoker set search_path = ''
as $$
  select (case text_config.language
    when 'fr' then 'pg_catalog.french' when 'en' then 'pg_catalog.english' when 'de' then 'pg_catalog.german'
    when 'es' then 'pg_catalog.spanish' when 'it' then 'pg_catalog.italian' when 'pt' then 'pg_catalog.portuguese'
    when 'nl' then 'pg_catalog.dutch' when 'da' then 'pg_catalog.danish' when 'sv' then 'pg_catalog.swedish'
    when 'no' then 'pg_catalog.norwegian' when 'fi' then 'pg_catalog.finnish' when 'hu' then 'pg_catalog.hungarian'
    when 'ro' then 'pg_catalog.romanian' when 'ru' then 'pg_catalog.russian' when 'tr' then 'pg_catalog.turkish'
    else 'pg_catalog.simple' end)::regconfig
$$;
comment on function private.text_config is
  'The stemmer and stop words of a language code; `simple` for a language PostgreSQL has none for.';
revoke execute on function private.text_config from public, anon, authenticated;
grant execute on function private.text_config to service_role, agent_reader;

create function private.fold(word text) returns text
language plpgsql immutable strict parallel safe security invoker set search_path = ''
as $$
begin
  -- At most 200 characters: with its postings a lexeme must fit in a row of the index.
  return left(replace(replace(replace(translate(word, 'àáâãäåçèéêëìíîïñòóôõöùúûüýÿ', 'aaaaaaceeeeiiiinooooouuuuyy'),
    'œ', 'oe'), 'æ', 'ae'), 'ß', 'ss'), 200);
end $$;
comment on function private.fold is
  'A stem without accents, so that "resilie" finds "résilié". Stems are folded, not words: the stemmers need the accents.';
revoke execute on function private.fold from public, anon, authenticated;
grant execute on function private.fold to service_role, agent_reader;

create function private.plain_text(content text) returns text
language sql immutable strict parallel safe security invoker set search_path = ''
as $$
  -- One code point per accented letter (texts out of PDFs have two, and the parser ends a word between them), and one
  -- kind of apostrophe, at which French elisions end.
  select translate(normalize(content, nfc), '’‘ʼ', '''''''')
$$;
comment on function private.plain_text is 'A text as the word parser needs it.';
revoke execute on function private.plain_text from public, anon, authenticated;
grant execute on function private.plain_text to service_role, agent_reader;

create function private.question_lexemes(question text, languages text[]) returns text[]
language sql stable security invoker set search_path = ''
as $$
  select coalesce(array_agg(distinct private.fold(lexeme)), '{}')
  from unnest(languages) as language, unnest(tsvector_to_array(to_tsvector(private.text_config(language), private.plain_text(question)))) as lexeme
$$;
comment on function private.question_lexemes is 'The lexemes to look up for a question: the union over the languages of what is searched.';
revoke execute on function private.question_lexemes from public, anon, authenticated;
grant execute on function private.question_lexemes to service_role, agent_reader;

-- Weight of a term in a chunk: the saturation part of BM25 with k1 = 1.2, b = 0.75 and an average length of 80
-- lexemes, fixed so that a stored weight never changes (Robertson and Zaragoza, "The Probabilistic Relevance
-- Framework: BM25 and Beyond", 2009).
create function private.index_terms(document_ids uuid[], first_index integer) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  insert into public.chunk_terms (agent_id, lexeme, document_id, batch, postings)
  select w.agent_id, w.lexeme, w.document_id, index_terms.first_index,
    array_agg(w.chunk_index * 4096 + round(1800 * w.tf * 2.2 / (w.tf + 1.2 * (0.25 + 0.75 * w.dl / 80)))::integer order by w.chunk_index)
  from (
    select c.agent_id, c.document_id, c.chunk_index, t.lexeme, sum(t.positions)::float8 as tf,
      sum(sum(t.positions)) over (partition by c.document_id, c.chunk_index)::float8 as dl
    from public.document_chunks c join public.documents d on d.id = c.document_id,
      lateral (
        -- What is plain already, which most of it is, needs no call.
        select case when octet_length(l.lexeme) = char_length(l.lexeme) then left(l.lexeme, 200) else private.fold(l.lexeme) end as lexeme,
          cardinality(l.positions) as positions
        from unnest(to_tsvector(private.text_config(d.language), private.plain_text(concat_ws(E'\n', c.heading, c.content)))) as l
      ) t
    where c.document_id = any (document_ids) and c.chunk_index >= index_terms.first_index
    group by c.agent_id, c.document_id, c.chunk_index, t.lexeme
  ) w
  group by w.agent_id, w.lexeme, w.document_id
  order by w.agent_id, w.lexeme, w.document_id;
end $$;
comment on function private.index_terms is
  'Writes the postings of documents'' chunks from `first_index` on, which have one vector each so far.';
revoke execute on function private.index_terms from public, anon, authenticated;
grant execute on function private.index_terms to service_role;

-- Search ------------------------------------------------------------------------------------------------------------

create function private.match_words(agent_id uuid, lexemes text[], chunk_total bigint, only_documents uuid[], without_documents uuid[],
  row_count integer)
returns table (document_id uuid, chunk_index integer, score float8)
language plpgsql stable security invoker set search_path = '' set plan_cache_mode = force_custom_plan set jit = off
as $$
begin
  return query
  with hits as materialized (
    select t.lexeme, t.document_id, t.postings from public.chunk_terms t
    where t.agent_id = match_words.agent_id and t.lexeme = any (match_words.lexemes)
      and (only_documents is null or t.document_id = any (only_documents))
      and (without_documents is null or t.document_id <> all (without_documents))
  ),
  -- Rare terms weigh more; the document frequency is the agent's own.
  rarity as (
    select h.lexeme, ln(1 + (greatest(chunk_total,
      sum(cardinality(h.postings))) - sum(cardinality(h.postings)) + 0.5) / (sum(cardinality(h.postings)) + 0.5))::float8 / 1800 as idf
    from hits h group by h.lexeme
  )
  select h.document_id, p.posting >> 12, sum((p.posting & 4095) * r.idf) as total
  from hits h join rarity r using (lexeme), unnest(h.postings) as p (posting)
  group by h.document_id, p.posting >> 12
  order by total desc, h.document_id, p.posting >> 12
  limit row_count;
end $$;
comment on function private.match_words is 'The chunks that share lexemes with a question, best BM25 first; `score` is not bounded.';
revoke execute on function private.match_words from public, anon, authenticated;
grant execute on function private.match_words to agent_reader;

create function private.match_vectors(agent_id uuid, query extensions.halfvec, embedding_model text, chunk_total bigint,
  only_documents uuid[], without_documents uuid[], row_count integer)
returns table (document_id uuid, chunk_index integer, similarity float8)
language plpgsql stable security invoker set search_path = '' set plan_cache_mode = force_custom_plan set jit = off
  set enable_seqscan = off set enable_bitmapscan = off
as $$
declare
  signs bit varying := extensions.binary_quantize(query);
  -- Few bits say little about the angle: the fewer dimensions, the more candidates are ranked exactly.
  candidates integer := greatest(2 * row_count, 100, 102400 / extensions.vector_dims(query));
begin
  if chunk_total <= candidates then
    return query
    select c.document_id, c.chunk_index, 1 - (c.embedding operator(extensions.<=>) query)
    from public.document_chunks c
    where c.agent_id = match_vectors.agent_id and c.embedding_model = match_vectors.embedding_model
      and (only_documents is null or c.document_id = any (only_documents))
      and (without_documents is null or c.document_id <> all (without_documents))
    order by c.embedding operator(extensions.<=>) query
    limit row_count;
    return;
  end if;
  return query
  with near as materialized (
    select c.id from public.document_chunks c
    where c.agent_id = match_vectors.agent_id and c.embedding_model = match_vectors.embedding_model
      and (only_documents is null or c.document_id = any (only_documents))
      and (without_documents is null or c.document_id <> all (without_documents))
    order by c.bits operator(extensions.<~>) signs
    limit candidates
  )
  select c.document_id, c.chunk_index, 1 - (c.embedding operator(extensions.<=>) query)
  from near join public.document_chunks c on c.id = near.id
  order by c.embedding operator(extensions.<=>) query
  limit row_count;
end $$;
comment on function private.match_vectors is
  'The chunks nearest to a vector: candidates by Hamming distance of the signs, index-only, then by exact cosine.';
revoke execute on function private.match_vectors from public, anon, authenticated;
grant execute on function private.match_vectors to agent_reader;

create function private.similarity_threshold(embedding_model text, dimensions integer) returns float8
language sql immutable security invoker set search_path = ''
as $$
  select case when embedding_model = 'local' then 0.20 when dimensions <= 384 then 0.70 else 0.65 end::float8
$$;
comment on function private.similarity_threshold is
  'The similarity under which a row found by vector alone is dropped, for an agent that names none. The value of `local` is measured.';
revoke execute on function private.similarity_threshold from public, anon, authenticated;
grant execute on function private.similarity_threshold to agent_reader;

create function private.vector_weight(embedding_model text) returns float8
language sql immutable security invoker set search_path = ''
as $$
  -- `local` knows spelling, not meaning: a quarter of the weight of the words helps where these are misspelt and costs
  -- nothing where they are not. A model of meaning: its similarities of good and bad rows differ by a tenth or two, so
  -- twice the weight makes them equal to the words.
  select case when embedding_model = 'local' then 0.25 else 2 end::float8
$$;
comment on function private.vector_weight is
  'What a similarity of 1 counts in the fused score, in which the best row found by words has 1 for them.';
revoke execute on function private.vector_weight from public, anon, authenticated;
grant execute on function private.vector_weight to agent_reader;

create function private.fuse(agent_id uuid, query text, query_embedding extensions.halfvec, embedding_model text, match_threshold float8,
  only_documents uuid[], without_documents uuid[], languages text[], chunk_total bigint, row_count integer)
returns table (document_id uuid, chunk_index integer, similarity float8, score float8)
language sql stable security invoker set search_path = ''
as $$
  -- A sum of scores: over ranks it keeps by how much a row leads (Bruch, Gai and Ingber, "An Analysis of Fusion
  -- Functions for Hybrid Retrieval", 2023). A row that only the words found is at most as near as the last of the vectors.
  with words as materialized (
    select w.document_id, w.chunk_index, w.score / nullif(max(w.score) over (), 0) as share
    from private.match_words(agent_id, private.question_lexemes(query, languages), chunk_total, only_documents,
      without_documents, greatest(50, row_count)) w
  ),
  vectors as materialized (
    select v.document_id, v.chunk_index, v.similarity
    from private.match_vectors(agent_id, query_embedding, embedding_model, chunk_total, only_documents, without_documents, greatest(50, row_count)) v
    -- A vector of zeros, on either side, has no angle.
    where query_embedding is not null and v.similarity <> 'NaN'
  )
  select coalesce(w.document_id, v.document_id), coalesce(w.chunk_index, v.chunk_index), v.similarity,
    coalesce(w.share, 0) + private.vector_weight(embedding_model) * coalesce(v.similarity, last.similarity, 0) as score
  from words w full join vectors v on v.document_id = w.document_id and v.chunk_index = w.chunk_index,
    (select min(similarity) as similarity from vectors) last
  where w.document_id is not null or v.similarity >= match_threshold
  order by score desc, v.similarity desc nulls last, 1, 2
  limit row_count
$$;
comment on function private.fuse is
  'The best chunks of both lists. The threshold drops rows found by vector alone; one found by words stays.';
revoke execute on function private.fuse from public, anon, authenticated;
grant execute on function private.fuse to agent_reader;

create type public.document_match as (id bigint, document_id uuid, content text, source text, category text, language text,
  chunk_index integer, similarity float8, title text, heading text, page integer, char_start integer, char_end integer, score float8);
comment on type public.document_match is 'A chunk that fits a question, with its place in its document.';

-- Stable, so that all of it reads one state of the table: of two versions of a document it finds exactly one.
create function private.find_chunks(agent_id uuid, query text, vector extensions.halfvec, match_count integer, match_threshold float8,
  category text, language text, embedding_model text) returns setof public.document_match
language plpgsql stable security invoker set search_path = ''
as $$
declare
  known record;
  only_documents uuid[];
  without_documents uuid[];
begin
  select k.chunks, k.languages, k.embedding_model, a.match_threshold into known
    from public.agents a join public.agent_knowledge k on k.agent_id = a.id where a.id = find_chunks.agent_id;
  if not found or known.chunks = 0 then
    return;
  end if;
  if find_chunks.category is not null or find_chunks.language is not null then
    only_documents := array(select d.id from public.documents d
      where d.agent_id = find_chunks.agent_id and d.status = 'ready' and d.deleted_at is null
        and (find_chunks.category is null or d.category = find_chunks.category)
        and (find_chunks.language is null or d.language = find_chunks.language));
  end if;
  without_documents := nullif(array(select d.id from public.documents d where d.agent_id = find_chunks.agent_id and d.status <> 'ready'), '{}');
  return query
  select c.id, c.document_id, c.content, d.source, d.category, d.language, c.chunk_index, f.similarity, d.title, c.heading, c.page, c.char_start,
    c.char_end, f.score
  from private.fuse(find_chunks.agent_id, find_chunks.query, vector, find_chunks.embedding_model,
    coalesce(find_chunks.match_threshold, known.match_threshold, private.similarity_threshold(find_chunks.embedding_model,
      extensions.vector_dims(vector))),
    only_documents, without_documents, case when find_chunks.language is null then known.languages else array[find_chunks.language] end,
    known.chunks, find_chunks.match_count) f
  join public.document_chunks c on c.document_id = f.document_id and c.chunk_index = f.chunk_index and c.embedding_model = known.embedding_model
  join public.documents d on d.id = f.document_id
  order by f.score desc, f.similarity desc nulls last, c.id;
end $$;
comment on function private.find_chunks is 'The work of match_documents, for the agent of the transaction.';
revoke execute on function private.find_chunks from public, anon, authenticated;
grant execute on function private.find_chunks to agent_reader;

create function public.match_documents(agent_id uuid, query text, query_embedding text default null, match_count integer default 5,
  match_threshold float8 default null, category text default null, language text default null, embedding_model text default null)
returns setof public.document_match
language plpgsql volatile security definer set search_path = ''
as $$
declare
  vector extensions.halfvec := match_documents.query_embedding::extensions.halfvec;
begin
  if match_documents.agent_id is null or match_documents.query is null or coalesce(match_documents.match_count, 0) not between 1 and 200
    or (vector is not null and match_documents.embedding_model is null) then
    raise exception 'validation_failed' using errcode = 'PT422',
      detail = 'agent_id and query are needed, match_count is 1 to 200, and an embedding needs its embedding_model.';
  end if;
  perform set_config('app.agent_id', match_documents.agent_id::text, true);
  return query
  select * from private.find_chunks(match_documents.agent_id, match_documents.query, vector, match_documents.match_count,
    match_documents.match_threshold, match_documents.category, match_documents.language, match_documents.embedding_model);
  perform set_config('app.agent_id', '', true);
end $$;
comment on function public.match_documents is
  'The `match_count` best chunks of an agent for a question, by words and, with an embedding of the named model, by vector. `similarity` is 1 - cosine distance, null for a row found by words alone.';
revoke execute on function public.match_documents from public, anon, authenticated;
grant execute on function public.match_documents to service_role;
-- Owned by the reader, so that it runs under the reader's policies. The owner comes last: after it, this role may not
-- change the function's rights any more.
grant create on schema public to agent_reader;
alter function public.match_documents owner to agent_reader;
revoke create on schema public from agent_reader;

-- Ingestion ---------------------------------------------------------------------------------------------------------

create function public.storage_mode() returns text
language sql stable security invoker set search_path = ''
as $$
  select case when to_regclass('storage.buckets') is null then 'table' else 'bucket' end
$$;
comment on function public.storage_mode is
  'Where originals are kept: in the bucket `documents`, or in document_files where the project has no Storage.';
revoke execute on function public.storage_mode from public, anon, authenticated;
grant execute on function public.storage_mode to service_role;

create function private.remove_document(document_id uuid, as_of timestamptz default now()) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  -- The document before what belongs to it, like everybody who works on one: else two could wait for each other.
  perform 1 from public.documents d where d.id = remove_document.document_id for update;
  delete from public.chunk_terms t where t.document_id = remove_document.document_id;
  delete from public.document_chunks c where c.document_id = remove_document.document_id;
  delete from public.documents d where d.id = remove_document.document_id and d.file_path is null;
  -- An original in the bucket is removed by the function; until it says so the row remembers the path.
  update public.documents d set deleted_at = as_of, lease = null, leased_until = null, chunk_count = 0
    where d.id = remove_document.document_id and d.deleted_at is null;
end $$;
comment on function private.remove_document is 'Removes a document: nothing of it can be found or quoted after the transaction.';
revoke execute on function private.remove_document from public, anon, authenticated;
grant execute on function private.remove_document to service_role;

create function private.reusable_hashes(document_id uuid) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select coalesce(jsonb_agg(distinct c.hash), '[]')
  from public.documents d
  join public.agent_knowledge k on k.agent_id = d.agent_id
  join public.document_chunks c on c.document_id = d.replaces and c.embedding_model = k.embedding_model
  where d.id = reusable_hashes.document_id
$$;
comment on function private.reusable_hashes is 'Hashes of the chunks whose vectors a changed document takes over from the one it replaces.';
revoke execute on function private.reusable_hashes from public, anon, authenticated;
grant execute on function private.reusable_hashes to service_role;

create function private.document_quota(owner_id uuid, leaving uuid[] default '{}') returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
begin
  return (select jsonb_build_object('limit', p.documents, 'used', (
    select count(*) from public.documents d join public.agents a on a.id = d.agent_id
    where a.owner_id = document_quota.owner_id and a.deleted_at is null and d.deleted_at is null and d.id <> all (leaving)
      and (d.replaces is null or not exists (select from public.documents o where o.id = d.replaces and o.deleted_at is null))))
  from public.users u join public.plans p on p.name = u.plan where u.id = document_quota.owner_id);
end $$;
comment on function private.document_quota is
  'The plan''s number of documents and how many the owner has, without those that are `leaving`; one that will replace another does not count twice.';
revoke execute on function private.document_quota from public, anon, authenticated;
grant execute on function private.document_quota to service_role;

create function private.hold_uploads(agent_id uuid) returns uuid
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  owner uuid;
begin
  select u.id into owner from public.agents a join public.users u on u.id = a.owner_id
    where a.id = hold_uploads.agent_id and a.deleted_at is null and u.deleted_at is null for no key update of u for key share of a;
  return owner;
end $$;
comment on function private.hold_uploads is
  'Locks the owner of an agent and returns their id, null when there is no such agent: quota, duplicates and replacements are decided one upload after the other.';
revoke execute on function private.hold_uploads from public, anon, authenticated;
grant execute on function private.hold_uploads to service_role;

create function private.outdated_documents(agent_id uuid, source text, content_hash text, kept uuid) returns uuid[]
language plpgsql stable security invoker set search_path = ''
as $$
begin
  return array(select d.id from public.documents d
    where d.agent_id = outdated_documents.agent_id and d.deleted_at is null and d.status <> 'ready' and d.id is distinct from kept
      and (d.source = outdated_documents.source or (d.status = 'failed' and d.content_hash = outdated_documents.content_hash and kept is null))
    order by d.id);
end $$;
comment on function private.outdated_documents is
  'What a new upload makes pointless: the newest upload of a source wins, and a failed one of the same content is tried again with it.';
revoke execute on function private.outdated_documents from public, anon, authenticated;
grant execute on function private.outdated_documents to service_role;

create function private.active_model(agent_id uuid) returns text
language plpgsql stable security invoker set search_path = ''
as $$
begin
  return (select k.embedding_model from public.agent_knowledge k where k.agent_id = active_model.agent_id);
end $$;
comment on function private.active_model is 'The model whose vectors answer for an agent; null before its first document.';
revoke execute on function private.active_model from public, anon, authenticated;
grant execute on function private.active_model to service_role;

create function private.use_model(agent_id uuid, proposed text) returns text
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  wanted text;
  active text := private.active_model(agent_id);
begin
  if active is null then
    -- Against somebody who changes the model at this moment.
    select coalesce(a.embedding_model, proposed) into active from public.agents a where a.id = use_model.agent_id for no key update;
    insert into public.agent_knowledge (agent_id, embedding_model) values (use_model.agent_id, active);
  end if;
  select a.embedding_model into wanted from public.agents a where a.id = use_model.agent_id;
  if wanted is null then
    update public.agents a set embedding_model = active where a.id = use_model.agent_id;
  end if;
  return active;
end $$;
comment on function private.use_model is
  'The model whose vectors answer for an agent; the first upload decides it, by what its owner wants or else by `proposed`. The caller holds the uploads.';
revoke execute on function private.use_model from public, anon, authenticated;
grant execute on function private.use_model to service_role;

create type private.upload as (title text, source text, mime_type text, category text, language text, detected_language text,
  metadata jsonb, content_hash text, size_bytes bigint, file_base64 text, file_path text, api_key_id uuid, created_by uuid, chunks jsonb);
comment on type private.upload is
  'A document as it is sent: its original in base64 or its path in the bucket, and its chunks when all of them have their vectors.';

create function private.insert_document(made public.documents, upload private.upload) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  insert into public.documents (id, agent_id, title, source, mime_type, category, language, metadata, content_hash, size_bytes, file_path,
    status, progress, chunk_count, token_count, replaces, lease, leased_until, attempts, api_key_id, created_by)
  values (made.id, made.agent_id, upload.title, upload.source, upload.mime_type, upload.category, made.language,
    coalesce(upload.metadata, '{}'), upload.content_hash, upload.size_bytes, upload.file_path, made.status, made.progress, made.chunk_count,
    made.token_count, made.replaces, made.lease, made.leased_until, 1, upload.api_key_id, upload.created_by);
  if upload.file_base64 is not null then
    insert into public.document_files (document_id, content) values (made.id, decode(upload.file_base64, 'base64'));
  end if;
end $$;
comment on function private.insert_document is 'Stores a document and its original.';
revoke execute on function private.insert_document from public, anon, authenticated;
grant execute on function private.insert_document to service_role;

create function private.take_upload(upload private.upload, made public.documents, owner_id uuid, room bigint) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  same public.documents;
  outdated uuid[];
  quota jsonb;
begin
  select d.* into same from public.documents d
    where d.agent_id = made.agent_id and d.content_hash = upload.content_hash and d.deleted_at is null and d.status <> 'failed'
      and (upload.source is null or d.source = upload.source)
    order by d.created_at limit 1;
  if upload.source is not null then
    select d.id into made.replaces from public.documents d
      where d.agent_id = made.agent_id and d.source = upload.source and d.deleted_at is null and d.status = 'ready';
  end if;
  outdated := private.outdated_documents(made.agent_id, upload.source, upload.content_hash, same.id);
  if same.id is null and made.replaces is null and room <= 0 then
    quota := private.document_quota(owner_id, outdated);
    if (quota ->> 'used')::bigint >= (quota ->> 'limit')::bigint then
      return jsonb_build_object('outcome', 'refused', 'code', 'quota_exceeded') || quota;
    end if;
  end if;
  if outdated <> '{}' then
    perform private.remove_document(o.id) from unnest(outdated) as o (id);
  end if;
  if same.id is not null then
    return jsonb_build_object('outcome', 'deduplicated', 'document_id', same.id, 'status', same.status, 'chunks', same.chunk_count,
      'tokens', same.token_count);
  end if;
  made.id := gen_random_uuid();
  if made.status = 'ready' and made.replaces is not null then
    perform private.remove_document(made.replaces);
  end if;
  perform private.insert_document(made, upload);
  return jsonb_build_object('outcome', case when made.status = 'ready' then 'stored' else 'created' end, 'document_id', made.id,
    'lease', made.lease, 'language', made.language, 'replaces', made.replaces, 'chunks', made.chunk_count, 'tokens', made.token_count);
end $$;
comment on function private.take_upload is
  'Decides about one upload and stores it, ready or leased as `made` says. `room` is how many more documents the plan has, at least; the caller holds the uploads.';
revoke execute on function private.take_upload from public, anon, authenticated;
grant execute on function private.take_upload to service_role;

create function private.plan_document(upload private.upload, agent_id uuid, agent_language text, lease_seconds integer)
  returns public.documents
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  made public.documents;
begin
  made.agent_id := agent_id;
  made.language := upload.language;
  made.status := 'processing';
  made.progress := 0;
  made.chunk_count := 0;
  made.token_count := 0;
  if upload.chunks is not null and jsonb_array_length(upload.chunks) not between 1 and 400 then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'A document comes with 1 to 400 chunks, or with none of them.';
  elsif upload.chunks is not null and agent_language is not null then
    made.language := coalesce(upload.language, upload.detected_language, agent_language);
    made.status := 'ready';
    made.progress := 1;
    select count(*), sum(c.tokens) into made.chunk_count, made.token_count from jsonb_to_recordset(upload.chunks) as c (tokens bigint);
  else
    made.lease := gen_random_uuid();
    made.leased_until := now() + make_interval(secs => lease_seconds);
  end if;
  return made;
end $$;
comment on function private.plan_document is
  'How an upload is to be stored: ready, when it has chunks and their vectors are of the agent''s model (`agent_language` is given), else leased.';
revoke execute on function private.plan_document from public, anon, authenticated;
grant execute on function private.plan_document to service_role;

create function public.store_documents(agent_id uuid, embedding_model text, documents jsonb, lease_seconds integer default 60) returns jsonb
language plpgsql volatile security invoker set search_path = '' set enable_seqscan = off
as $$
declare
  owner uuid := private.hold_uploads(agent_id);
  agent record;
  upload private.upload;
  answer jsonb;
  answers jsonb[] := '{}'::jsonb[];
  ready uuid[] := '{}'::uuid[];
begin
  if embedding_model is null or jsonb_typeof(documents) is distinct from 'array' or jsonb_array_length(documents) not between 1 and 200
    or lease_seconds is null or lease_seconds not between 1 and 3600 then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'embedding_model is needed, documents a list of 1 to 200, lease_seconds 1 to 3600.';
  elsif owner is null then
    raise exception 'not_found' using errcode = 'PT404', detail = 'No such agent.';
  end if;
  select a.language, (q.quota ->> 'limit')::bigint - (q.quota ->> 'used')::bigint as room, null::text as model into agent
    from public.agents a, (select private.document_quota(owner) as quota) q where a.id = store_documents.agent_id;
  -- An agent without a document, of a plan without room, has nothing to decide.
  agent.model := case when agent.room > 0 then private.use_model(agent_id, embedding_model) else private.active_model(agent_id) end;
  for upload in select * from jsonb_populate_recordset(null::private.upload, documents) loop
    answer := private.take_upload(upload, private.plan_document(upload, agent_id, case when agent.model = embedding_model then agent.language end,
      lease_seconds), owner, agent.room);
    if answer ->> 'outcome' in ('stored', 'created') and answer ->> 'replaces' is null then
      agent.room := agent.room - 1;
    end if;
    if answer ->> 'outcome' = 'created' then
      answer := answer || jsonb_build_object('embedding_model', agent.model, 'agent_language', agent.language,
        'reusable', private.reusable_hashes((answer ->> 'document_id')::uuid));
    end if;
    answers := answers || answer;
    -- One that replaces another of the same call leaves nothing to store of it.
    ready := array_replace(ready, (answer ->> 'replaces')::uuid, null) || case when answer ->> 'outcome' = 'stored' then (answer ->> 'document_id')::uuid end;
  end loop;
  if array_remove(ready, null) <> '{}' then
    perform private.insert_chunks(agent_id, agent.model, ready, 0, documents, null), private.index_terms(ready, 0);
  end if;
  return to_jsonb(answers);
exception when check_violation or not_null_violation or data_exception then
  raise exception 'validation_failed' using errcode = 'PT422', detail = left(sqlerrm, 200);
end $$;
comment on function public.store_documents is
  'Keeps uploaded originals, all of them or none, and answers each: `stored` with its chunks and searchable, `created` and leased to the caller when chunks or their vectors are missing; the same content again is `deduplicated`, a full plan `refused`, and neither stores anything.';
revoke execute on function public.store_documents from public, anon, authenticated;
grant execute on function public.store_documents to service_role;

create function private.insert_chunks(agent_id uuid, model text, document_ids uuid[], first_index integer, uploads jsonb, replaces uuid)
  returns bigint
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  dimensions integer := (select extensions.vector_dims(c.embedding) from public.document_chunks c
    where c.agent_id = insert_chunks.agent_id and c.embedding_model = model limit 1);
  stored record;
  fault text;
begin
  with inserted as (
    insert into public.document_chunks as c (agent_id, document_id, chunk_index, content, heading, page, char_start, char_end, tokens, hash,
      embedding_model, embedding)
    select insert_chunks.agent_id, d.id, first_index + r.position::integer - 1, r.content, r.heading, r.page, r.char_start, r.char_end, r.tokens,
      r.hash, model, coalesce(r.embedding::extensions.halfvec, (
        select o.embedding from public.document_chunks o
        where o.document_id = insert_chunks.replaces and o.hash = r.hash and o.embedding_model = model limit 1))
    from unnest(document_ids) with ordinality as d (id, place),
      rows from (jsonb_to_recordset(uploads -> (d.place - 1)::integer -> 'chunks') as (content text, heading text, page integer,
        char_start integer, char_end integer, tokens integer, hash text, embedding text))
        with ordinality as r (content, heading, page, char_start, char_end, tokens, hash, embedding, position)
    where d.id is not null
    returning c.tokens, extensions.vector_dims(c.embedding) as dims
  )
  select coalesce(sum(i.tokens), 0)::bigint as tokens, min(i.dims) as least, max(i.dims) as most into stored from inserted i;
  -- One vector of another size, and no question to this agent could be answered any more.
  if stored.least <> stored.most or stored.least <> dimensions then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'The vectors of one embedding model have one size.';
  end if;
  return stored.tokens;
exception
  when not_null_violation then
    get stacked diagnostics fault = column_name;
    if fault = 'embedding' then
      raise exception 'conflict' using errcode = 'PT409', detail = 'A chunk came without a vector, and the document it could be taken from is gone.';
    end if;
    raise exception 'validation_failed' using errcode = 'PT422', detail = left(sqlerrm, 200);
  when check_violation or data_exception then
    raise exception 'validation_failed' using errcode = 'PT422', detail = left(sqlerrm, 200);
end $$;
comment on function private.insert_chunks is
  'Stores the chunks of each upload for the document in the same place, taking over vectors of unchanged ones from the document that is replaced, and returns their tokens.';
revoke execute on function private.insert_chunks from public, anon, authenticated;
grant execute on function private.insert_chunks to service_role;

create function public.store_chunks(document_id uuid, lease uuid, from_index integer, chunks jsonb, language text default null,
  state jsonb default '{}', progress float8 default 0, done boolean default false, lease_seconds integer default 60)
returns jsonb
language plpgsql volatile security invoker set search_path = '' set enable_seqscan = off
as $$
declare
  doc public.documents;
  total bigint;
begin
  if num_nulls(document_id, lease, from_index, progress, done, lease_seconds) > 0 or jsonb_typeof(chunks) is distinct from 'array'
    or jsonb_typeof(state) is distinct from 'object' or progress not between 0 and 1 or lease_seconds not between 1 and 3600
    or language !~ '^[a-z]{2,3}$' or jsonb_array_length(chunks) > 400 then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'document_id, lease and from_index are needed, chunks is a list of at most 400, '
      'language a code, state an object, progress 0 to 1, lease_seconds 1 to 3600.';
  end if;
  -- The lease and the position together: a batch is stored once, by the one who holds the document.
  update public.documents d set language = coalesce(d.language, store_chunks.language, a.language) from public.agents a
    where d.id = store_chunks.document_id and d.lease = store_chunks.lease and d.chunk_count = from_index and d.status = 'processing'
      and d.deleted_at is null and a.id = d.agent_id and a.deleted_at is null
    returning d.* into doc;
  if doc.id is null then
    return jsonb_build_object('outcome', 'lost');
  end if;
  total := doc.chunk_count + jsonb_array_length(chunks);
  if done and total = 0 then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'A document needs at least one chunk.';
  end if;
  doc.token_count := doc.token_count + private.insert_chunks(doc.agent_id, private.active_model(doc.agent_id), array[doc.id], from_index,
    jsonb_build_array(jsonb_build_object('chunks', chunks)), doc.replaces);
  perform private.index_terms(array[doc.id], from_index);
  if done and doc.replaces is not null then
    perform private.remove_document(doc.replaces);
  end if;
  update public.documents d set status = case when done then 'ready' else 'processing' end, chunk_count = total, token_count = doc.token_count,
      progress = case when done then 1 else store_chunks.progress end, state = case when done then '{}' else store_chunks.state end,
      replaces = case when done then null else d.replaces end, attempts = 0, lease = case when done then null else d.lease end,
      leased_until = case when done then null else now() + make_interval(secs => lease_seconds) end
    where d.id = doc.id;
  return jsonb_build_object('outcome', 'stored', 'status', case when done then 'ready' else 'processing' end, 'chunks', total,
    'tokens', doc.token_count);
end $$;
comment on function public.store_chunks is
  'Appends a batch of chunks under a lease; with `done` the document becomes searchable and the one it replaces disappears, in this transaction. `lost`: another holds the document, or the batch is stored already.';
revoke execute on function public.store_chunks from public, anon, authenticated;
grant execute on function public.store_chunks to service_role;

-- Work in the background --------------------------------------------------------------------------------------------

create function private.claim_documents(max_items integer, lease_seconds integer, as_of timestamptz default now())
  returns setof public.documents
language sql volatile security invoker set search_path = ''
as $$
  with due as materialized (
    select d.id, a.owner_id, d.next_attempt_at, row_number() over (partition by a.owner_id order by d.next_attempt_at, d.id) as place
    from public.documents d join public.agents a on a.id = d.agent_id
    where d.status in ('queued', 'processing') and d.deleted_at is null and a.deleted_at is null and d.attempts < 5
      and d.next_attempt_at <= as_of and (d.leased_until is null or d.leased_until <= as_of)
  ),
  -- Round robin over owners: everybody's first document before anybody's second, whoever waited longest first. The
  -- conditions stand twice, since another may have claimed a row between the two looks at it.
  picked as (
    select d.id, due.owner_id from public.documents d join due on due.id = d.id
      left join private.work_claims w on w.owner_id = due.owner_id and w.kind = 'documents'
    where d.status in ('queued', 'processing') and d.deleted_at is null and d.attempts < 5
      and d.next_attempt_at <= as_of and (d.leased_until is null or d.leased_until <= as_of)
    order by due.place, w.claimed_at nulls first, due.next_attempt_at, d.id limit max_items
    for update of d skip locked
  ),
  noted as (
    insert into private.work_claims as w (owner_id, kind, claimed_at)
    select distinct p.owner_id, 'documents', as_of from picked p order by p.owner_id
    on conflict on constraint work_claims_pkey do update set claimed_at = greatest(w.claimed_at, excluded.claimed_at)
  )
  update public.documents d set status = 'processing', attempts = d.attempts + 1, lease = gen_random_uuid(),
    leased_until = as_of + make_interval(secs => lease_seconds)
  from picked where d.id = picked.id
  returning d.*
$$;
comment on function private.claim_documents is
  'Leases due documents, one owner after the other; what failed five times without progress is left to fail_exhausted_documents. `as_of` lets tests move time.';
revoke execute on function private.claim_documents from public, anon, authenticated;
grant execute on function private.claim_documents to service_role;

create function private.claim_embeddings(max_items integer, lease_seconds integer, as_of timestamptz default now())
  returns setof public.embedding_sets
language sql volatile security invoker set search_path = ''
as $$
  with due as materialized (
    select s.id, a.owner_id, s.next_attempt_at, row_number() over (partition by a.owner_id order by s.next_attempt_at, s.id) as place
    from public.embedding_sets s join public.agents a on a.id = s.agent_id
    where s.status = 'building' and a.deleted_at is null and s.next_attempt_at <= as_of and (s.leased_until is null or s.leased_until <= as_of)
  ),
  -- As in claim_documents.
  picked as (
    select s.id, due.owner_id from public.embedding_sets s join due on due.id = s.id
      left join private.work_claims w on w.owner_id = due.owner_id and w.kind = 'embeddings'
    where s.status = 'building' and s.next_attempt_at <= as_of and (s.leased_until is null or s.leased_until <= as_of)
    order by due.place, w.claimed_at nulls first, due.next_attempt_at, s.id limit max_items
    for update of s skip locked
  ),
  noted as (
    insert into private.work_claims as w (owner_id, kind, claimed_at)
    select distinct p.owner_id, 'embeddings', as_of from picked p order by p.owner_id
    on conflict on constraint work_claims_pkey do update set claimed_at = greatest(w.claimed_at, excluded.claimed_at)
  )
  update public.embedding_sets s set attempts = least(s.attempts + 1, 100), lease = gen_random_uuid(),
    leased_until = as_of + make_interval(secs => lease_seconds)
  from picked where s.id = picked.id
  returning s.*
$$;
comment on function private.claim_embeddings is
  'Leases sets of vectors to be built, one owner after the other. `as_of` lets tests move time.';
revoke execute on function private.claim_embeddings from public, anon, authenticated;
grant execute on function private.claim_embeddings to service_role;

create function public.claim_work(kind text default 'documents', max_items integer default 1, lease_seconds integer default 60,
  as_of timestamptz default now()) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  if kind is null or kind not in ('documents', 'embeddings') or max_items is null or max_items not between 1 and 100
    or lease_seconds is null or lease_seconds not between 1 and 3600 or as_of is null then
    raise exception 'validation_failed' using errcode = 'PT422',
      detail = 'kind is documents or embeddings, max_items 1 to 100, lease_seconds 1 to 3600, as_of a time.';
  end if;
  if kind = 'embeddings' then
    return (
      select coalesce(jsonb_agg(jsonb_build_object('id', s.id, 'agent_id', s.agent_id, 'owner_id', a.owner_id, 'lease', s.lease,
        'embedding_model', s.embedding_model, 'attempts', s.attempts)), '[]')
      from private.claim_embeddings(max_items, lease_seconds, as_of) s join public.agents a on a.id = s.agent_id);
  end if;
  return (
    select coalesce(jsonb_agg(jsonb_build_object('id', d.id, 'agent_id', d.agent_id, 'owner_id', a.owner_id, 'lease', d.lease, 'title', d.title,
      'mime_type', d.mime_type, 'language', d.language, 'agent_language', a.language, 'embedding_model', private.active_model(d.agent_id),
      'state', d.state, 'chunks', d.chunk_count, 'attempts', d.attempts, 'file_path', d.file_path,
      'reusable', private.reusable_hashes(d.id))), '[]')
    from private.claim_documents(max_items, lease_seconds, as_of) d join public.agents a on a.id = d.agent_id);
end $$;
comment on function public.claim_work is
  'Leases due work of a kind to the caller, round robin over owners; a lease that runs out makes it due again. `documents` are to be ingested, `embeddings` are vectors of a model that an agent changes to.';
revoke execute on function public.claim_work from public, anon, authenticated;
grant execute on function public.claim_work to service_role;

create function private.fail_document(document_id uuid, code text, message text) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  -- What was stored of it can be neither found nor resumed: a retry starts from the original.
  delete from public.chunk_terms t where t.document_id = fail_document.document_id;
  delete from public.document_chunks c where c.document_id = fail_document.document_id;
  update public.documents d set status = 'failed', error_code = fail_document.code, error_message = fail_document.message, lease = null,
      leased_until = null, chunk_count = 0, token_count = 0, progress = 0, state = '{}'
    where d.id = fail_document.document_id;
end $$;
comment on function private.fail_document is 'Fails a document for good, until it is retried or sent again; the caller holds its row.';
revoke execute on function private.fail_document from public, anon, authenticated;
grant execute on function private.fail_document to service_role;

create function private.attempt_wait(attempts integer) returns interval
language sql volatile security invoker set search_path = ''
as $$
  -- 10 s, 20 s, 40 s … up to an hour, and half of it by chance: what one fault stopped does not come back together.
  select make_interval(secs => least(10 * power(2, greatest(attempts, 1) - 1), 3600) * (0.5 + random() / 2))
$$;
comment on function private.attempt_wait is 'How long to wait after so many failed attempts.';
revoke execute on function private.attempt_wait from public, anon, authenticated;
grant execute on function private.attempt_wait to service_role;

create function private.finish_document(id uuid, lease uuid, error jsonb, as_of timestamptz) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  doc public.documents;
begin
  select * into doc from public.documents d
    where d.id = finish_document.id and d.lease = finish_document.lease and d.status = 'processing' and d.deleted_at is null for update;
  if not found then
    return jsonb_build_object('outcome', 'lost');
  end if;
  if error is not null and (doc.attempts >= 5 or not coalesce((error ->> 'retryable')::boolean, false)) then
    perform private.fail_document(doc.id, coalesce(error ->> 'code', 'internal'), error ->> 'message');
    return jsonb_build_object('outcome', 'failed', 'next_attempt_at', doc.next_attempt_at);
  end if;
  update public.documents d set status = 'queued', lease = null, leased_until = null,
      next_attempt_at = as_of + case when error is null then interval '0' else private.attempt_wait(doc.attempts) end,
      attempts = case when error is null then 0 else d.attempts end
    where d.id = doc.id returning * into doc;
  return jsonb_build_object('outcome', case when error is null then 'released' else 'retry' end, 'next_attempt_at', doc.next_attempt_at);
end $$;
comment on function private.finish_document is
  'Ends the lease of a document; at the fifth error, or one that waiting does not mend, the document is failed with its reason.';
revoke execute on function private.finish_document from public, anon, authenticated;
grant execute on function private.finish_document to service_role;

create function private.finish_embeddings(id uuid, lease uuid, error jsonb, as_of timestamptz) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  due timestamptz;
begin
  update public.embedding_sets s set lease = null, leased_until = null,
      next_attempt_at = as_of + case when error is null then interval '0' else private.attempt_wait(s.attempts) end,
      attempts = case when error is null then 0 else s.attempts end,
      error_code = case when error is not null then coalesce(error ->> 'code', 'internal') end,
      error_message = case when error is not null then coalesce(error ->> 'message', '') end
    where s.id = finish_embeddings.id and s.lease = finish_embeddings.lease returning s.next_attempt_at into due;
  if due is null then
    return jsonb_build_object('outcome', 'lost');
  end if;
  return jsonb_build_object('outcome', case when error is null then 'released' else 'retry' end, 'next_attempt_at', due);
end $$;
comment on function private.finish_embeddings is
  'Ends the lease of a set of vectors. It is never given up: the old vectors answer as long as it fails, and its error is shown.';
revoke execute on function private.finish_embeddings from public, anon, authenticated;
grant execute on function private.finish_embeddings to service_role;

create function public.finish_work(kind text, id uuid, lease uuid, error jsonb default null, as_of timestamptz default now()) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  if kind is null or kind not in ('documents', 'embeddings') or jsonb_typeof(error) <> 'object' or jsonb_typeof(error -> 'retryable') <> 'boolean'
    or as_of is null then
    raise exception 'validation_failed' using errcode = 'PT422',
      detail = 'kind is documents or embeddings, error an object {code, message, retryable}, as_of a time.';
  end if;
  return case kind when 'documents' then private.finish_document(id, lease, error, as_of)
    else private.finish_embeddings(id, lease, error, as_of) end;
end $$;
comment on function public.finish_work is
  'Ends a lease: without error the work is due again at once, with a retryable one after a growing wait; a document is failed with its reason at the fifth or for good.';
revoke execute on function public.finish_work from public, anon, authenticated;
grant execute on function public.finish_work to service_role;

create function private.fail_exhausted_documents(as_of timestamptz default now()) returns integer
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  dead uuid[] := array(select d.id from public.documents d
    where d.status = 'processing' and d.deleted_at is null and d.attempts >= 5 and d.leased_until <= as_of
    order by d.id limit 100 for update skip locked);
begin
  perform private.fail_document(x.id, 'unavailable', 'The ingestion was interrupted five times without progress.') from unnest(dead) as x (id);
  return cardinality(dead);
end $$;
comment on function private.fail_exhausted_documents is
  'Fails documents whose worker died five times without storing a chunk, so that they are not claimed for ever.';
revoke execute on function private.fail_exhausted_documents from public, anon, authenticated;
grant execute on function private.fail_exhausted_documents to service_role;

-- Changing the embedding model --------------------------------------------------------------------------------------
-- Who works here locks in one order: an agent or an owner's uploads, documents, agent_knowledge, embedding_sets.

create function private.want_model() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  active text;
begin
  select k.embedding_model into active from public.agent_knowledge k where k.agent_id = new.id for no key update;
  if not found then
    return null;
  end if;
  -- Another wish than before: what was built for the old one goes.
  update public.embedding_sets s set status = 'outdated', lease = null, leased_until = null, error_code = null, error_message = null
    where s.agent_id = new.id and s.status = 'building' and s.embedding_model is distinct from new.embedding_model;
  if new.embedding_model <> active then
    insert into public.embedding_sets as s (agent_id, embedding_model) values (new.id, new.embedding_model)
    on conflict on constraint embedding_sets_one_per_model do update set status = 'building', reached = 0, attempts = 0, next_attempt_at = now()
      where s.status = 'outdated';
  end if;
  return null;
end $$;
comment on function private.want_model is
  'Trigger function: a changed embedding model is built beside the one that answers; changed back, nothing is built.';
revoke execute on function private.want_model from public, anon, authenticated;
create trigger agents_want_model after update of embedding_model on public.agents
  for each row when (old.embedding_model is distinct from new.embedding_model) execute function private.want_model();

create function private.chunks_without_vector(agent_id uuid, active text, wanted text, reached bigint, max_items integer)
  returns setof public.document_chunks
language plpgsql stable security invoker set search_path = ''
as $$
begin
  return query
  select c.* from public.document_chunks c
  where c.agent_id = chunks_without_vector.agent_id and c.embedding_model = active and c.id > reached
    and not exists (select from public.document_chunks n
      where n.document_id = c.document_id and n.chunk_index = c.chunk_index and n.embedding_model = wanted)
  order by c.id limit max_items;
end $$;
comment on function private.chunks_without_vector is
  'Chunks behind `reached` that the wanted model has no vector of, also of documents that are not ready.';
revoke execute on function private.chunks_without_vector from public, anon, authenticated;
grant execute on function private.chunks_without_vector to service_role;

create function public.chunks_to_embed(id uuid, lease uuid, max_items integer default 128) returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
declare
  held public.embedding_sets;
begin
  if max_items is null or max_items not between 1 and 400 then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'max_items is 1 to 400.';
  end if;
  select * into held from public.embedding_sets s where s.id = chunks_to_embed.id and s.lease = chunks_to_embed.lease and s.status = 'building';
  if not found then
    return null;
  end if;
  return (select coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'heading', c.heading, 'content', c.content)), '[]')
    from private.chunks_without_vector(held.agent_id, private.active_model(held.agent_id), held.embedding_model, held.reached, max_items) c);
end $$;
comment on function public.chunks_to_embed is
  'The next chunks of a set that is built under this lease; none when all have their vector, null when the lease is lost.';
revoke execute on function public.chunks_to_embed from public, anon, authenticated;
grant execute on function public.chunks_to_embed to service_role;

create function private.insert_vectors(held public.embedding_sets, vectors jsonb) returns bigint
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  active text := private.active_model(held.agent_id);
  dimensions integer := (select extensions.vector_dims(c.embedding) from public.document_chunks c
    where c.agent_id = held.agent_id and c.embedding_model = held.embedding_model limit 1);
  stored record;
begin
  with inserted as (
    insert into public.document_chunks as c (agent_id, document_id, chunk_index, content, heading, page, char_start, char_end, tokens, hash,
      embedding_model, embedding)
    select o.agent_id, o.document_id, o.chunk_index, o.content, o.heading, o.page, o.char_start, o.char_end, o.tokens, o.hash,
      held.embedding_model, v.embedding::extensions.halfvec
    from jsonb_to_recordset(vectors) as v (id bigint, embedding text)
      join public.document_chunks o on o.id = v.id and o.agent_id = held.agent_id and o.embedding_model = active
    on conflict on constraint document_chunks_one_per_index_and_model do nothing
    returning extensions.vector_dims(c.embedding) as dims
  )
  select count(*) as count, min(i.dims) as least, max(i.dims) as most into stored from inserted i;
  if stored.least <> stored.most or stored.least <> dimensions then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'The vectors of one embedding model have one size.';
  end if;
  return stored.count;
end $$;
comment on function private.insert_vectors is 'Stores chunks once more with other vectors, and returns how many did not have them yet.';
revoke execute on function private.insert_vectors from public, anon, authenticated;
grant execute on function private.insert_vectors to service_role;

create function public.store_vectors(id uuid, lease uuid, vectors jsonb, lease_seconds integer default 60) returns jsonb
language plpgsql volatile security invoker set search_path = '' set enable_seqscan = off
as $$
declare
  held public.embedding_sets;
begin
  if jsonb_typeof(vectors) is distinct from 'array' or jsonb_array_length(vectors) > 400
    or lease_seconds is null or lease_seconds not between 1 and 3600 then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'vectors is a list of at most 400, lease_seconds 1 to 3600.';
  end if;
  -- Against who removes a document meanwhile: its chunks are gone then, and stay so.
  perform from public.documents d where d.id in (
    select c.document_id from public.document_chunks c, jsonb_to_recordset(vectors) as v (id bigint) where c.id = v.id) order by d.id for key share;
  select * into held from public.embedding_sets s
    where s.id = store_vectors.id and s.lease = store_vectors.lease and s.status = 'building' for update;
  if not found then
    return jsonb_build_object('outcome', 'lost');
  end if;
  held.chunks := held.chunks + private.insert_vectors(held, vectors);
  update public.embedding_sets s set chunks = held.chunks, attempts = 0, error_code = null, error_message = null,
      reached = greatest(s.reached, (select max(v.id) from jsonb_to_recordset(vectors) as v (id bigint))),
      leased_until = now() + make_interval(secs => lease_seconds)
    where s.id = held.id;
  return jsonb_build_object('outcome', 'stored', 'chunks', held.chunks);
exception when not_null_violation or data_exception then
  raise exception 'validation_failed' using errcode = 'PT422', detail = left(sqlerrm, 200);
end $$;
comment on function public.store_vectors is
  'Stores vectors of a set that is built under this lease; of a chunk that has its vector, or is gone, nothing. `lost`: another builds it, or nobody wants it any more.';
revoke execute on function public.store_vectors from public, anon, authenticated;
grant execute on function public.store_vectors to service_role;

create function public.switch_model(id uuid, lease uuid) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  held public.embedding_sets;
  active text;
begin
  select * into held from public.embedding_sets s where s.id = switch_model.id;
  if not found or private.hold_uploads(held.agent_id) is null then
    return jsonb_build_object('outcome', 'lost');
  end if;
  -- No document gets a chunk from here on.
  perform from public.documents d where d.agent_id = held.agent_id and d.status in ('queued', 'processing') order by d.id for no key update;
  select k.embedding_model into active from public.agent_knowledge k where k.agent_id = held.agent_id for no key update;
  perform from public.embedding_sets s where s.id = held.id and s.lease = switch_model.lease and s.status = 'building' for update;
  if not found then
    return jsonb_build_object('outcome', 'lost');
  end if;
  -- One that came late, with an id drawn early.
  if exists (select from private.chunks_without_vector(held.agent_id, active, held.embedding_model, 0, 1)) then
    update public.embedding_sets s set reached = 0 where s.id = held.id;
    return jsonb_build_object('outcome', 'more');
  end if;
  update public.agent_knowledge k set embedding_model = held.embedding_model where k.agent_id = held.agent_id;
  -- Who is in the middle of a document has its old model in mind: another round goes on with the new one.
  update public.documents d set status = 'queued', lease = null, leased_until = null, attempts = 0, next_attempt_at = now()
    where d.agent_id = held.agent_id and d.status = 'processing' and d.deleted_at is null;
  delete from public.embedding_sets s where s.id = held.id;
  insert into public.embedding_sets (agent_id, embedding_model, status) values (held.agent_id, active, 'outdated');
  return jsonb_build_object('outcome', 'switched');
end $$;
comment on function public.switch_model is
  'Makes a complete set of vectors the one that answers, in one transaction; `more` when chunks came meanwhile that have no vector of it.';
revoke execute on function public.switch_model from public, anon, authenticated;
grant execute on function public.switch_model to service_role;

create function private.remove_outdated_vectors(as_of timestamptz default now()) returns integer
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  old public.embedding_sets;
  removed integer;
begin
  select * into old from public.embedding_sets s where s.status = 'outdated' order by s.next_attempt_at limit 1 for update skip locked;
  if not found then
    return 0;
  end if;
  delete from public.document_chunks c where c.id in (
    select x.id from public.document_chunks x where x.agent_id = old.agent_id and x.embedding_model = old.embedding_model
    limit 5000 for update skip locked);
  get diagnostics removed = row_count;
  update public.embedding_sets s set next_attempt_at = as_of where s.id = old.id;
  delete from public.embedding_sets s where s.id = old.id and not exists (
    select from public.document_chunks c where c.agent_id = old.agent_id and c.embedding_model = old.embedding_model);
  return removed;
end $$;
comment on function private.remove_outdated_vectors is
  'Removes vectors that answer no more, a bounded batch a call; returns how many. `as_of` lets tests move time.';
revoke execute on function private.remove_outdated_vectors from public, anon, authenticated;
grant execute on function private.remove_outdated_vectors to service_role;

-- What a key holder or member sees and does ------------------------------------------------------------------------

create function private.document_status(doc public.documents) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select jsonb_build_object('document_id', doc.id, 'title', doc.title, 'source', doc.source, 'mime_type', doc.mime_type, 'category', doc.category,
    'language', doc.language, 'status', doc.status, 'progress', doc.progress, 'chunks', doc.chunk_count, 'tokens', doc.token_count,
    'error', case when doc.error_code is not null then jsonb_build_object('code', doc.error_code, 'message', doc.error_message) end,
    'created_at', doc.created_at)
$$;
comment on function private.document_status is 'A document as the HTTP contract shows it.';
revoke execute on function private.document_status from public, anon, authenticated;
grant execute on function private.document_status to service_role;

create function public.get_document(agent_id uuid, document_id uuid) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select private.document_status(d) from public.documents d join public.agents a on a.id = d.agent_id and a.deleted_at is null
  where d.id = get_document.document_id and d.agent_id = get_document.agent_id and d.deleted_at is null
$$;
comment on function public.get_document is 'The status of a document of this agent, or null.';
revoke execute on function public.get_document from public, anon, authenticated;
grant execute on function public.get_document to service_role;

create function public.list_documents(agent_id uuid, max_items integer default 50, cursor text default null, status text default null)
  returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
declare
  result jsonb;
  last_time timestamptz;
  last_id uuid;
begin
  if max_items is null or max_items not between 1 and 200 or status not in ('queued', 'processing', 'ready', 'failed')
    or cursor !~ '^[0-9]{1,16}_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    raise exception 'validation_failed' using errcode = 'PT422', detail = 'limit is 1 to 200, status a known one, cursor one that was returned.';
  end if;
  last_time := to_timestamp(0) + split_part(cursor, '_', 1)::bigint * interval '1 microsecond';
  last_id := split_part(cursor, '_', 2)::uuid;
  with page as (
    select d.* from public.documents d join public.agents a on a.id = d.agent_id and a.deleted_at is null
    where d.agent_id = list_documents.agent_id and d.deleted_at is null and (list_documents.status is null or d.status = list_documents.status)
      and (cursor is null or (d.created_at, d.id) < (last_time, last_id))
    order by d.created_at desc, d.id desc limit max_items + 1
  ), shown as (select * from page order by created_at desc, id desc limit max_items)
  select jsonb_build_object(
    'documents', coalesce((
      select jsonb_agg(private.document_status(s::public.documents) order by s.created_at desc, s.id desc) from shown s), '[]'),
    'next_cursor', case when (select count(*) from page) > max_items then (
      select (extract(epoch from s.created_at) * 1000000)::bigint || '_' || s.id from shown s order by s.created_at, s.id limit 1) end)
  into result;
  return result;
end $$;
comment on function public.list_documents is 'The documents of an agent, newest first, a page at a time.';
revoke execute on function public.list_documents from public, anon, authenticated;
grant execute on function public.list_documents to service_role;

create function public.document_file(document_id uuid, from_byte integer default 0, max_bytes integer default 1048576) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select jsonb_build_object('mime_type', d.mime_type, 'title', d.title, 'size', octet_length(f.content),
    'file_base64', translate(encode(substring(f.content from from_byte + 1 for max_bytes), 'base64'), E'\n', ''), 'file_path', d.file_path)
  from public.documents d left join public.document_files f on f.document_id = d.id
  where d.id = document_file.document_id and d.deleted_at is null
$$;
comment on function public.document_file is 'The original of a document: a part of its bytes and how many they are, or its path in the bucket.';
revoke execute on function public.document_file from public, anon, authenticated;
grant execute on function public.document_file to service_role;

create function public.retry_document(agent_id uuid, document_id uuid) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  found_status text;
begin
  if private.hold_uploads(agent_id) is null then
    return null;
  end if;
  select d.status into found_status from public.documents d
    where d.id = retry_document.document_id and d.agent_id = retry_document.agent_id and d.deleted_at is null for update;
  if not found then
    return null;
  elsif found_status <> 'failed' then
    return jsonb_build_object('outcome', 'conflict');
  end if;
  update public.documents d set status = 'queued', error_code = null, error_message = null, attempts = 0, next_attempt_at = now()
    where d.id = retry_document.document_id;
  return jsonb_build_object('outcome', 'queued');
end $$;
comment on function public.retry_document is
  'Makes a failed document due again; null when the agent has no such document, conflict when it did not fail.';
revoke execute on function public.retry_document from public, anon, authenticated;
grant execute on function public.retry_document to service_role;

create function public.delete_document(agent_id uuid, document_id uuid) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  doc record;
begin
  select d.id, d.file_path into doc from public.documents d join public.agents a on a.id = d.agent_id and a.deleted_at is null
    where d.id = delete_document.document_id and d.agent_id = delete_document.agent_id and d.deleted_at is null for update of d;
  if not found then
    return null;
  end if;
  perform private.remove_document(doc.id);
  return jsonb_build_object('file_path', doc.file_path);
end $$;
comment on function public.delete_document is
  'Removes a document of this agent with its chunks: the next answer cannot use it. Null when there is none; `file_path` is what is left to remove from the bucket.';
revoke execute on function public.delete_document from public, anon, authenticated;
grant execute on function public.delete_document to service_role;

create function public.deleted_files(max_items integer default 100) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object('document_id', d.id, 'file_path', d.file_path) order by d.deleted_at), '[]')
  from (
    select d.id, d.file_path, d.deleted_at from public.documents d where d.deleted_at is not null and d.file_path is not null
    order by d.deleted_at limit max_items
  ) d
$$;
comment on function public.deleted_files is 'Originals still in the bucket although their document is deleted.';
revoke execute on function public.deleted_files from public, anon, authenticated;
grant execute on function public.deleted_files to service_role;

create function public.forget_documents(document_ids uuid[]) returns integer
language sql volatile security invoker set search_path = ''
as $$
  with gone as (delete from public.documents d where d.id = any (document_ids) and d.deleted_at is not null returning 1)
  select count(*)::integer from gone
$$;
comment on function public.forget_documents is
  'Drops the rows of deleted documents whose originals are gone from the bucket; returns how many.';
revoke execute on function public.forget_documents from public, anon, authenticated;
grant execute on function public.forget_documents to service_role;

select private.add_job('fail_exhausted_documents', 'sql', 'fail_exhausted_documents', interval '1 minute', takes_locks => true);
select private.add_job('remove_outdated_vectors', 'sql', 'remove_outdated_vectors', interval '10 seconds', takes_locks => true);
select private.add_job('ingest_documents', 'function', 'ingest-document/work', interval '5 seconds');

-- Storage -----------------------------------------------------------------------------------------------------------

do $$
begin
  if to_regclass('storage.buckets') is not null then
    insert into storage.buckets (id, name, public) values ('documents', 'documents', false) on conflict (id) do nothing;
    create policy "parley members read documents" on storage.objects for select to authenticated
      using (bucket_id = 'documents' and (storage.foldername(name))[2] in (select v::text from private.visible_agents('viewer') v));
  end if;
end $$;
