/** A law of the schema: the query lists what breaks it. */
export interface Rule {
  name: string;
  offenders: string;
}

// Everything of the project, whatever migration made it; partitions follow their parent.
const tables = `(
  select c.oid, c.relname, c.relrowsecurity, c.relacl, c.relowner, n.nspname || '.' || c.relname as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'private') and c.relkind in ('r', 'p') and not c.relispartition)`;

const columns = `(
  select t.*, a.attnum, a.attname, t.name || '.' || a.attname as column_name, a.attnotnull, a.atttypid
  from ${tables} t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped)`;

const functions = `(
  select p.*, p.oid::regprocedure::text as name, n.nspname as schema
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname in ('public', 'private')
    and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e'))`;

// The columns of an index in order; an expression is 0 and never equals a column.
const indexes = `(
  select i.indexrelid::regclass::text as name, i.indrelid, i.indisunique, i.indpred is not null as partial,
    i.indexprs is not null as expressions, (i.indkey::int2[])[0:i.indnkeyatts - 1] as keys,
    (i.indclass::oid[])[0:i.indnkeyatts - 1] as classes, i.indkey::int2[] as all_columns, m.amname as method
  from pg_index i join ${tables} t on t.oid = i.indrelid join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam)`;

/** What no client role may read, by how such columns are called. The keyed hash of an address opens nothing. */
const secret = "'(^|(?<!address)_)(hash|secret|ciphertext|token)$'";

export const rules: Rule[] = [
  {
    name: "every table has row level security",
    offenders: `select name from ${tables} t where not relrowsecurity`,
  },
  {
    name: "every partition has row level security, the policy nobody and no grants",
    offenders: `select c.relname as name from pg_class c where c.relispartition and c.relkind = 'r'
        and (not c.relrowsecurity or not exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'nobody')
          or exists (select from aclexplode(c.relacl) a where a.grantee <> c.relowner))`,
  },
  {
    name: "every table has a policy",
    offenders:
      `select name from ${tables} t where not exists (select from pg_policy p where p.polrelid = t.oid)`,
  },
  {
    name: "every policy names its roles",
    offenders:
      `select name || ' ' || p.polname as name from ${tables} t join pg_policy p on p.polrelid = t.oid where 0 = any (p.polroles)`,
  },
  {
    name: "a table has one permissive policy for a role and a command",
    offenders: `select name || ' ' || r.role || ' ' || p.polcmd::text as name
      from ${tables} t join pg_policy p on p.polrelid = t.oid and p.polpermissive, unnest(p.polroles) as r (role)
      group by t.name, r.role, p.polcmd having count(*) > 1`,
  },
  {
    name: "policies read the caller once, not for each row",
    offenders:
      `select name || ' ' || p.polname as name from ${tables} t join pg_policy p on p.polrelid = t.oid,
        lateral (select regexp_replace(concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)),
          'SELECT (auth|private)\\.', '', 'g') as text) e
      where e.text ~ '(auth\\.(uid|jwt|role)|is_admin|visible_agents|current_agent)\\(' and e.text !~ '^.*\\( *(uid|jwt|is_admin|visible_agents|current_agent)\\('`,
  },
  {
    name: "policies take the visible agents as an array, which an index on agent_id can serve",
    offenders:
      `select name || ' ' || p.polname as name from ${tables} t join pg_policy p on p.polrelid = t.oid
      where concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
        ~ ' IN \\( SELECT private\\.visible_agents'`,
  },
  {
    name: "every table, function, schema and view has a comment",
    offenders: `select name from ${tables} t where obj_description(oid, 'pg_class') is null
      union all select name from ${functions} f where obj_description(oid, 'pg_proc') is null
      union all select nspname from pg_namespace where nspname in ('private', 'partitions') and obj_description(oid, 'pg_namespace') is null
      union all select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('v', 'm')
        and obj_description(oid, 'pg_class') is null`,
  },
  {
    name: "every table has a primary key",
    offenders:
      `select name from ${tables} t where not exists (select from pg_constraint c where c.conrelid = t.oid and c.contype = 'p')`,
  },
  {
    name: "checks are named as laws",
    offenders:
      `select t.name || ' ' || c.conname as name from ${tables} t join pg_constraint c on c.conrelid = t.oid and c.contype = 'c'
      where c.conname ~ '_check[0-9]*$' or c.conname !~ ('^' || t.relname) or c.conname = t.relname`,
  },
  {
    name: "a column that says status, kind, role or type is held to a list",
    offenders: `select column_name as name from ${columns} c
      where c.attname in ('status', 'state', 'kind', 'role', 'severity', 'channel', 'scope', 'category') and c.atttypid = 'text'::regtype
        and c.column_name not in ('public.agents.role', 'public.documents.category', 'public.feedback.category')
        and not exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'c' and c.attnum = any (k.conkey))`,
  },
  {
    name: "every table has created_at, never null, now by default",
    offenders: `select name from ${tables} t where not exists (
      select from pg_attribute a join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = t.oid and a.attname = 'created_at' and a.attnotnull and pg_get_expr(d.adbin, d.adrelid) = 'now()')
      -- Postings and marks are structures, not records: the time would be half of a row.
      and t.name not in ('public.chunk_terms', 'public.rate_limits')`,
  },
  {
    name: "every updated_at is kept by its trigger",
    offenders: `select name from ${columns} c where attname = 'updated_at' and not exists (
      select from pg_trigger g where g.tgrelid = c.oid and g.tgfoid = 'public.update_updated_at_column()'::regprocedure)
      and c.name <> 'public.rate_limits'`,
  },
  {
    name: "a table whose rows clients or functions update has updated_at",
    offenders:
      `select name from ${tables} t where not exists (select from pg_attribute a where a.attrelid = t.oid and a.attname = 'updated_at')
      and has_any_column_privilege('authenticated', t.oid, 'update')`,
  },
  {
    name: "every foreign key has an index whose first columns are its columns",
    offenders: `select t.name || ' ' || c.conname as name from ${tables} t
      join pg_constraint c on c.conrelid = t.oid and c.contype = 'f' and c.conparentid = 0
      where not exists (select from ${indexes} i where i.indrelid = t.oid and not i.partial
        and i.keys[1:cardinality(c.conkey)] @> c.conkey and i.keys[1:cardinality(c.conkey)] <@ c.conkey)`,
  },
  {
    name: "no index repeats another one",
    offenders: `select a.name || ' is in ' || b.name as name from ${indexes} a
      join ${indexes} b on b.indrelid = a.indrelid and b.name <> a.name and a.method = b.method
      where not a.partial and not b.partial and not a.expressions and not b.expressions and not a.indisunique
        and b.all_columns @> a.all_columns
        and b.keys[1:cardinality(a.keys)] = a.keys and b.classes[1:cardinality(a.keys)] = a.classes`,
  },
  {
    name: "no unique index repeats another unique one",
    offenders: `select a.name || ' repeats ' || b.name as name from ${indexes} a
      join ${indexes} b on b.indrelid = a.indrelid and b.name > a.name
      where a.indisunique and b.indisunique and not a.partial and not b.partial and not a.expressions and not b.expressions
        and a.keys @> b.keys and a.keys <@ b.keys`,
  },
  {
    name: "every function fixes an empty search_path",
    offenders:
      `select name from ${functions} f where not coalesce(proconfig @> array['search_path=""'], false)`,
  },
  {
    name: "no function can be called by anon or by everybody",
    offenders: `select f.name from ${functions} f
      where f.proacl is null or exists (select from aclexplode(f.proacl) a where a.grantee = 0)
        or has_function_privilege('anon', f.oid, 'execute')`,
  },
  {
    name: "what a signed-in user can call is listed here",
    offenders:
      `select f.proname as name from ${functions} f where has_function_privilege('authenticated', f.oid, 'execute')
      and f.schema || '.' || f.proname not in (
        'public.create_api_key', 'public.rotate_api_key', 'public.revoke_api_key', 'public.rotate_identity_secret',
        'public.create_invitation', 'public.accept_invitation', 'public.publish_prompt', 'public.activate_prompt',
        'public.set_company_fact', 'public.agent_access', 'public.usage_summary', 'public.reset_chat_session',
        'private.is_admin', 'private.visible_agents', 'private.asked_conversations', 'private.hidden_conversations')`,
  },
  {
    name: "functions over the API are security invoker, or say who may do what themselves",
    offenders:
      `select f.name from ${functions} f where f.schema = 'public' and f.prosecdef and f.prorettype <> 'trigger'::regtype
      and has_function_privilege('authenticated', f.oid, 'execute')
      and f.prosrc !~ '(auth\\.uid\\(\\)|private\\.(require_[a-z_]+|visible_agents|is_service)\\()'`,
  },
  {
    name: "trigger functions are called by triggers alone",
    offenders: `select f.name from ${functions} f where f.prorettype = 'trigger'::regtype
      and exists (select from aclexplode(f.proacl) a where a.grantee <> f.proowner)`,
  },
  {
    name: "anon has no right on any table, column or schema that is ours",
    offenders:
      `select name from ${tables} t where has_table_privilege('anon', oid, 'select, insert, update, delete, truncate, references, trigger')
        or has_any_column_privilege('anon', oid, 'select, insert, update, references')
      union all select nspname from pg_namespace where nspname in ('private', 'partitions')
        and (has_schema_privilege('anon', oid, 'usage') or has_schema_privilege('authenticated', oid, 'usage'))`,
  },
  {
    name: "no client may truncate, refer to or put triggers on a table",
    offenders:
      `select name from ${tables} t where has_table_privilege('authenticated', oid, 'truncate, references, trigger')`,
  },
  {
    name: "the service role reads every table of the API",
    offenders:
      `select name from ${tables} t where name ~ '^public' and not has_table_privilege('service_role', oid, 'select')`,
  },
  {
    name: "no client role reads a hash, a secret, a ciphertext or a token",
    offenders: `select column_name as name from ${columns} c where attname ~ ${secret}
      and (has_column_privilege('authenticated', oid, attnum, 'select') or has_column_privilege('anon', oid, attnum, 'select'))`,
  },
  {
    name: "a client writes no id, no owner, no time and nothing that is counted",
    offenders: `select column_name as name from ${columns} c
      where (attname in ('id', 'created_at', 'updated_at', 'deleted_at', 'version', 'plan', 'email', 'limit_group')
          or attname ~ ${secret})
        and (has_column_privilege('authenticated', oid, attnum, 'update')
          or has_column_privilege('authenticated', oid, attnum, 'insert'))`,
  },
  {
    name: "agent_reader reads and nothing more, cannot log in and bypasses nothing",
    offenders:
      `select name from ${tables} t where has_table_privilege('agent_reader', oid, 'insert, update, delete, truncate')
        or has_any_column_privilege('agent_reader', oid, 'insert, update')
      union all select rolname from pg_roles where rolname = 'agent_reader'
        and (rolcanlogin or rolsuper or rolbypassrls or rolinherit or rolcreaterole or rolcreatedb)
      union all select nspname from pg_namespace where nspname in ('public', 'private', 'extensions')
        and has_schema_privilege('agent_reader', oid, 'create') and not has_schema_privilege('public', oid, 'create')`,
  },
  {
    name: "every policy of agent_reader is bound to the one agent of the transaction",
    offenders:
      `select t.name || ' ' || p.polname as name from ${tables} t join pg_policy p on p.polrelid = t.oid
      where 'agent_reader'::regrole = any (p.polroles)
        and pg_get_expr(p.polqual, p.polrelid) !~ '(agent_id|id) = \\( SELECT private\\.current_agent\\(\\)'`,
  },
  {
    name: "extensions stand in their own schema",
    offenders: `select extname as name from pg_extension where extnamespace = 'public'::regnamespace`,
  },
  {
    name: "views run with the rights of who asks",
    offenders:
      `select relname as name from pg_class where relkind = 'v' and relnamespace = 'public'::regnamespace
      and not coalesce(reloptions::text ~ 'security_invoker=(on|true|1)', false)`,
  },
];
