
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  
  "public": {
          Tables: {
            "agent_knowledge": {
                  Row: {
                    "agent_id": string,"chunks": number,"created_at": string,"embedding_model": string,"languages": (string)[],"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "agent_id": string,"chunks"?: number,"created_at"?: string,"embedding_model": string,"languages"?: (string)[],"updated_at"?: string
                  }
                  Update: {
                    "agent_id"?: string,"chunks"?: number,"created_at"?: string,"embedding_model"?: string,"languages"?: (string)[],"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "agent_knowledge_agent_id_fkey"
      columns: ["agent_id"]
isOneToOne: true
      referencedRelation: "agents"
      referencedColumns: ["id"]
    }
                  ]
                },"agent_members": {
                  Row: {
                    "agent_id": string,"created_at": string,"invited_by": string | null,"role": string,"updated_at": string,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "agent_id": string,"created_at"?: string,"invited_by"?: string | null,"role"?: string,"updated_at"?: string,"user_id": string
                  }
                  Update: {
                    "agent_id"?: string,"created_at"?: string,"invited_by"?: string | null,"role"?: string,"updated_at"?: string,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "agent_members_agent_id_fkey"
      columns: ["agent_id"]
isOneToOne: false
      referencedRelation: "agents"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "agent_members_invited_by_fkey"
      columns: ["invited_by"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "agent_members_user_id_fkey"
      columns: ["user_id"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    }
                  ]
                },"agent_tools": {
                  Row: {
                    "agent_id": string,"config": NonNullable<Json>,"created_at": string,"enabled": boolean,"id": string,"tool": string,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "agent_id": string,"config"?: NonNullable<Json>,"created_at"?: string,"enabled"?: boolean,"id"?: string,"tool": string,"updated_at"?: string
                  }
                  Update: {
                    "agent_id"?: string,"config"?: NonNullable<Json>,"created_at"?: string,"enabled"?: boolean,"id"?: string,"tool"?: string,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "agent_tools_agent_id_fkey"
      columns: ["agent_id"]
isOneToOne: false
      referencedRelation: "agents"
      referencedColumns: ["id"]
    }
                  ]
                },"agents": {
                  Row: {
                    "config": NonNullable<Json>,"created_at": string,"deleted_at": string | null,"description": string,"embedding_model": string | null,"fallback_models": (string)[],"id": string,"instructions": string,"is_active": boolean,"language": string,"match_count": number,"match_threshold": number | null,"max_tokens": number,"metadata": NonNullable<Json>,"model": string,"monthly_cost": number | null,"monthly_messages": number | null,"monthly_tokens": number | null,"name": string,"owner_id": string,"prompt_version_id": string | null,"provider_key_id": string | null,"rag_enabled": boolean,"role": string,"temperature": number,"top_p": number,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "config"?: NonNullable<Json>,"created_at"?: string,"deleted_at"?: string | null,"description"?: string,"embedding_model"?: string | null,"fallback_models"?: (string)[],"id"?: string,"instructions"?: string,"is_active"?: boolean,"language"?: string,"match_count"?: number,"match_threshold"?: number | null,"max_tokens"?: number,"metadata"?: NonNullable<Json>,"model"?: string,"monthly_cost"?: number | null,"monthly_messages"?: number | null,"monthly_tokens"?: number | null,"name": string,"owner_id"?: string,"prompt_version_id"?: string | null,"provider_key_id"?: string | null,"rag_enabled"?: boolean,"role"?: string,"temperature"?: number,"top_p"?: number,"updated_at"?: string
                  }
                  Update: {
                    "config"?: NonNullable<Json>,"created_at"?: string,"deleted_at"?: string | null,"description"?: string,"embedding_model"?: string | null,"fallback_models"?: (string)[],"id"?: string,"instructions"?: string,"is_active"?: boolean,"language"?: string,"match_count"?: number,"match_threshold"?: number | null,"max_tokens"?: number,"metadata"?: NonNullable<Json>,"model"?: string,"monthly_cost"?: number | null,"monthly_messages"?: number | null,"monthly_tokens"?: number | null,"name"?: string,"owner_id"?: string,"prompt_version_id"?: string | null,"provider_key_id"?: string | null,"rag_enabled"?: boolean,"role"?: string,"temperature"?: number,"top_p"?: number,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "agents_owner_id_fkey"
      columns: ["owner_id"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "agents_prompt_version_id_fkey"
      columns: ["prompt_version_id"]
isOneToOne: false
      referencedRelation: "prompt_versions"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "agents_provider_key_is_the_owners_fkey"
      columns: ["owner_id","provider_key_id"]
isOneToOne: false
      referencedRelation: "provider_keys"
      referencedColumns: ["user_id","id"]
    }
                  ]
                },"api_keys": {
                  Row: {
                    "agent_id": string,"allowed_origins": (string)[],"created_at": string,"created_by": string | null,"expires_at": string | null,"id": string,"key_hash": string,"last_used_at": string | null,"limit_group": string,"masked_key": string,"monthly_cost": number | null,"monthly_messages": number | null,"monthly_tokens": number | null,"name": string,"requests_per_minute": number,"revoked_at": string | null,"scopes": (string)[],"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "agent_id": string,"allowed_origins"?: (string)[],"created_at"?: string,"created_by"?: string | null,"expires_at"?: string | null,"id"?: string,"key_hash": string,"last_used_at"?: string | null,"limit_group": string,"masked_key": string,"monthly_cost"?: number | null,"monthly_messages"?: number | null,"monthly_tokens"?: number | null,"name": string,"requests_per_minute"?: number,"revoked_at"?: string | null,"scopes"?: (string)[],"updated_at"?: string
                  }
                  Update: {
                    "agent_id"?: string,"allowed_origins"?: (string)[],"created_at"?: string,"created_by"?: string | null,"expires_at"?: string | null,"id"?: string,"key_hash"?: string,"last_used_at"?: string | null,"limit_group"?: string,"masked_key"?: string,"monthly_cost"?: number | null,"monthly_messages"?: number | null,"monthly_tokens"?: number | null,"name"?: string,"requests_per_minute"?: number,"revoked_at"?: string | null,"scopes"?: (string)[],"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "api_keys_agent_id_fkey"
      columns: ["agent_id"]
isOneToOne: false
      referencedRelation: "agents"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "api_keys_created_by_fkey"
      columns: ["created_by"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    }
                  ]
                },"app_config": {
                  Row: {
                    "created_at": string,"description": string,"key": string,"updated_at": string,"value": NonNullable<Json>,"value_type": string,"version": number
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"description": string,"key": string,"updated_at"?: string,"value": NonNullable<Json>,"value_type": string,"version"?: number
                  }
                  Update: {
                    "created_at"?: string,"description"?: string,"key"?: string,"updated_at"?: string,"value"?: NonNullable<Json>,"value_type"?: string,"version"?: number
                  }
                  Relationships: [
                    
                  ]
                },"app_config_history": {
                  Row: {
                    "changed_by": string | null,"created_at": string,"id": number,"key": string,"new_value": Json | null,"old_value": Json | null,"version": number
                  }
                  ComputedFields: never
                  Insert: {
                    "changed_by"?: string | null,"created_at"?: string,"id"?: never,"key": string,"new_value"?: Json | null,"old_value"?: Json | null,"version": number
                  }
                  Update: {
                    "changed_by"?: string | null,"created_at"?: string,"id"?: never,"key"?: string,"new_value"?: Json | null,"old_value"?: Json | null,"version"?: number
                  }
                  Relationships: [
                    
                  ]
                },"chunk_terms": {
                  Row: {
                    "agent_id": string,"batch": number,"document_id": string,"lexeme": string,"postings": (number)[]
                  }
                  ComputedFields: never
                  Insert: {
                    "agent_id": string,"batch": number,"document_id": string,"lexeme": string,"postings": (number)[]
                  }
                  Update: {
                    "agent_id"?: string,"batch"?: number,"document_id"?: string,"lexeme"?: string,"postings"?: (number)[]
                  }
                  Relationships: [
                    
                  ]
                },"company_facts": {
                  Row: {
                    "active": boolean,"agent_id": string,"category": string,"created_at": string,"id": string,"key": string,"updated_at": string,"value": string,"version": number
                  }
                  ComputedFields: never
                  Insert: {
                    "active"?: boolean,"agent_id": string,"category"?: string,"created_at"?: string,"id"?: string,"key": string,"updated_at"?: string,"value": string,"version"?: number
                  }
                  Update: {
                    "active"?: boolean,"agent_id"?: string,"category"?: string,"created_at"?: string,"id"?: string,"key"?: string,"updated_at"?: string,"value"?: string,"version"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "company_facts_agent_id_fkey"
      columns: ["agent_id"]
isOneToOne: false
      referencedRelation: "agents"
      referencedColumns: ["id"]
    }
                  ]
                },"company_facts_versions": {
                  Row: {
                    "agent_id": string,"changed_by": string | null,"created_at": string,"id": number,"key": string,"new_value": string | null,"old_value": string | null,"version": number
                  }
                  ComputedFields: never
                  Insert: {
                    "agent_id": string,"changed_by"?: string | null,"created_at"?: string,"id"?: never,"key": string,"new_value"?: string | null,"old_value"?: string | null,"version": number
                  }
                  Update: {
                    "agent_id"?: string,"changed_by"?: string | null,"created_at"?: string,"id"?: never,"key"?: string,"new_value"?: string | null,"old_value"?: string | null,"version"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "company_facts_versions_agent_id_fkey"
      columns: ["agent_id"]
isOneToOne: false
      referencedRelation: "agents"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "company_facts_versions_changed_by_fkey"
      columns: ["changed_by"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    }
                  ]
                },"conversation_contexts": {
                  Row: {
                    "agent_id": string,"conversation_id": string,"created_at": string,"embedding": unknown,"embedding_model": string | null,"entities": NonNullable<Json>,"from_message_id": string | null,"intent_history": NonNullable<Json>,"key_facts": NonNullable<Json>,"sentiment": string,"summary": string | null,"through_message_id": string | null,"topics": (string)[],"updated_at": string,"visitor_id": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "agent_id": string,"conversation_id": string,"created_at"?: string,"embedding"?: unknown,"embedding_model"?: string | null,"entities"?: NonNullable<Json>,"from_message_id"?: string | null,"intent_history"?: NonNullable<Json>,"key_facts"?: NonNullable<Json>,"sentiment"?: string,"summary"?: string | null,"through_message_id"?: string | null,"topics"?: (string)[],"updated_at"?: string,"visitor_id"?: string | null
                  }
                  Update: {
                    "agent_id"?: string,"conversation_id"?: string,"created_at"?: string,"embedding"?: unknown,"embedding_model"?: string | null,"entities"?: NonNullable<Json>,"from_message_id"?: string | null,"intent_history"?: NonNullable<Json>,"key_facts"?: NonNullable<Json>,"sentiment"?: string,"summary"?: string | null,"through_message_id"?: string | null,"topics"?: (string)[],"updated_at"?: string,"visitor_id"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "conversation_contexts_agent_id_fkey"
      columns: ["agent_id"]
isOneToOne: false
      referencedRelation: "agents"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "conversation_contexts_conversation_id_fkey"
      columns: ["conversation_id"]
isOneToOne: true
      referencedRelation: "conversations"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "conversation_contexts_from_message_id_fkey"
      columns: ["from_message_id"]
isOneToOne: false
      referencedRelation: "messages"
      referencedColumns: ["id"]
    }
                  ]
                },"conversations": {
                  Row: {
                    "agent_id": string,"api_key_id": string | null,"channel": string,"closed_at": string | null,"created_at": string,"id": string,"language": string | null,"message_count": number,"metadata": NonNullable<Json>,"session_id": string,"status": string,"summary": string | null,"summary_from": string | null,"summary_through": string | null,"topic_turns": number,"topic_words": (string)[],"updated_at": string,"user_id": string | null,"visitor_id": string | null,"visitor_verified": boolean
                  }
                  ComputedFields: never
                  Insert: {
                    "agent_id": string,"api_key_id"?: string | null,"channel"?: string,"closed_at"?: string | null,"created_at"?: string,"id"?: string,"language"?: string | null,"message_count"?: number,"metadata"?: NonNullable<Json>,"session_id": string,"status"?: string,"summary"?: string | null,"summary_from"?: string | null,"summary_through"?: string | null,"topic_turns"?: number,"topic_words"?: (string)[],"updated_at"?: string,"user_id"?: string | null,"visitor_id"?: string | null,"visitor_verified"?: boolean
                  }
                  Update: {
                    "agent_id"?: string,"api_key_id"?: string | null,"channel"?: string,"closed_at"?: string | null,"created_at"?: string,"id"?: string,"language"?: string | null,"message_count"?: number,"metadata"?: NonNullable<Json>,"session_id"?: string,"status"?: string,"summary"?: string | null,"summary_from"?: string | null,"summary_through"?: string | null,"topic_turns"?: number,"topic_words"?: (string)[],"updated_at"?: string,"user_id"?: string | null,"visitor_id"?: string | null,"visitor_verified"?: boolean
                  }
                  Relationships: [
                    {
      foreignKeyName: "conversations_agent_id_fkey"
      columns: ["agent_id"]
isOneToOne: false
      referencedRelation: "agents"
      referencedColumns: ["id"]
    }
                  ]
                },"document_chunks": {
                  Row: {
                    "agent_id": string,"bits": unknown,"char_end": number,"char_start": number,"chunk_index": number,"content": string,"created_at": string,"document_id": string,"embedding": unknown,"embedding_model": string,"hash": string,"heading": string | null,"id": number,"page": number | null,"tokens": number
                  }
                  ComputedFields: never
                  Insert: {
                    "agent_id": string,"bits"?: never,"char_end": number,"char_start": number,"chunk_index": number,"content": string,"created_at"?: string,"document_id": string,"embedding": unknown,"embedding_model": string,"hash": string,"heading"?: string | null,"id"?: never,"page"?: number | null,"tokens": number
                  }
                  Update: {
                    "agent_id"?: string,"bits"?: never,"char_end"?: number,"char_start"?: number,"chunk_index"?: number,"content"?: string,"created_at"?: string,"document_id"?: string,"embedding"?: unknown,"embedding_model"?: string,"hash"?: string,"heading"?: string | null,"id"?: never,"page"?: number | null,"tokens"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "document_chunks_agent_id_fkey"
      columns: ["agent_id"]
isOneToOne: false
      referencedRelation: "agents"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "document_chunks_document_id_fkey"
      columns: ["document_id"]
isOneToOne: false
      referencedRelation: "documents"
      referencedColumns: ["id"]
    }
                  ]
                },"document_files": {
                  Row: {
                    "content": string,"created_at": string,"document_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "content": string,"created_at"?: string,"document_id": string
                  }
                  Update: {
                    "content"?: string,"created_at"?: string,"document_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "document_files_document_id_fkey"
      columns: ["document_id"]
isOneToOne: true
      referencedRelation: "documents"
      referencedColumns: ["id"]
    }
                  ]
                },"documents": {
                  Row: {
                    "agent_id": string,"api_key_id": string | null,"attempts": number,"category": string | null,"chunk_count": number,"content_hash": string,"created_at": string,"created_by": string | null,"deleted_at": string | null,"error_code": string | null,"error_message": string | null,"file_path": string | null,"id": string,"language": string | null,"lease": string | null,"leased_until": string | null,"metadata": NonNullable<Json>,"mime_type": string,"next_attempt_at": string,"progress": number,"replaces": string | null,"size_bytes": number,"source": string | null,"state": NonNullable<Json>,"status": string,"title": string,"token_count": number,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "agent_id": string,"api_key_id"?: string | null,"attempts"?: number,"category"?: string | null,"chunk_count"?: number,"content_hash": string,"created_at"?: string,"created_by"?: string | null,"deleted_at"?: string | null,"error_code"?: string | null,"error_message"?: string | null,"file_path"?: string | null,"id"?: string,"language"?: string | null,"lease"?: string | null,"leased_until"?: string | null,"metadata"?: NonNullable<Json>,"mime_type": string,"next_attempt_at"?: string,"progress"?: number,"replaces"?: string | null,"size_bytes": number,"source"?: string | null,"state"?: NonNullable<Json>,"status"?: string,"title": string,"token_count"?: number,"updated_at"?: string
                  }
                  Update: {
                    "agent_id"?: string,"api_key_id"?: string | null,"attempts"?: number,"category"?: string | null,"chunk_count"?: number,"content_hash"?: string,"created_at"?: string,"created_by"?: string | null,"deleted_at"?: string | null,"error_code"?: string | null,"error_message"?: string | null,"file_path"?: string | null,"id"?: string,"language"?: string | null,"lease"?: string | null,"leased_until"?: string | null,"metadata"?: NonNullable<Json>,"mime_type"?: string,"next_attempt_at"?: string,"progress"?: number,"replaces"?: string | null,"size_bytes"?: number,"source"?: string | null,"state"?: NonNullable<Json>,"status"?: string,"title"?: string,"token_count"?: number,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "documents_agent_id_fkey"
      columns: ["agent_id"]
isOneToOne: false
      referencedRelation: "agents"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "documents_api_key_id_fkey"
      columns: ["api_key_id"]
isOneToOne: false
      referencedRelation: "api_keys"
      referencedColumns: ["id"]
    }
                  ]
                },"embedding_sets": {
                  Row: {
                    "agent_id": string,"attempts": number,"chunks": number,"created_at": string,"embedding_model": string,"error_code": string | null,"error_message": string | null,"id": string,"lease": string | null,"leased_until": string | null,"next_attempt_at": string,"reached": number,"status": string,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "agent_id": string,"attempts"?: number,"chunks"?: number,"created_at"?: string,"embedding_model": string,"error_code"?: string | null,"error_message"?: string | null,"id"?: string,"lease"?: string | null,"leased_until"?: string | null,"next_attempt_at"?: string,"reached"?: number,"status"?: string,"updated_at"?: string
                  }
                  Update: {
                    "agent_id"?: string,"attempts"?: number,"chunks"?: number,"created_at"?: string,"embedding_model"?: string,"error_code"?: string | null,"error_message"?: string | null,"id"?: string,"lease"?: string | null,"leased_until"?: string | null,"next_attempt_at"?: string,"reached"?: number,"status"?: string,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "embedding_sets_agent_id_fkey"
      columns: ["agent_id"]
isOneToOne: false
      referencedRelation: "agents"
      referencedColumns: ["id"]
    }
                  ]
                },"entity_memory": {
                  Row: {
                    "agent_id": string,"confidence": number,"conversation_id": string,"created_at": string,"id": string,"message_id": string | null,"sentiment": string,"type": string,"updated_at": string,"value": string
                  }
                  ComputedFields: never
                  Insert: {
                    "agent_id": string,"confidence"?: number,"conversation_id": string,"created_at"?: string,"id"?: string,"message_id"?: string | null,"sentiment"?: string,"type": string,"updated_at"?: string,"value": string
                  }
                  Update: {
                    "agent_id"?: string,"confidence"?: number,"conversation_id"?: string,"created_at"?: string,"id"?: string,"message_id"?: string | null,"sentiment"?: string,"type"?: string,"updated_at"?: string,"value"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "entity_memory_agent_id_fkey"
      columns: ["agent_id"]
isOneToOne: false
      referencedRelation: "agents"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "entity_memory_conversation_id_fkey"
      columns: ["conversation_id"]
isOneToOne: false
      referencedRelation: "conversations"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "entity_memory_message_id_fkey"
      columns: ["message_id"]
isOneToOne: false
      referencedRelation: "messages"
      referencedColumns: ["id"]
    }
                  ]
                },"feedback": {
                  Row: {
                    "agent_id": string,"category": string | null,"comment": string | null,"created_at": string,"id": string,"message_id": string,"rating": number,"session_id": string,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "agent_id": string,"category"?: string | null,"comment"?: string | null,"created_at"?: string,"id"?: string,"message_id": string,"rating": number,"session_id": string,"updated_at"?: string
                  }
                  Update: {
                    "agent_id"?: string,"category"?: string | null,"comment"?: string | null,"created_at"?: string,"id"?: string,"message_id"?: string,"rating"?: number,"session_id"?: string,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "feedback_agent_id_fkey"
      columns: ["agent_id"]
isOneToOne: false
      referencedRelation: "agents"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "feedback_message_id_fkey"
      columns: ["message_id"]
isOneToOne: false
      referencedRelation: "messages"
      referencedColumns: ["id"]
    }
                  ]
                },"idempotency_keys": {
                  Row: {
                    "created_at": string,"credential": string,"key": string,"request_hash": string,"route": string,"turn_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"credential": string,"key": string,"request_hash": string,"route": string,"turn_id": string
                  }
                  Update: {
                    "created_at"?: string,"credential"?: string,"key"?: string,"request_hash"?: string,"route"?: string,"turn_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "idempotency_keys_turn_id_fkey"
      columns: ["turn_id"]
isOneToOne: false
      referencedRelation: "turns"
      referencedColumns: ["id"]
    }
                  ]
                },"invitations": {
                  Row: {
                    "accepted_at": string | null,"accepted_by": string | null,"agent_id": string | null,"created_at": string,"email": string,"expires_at": string,"id": string,"invited_by": string | null,"role": string,"token_hash": string,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "accepted_at"?: string | null,"accepted_by"?: string | null,"agent_id"?: string | null,"created_at"?: string,"email": string,"expires_at"?: string,"id"?: string,"invited_by"?: string | null,"role": string,"token_hash": string,"updated_at"?: string
                  }
                  Update: {
                    "accepted_at"?: string | null,"accepted_by"?: string | null,"agent_id"?: string | null,"created_at"?: string,"email"?: string,"expires_at"?: string,"id"?: string,"invited_by"?: string | null,"role"?: string,"token_hash"?: string,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "invitations_accepted_by_fkey"
      columns: ["accepted_by"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "invitations_agent_id_fkey"
      columns: ["agent_id"]
isOneToOne: false
      referencedRelation: "agents"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "invitations_invited_by_fkey"
      columns: ["invited_by"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    }
                  ]
                },"jobs": {
                  Row: {
                    "created_at": string,"enabled": boolean,"every": string,"kind": string,"last_duration_ms": number | null,"last_error": string | null,"last_run_at": string | null,"last_status": string | null,"name": string,"next_run_at": string,"takes_locks": boolean,"target": string,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"enabled"?: boolean,"every": string,"kind": string,"last_duration_ms"?: number | null,"last_error"?: string | null,"last_run_at"?: string | null,"last_status"?: string | null,"name": string,"next_run_at"?: string,"takes_locks"?: boolean,"target": string,"updated_at"?: string
                  }
                  Update: {
                    "created_at"?: string,"enabled"?: boolean,"every"?: string,"kind"?: string,"last_duration_ms"?: number | null,"last_error"?: string | null,"last_run_at"?: string | null,"last_status"?: string | null,"name"?: string,"next_run_at"?: string,"takes_locks"?: boolean,"target"?: string,"updated_at"?: string
                  }
                  Relationships: [
                    
                  ]
                },"messages": {
                  Row: {
                    "agent_id": string,"citations": NonNullable<Json>,"content": string,"conversation_id": string,"created_at": string,"id": string,"metadata": NonNullable<Json>,"model": string | null,"prompt_version_id": string | null,"provider": string | null,"response_time_ms": number | null,"role": string,"status": string,"support": number | null,"tokens_used": number,"turn_id": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "agent_id": string,"citations"?: NonNullable<Json>,"content": string,"conversation_id": string,"created_at"?: string,"id"?: string,"metadata"?: NonNullable<Json>,"model"?: string | null,"prompt_version_id"?: string | null,"provider"?: string | null,"response_time_ms"?: number | null,"role": string,"status"?: string,"support"?: number | null,"tokens_used"?: number,"turn_id"?: string | null
                  }
                  Update: {
                    "agent_id"?: string,"citations"?: NonNullable<Json>,"content"?: string,"conversation_id"?: string,"created_at"?: string,"id"?: string,"metadata"?: NonNullable<Json>,"model"?: string | null,"prompt_version_id"?: string | null,"provider"?: string | null,"response_time_ms"?: number | null,"role"?: string,"status"?: string,"support"?: number | null,"tokens_used"?: number,"turn_id"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "messages_conversation_id_fkey"
      columns: ["conversation_id"]
isOneToOne: false
      referencedRelation: "conversations"
      referencedColumns: ["id"]
    }
                  ]
                },"model_prices": {
                  Row: {
                    "created_at": string,"currency": string,"input_per_million": number,"model": string,"output_per_million": number,"provider": string,"updated_at": string,"valid_from": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"currency"?: string,"input_per_million": number,"model": string,"output_per_million": number,"provider": string,"updated_at"?: string,"valid_from"?: string
                  }
                  Update: {
                    "created_at"?: string,"currency"?: string,"input_per_million"?: number,"model"?: string,"output_per_million"?: number,"provider"?: string,"updated_at"?: string,"valid_from"?: string
                  }
                  Relationships: [
                    
                  ]
                },"outbox": {
                  Row: {
                    "attempts": number,"created_at": string,"id": number,"last_error": string | null,"next_attempt_at": string,"payload": NonNullable<Json>,"processed_at": string | null,"topic": string,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "attempts"?: number,"created_at"?: string,"id"?: never,"last_error"?: string | null,"next_attempt_at"?: string,"payload"?: NonNullable<Json>,"processed_at"?: string | null,"topic": string,"updated_at"?: string
                  }
                  Update: {
                    "attempts"?: number,"created_at"?: string,"id"?: never,"last_error"?: string | null,"next_attempt_at"?: string,"payload"?: NonNullable<Json>,"processed_at"?: string | null,"topic"?: string,"updated_at"?: string
                  }
                  Relationships: [
                    
                  ]
                },"plans": {
                  Row: {
                    "agents": number,"created_at": string,"documents": number,"messages": number,"name": string,"stripe_price_ids": (string)[],"tokens": number,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "agents": number,"created_at"?: string,"documents": number,"messages": number,"name": string,"stripe_price_ids"?: (string)[],"tokens": number,"updated_at"?: string
                  }
                  Update: {
                    "agents"?: number,"created_at"?: string,"documents"?: number,"messages"?: number,"name"?: string,"stripe_price_ids"?: (string)[],"tokens"?: number,"updated_at"?: string
                  }
                  Relationships: [
                    
                  ]
                },"prompt_versions": {
                  Row: {
                    "active": boolean,"content": string,"created_at": string,"created_by": string | null,"id": string,"prompt_id": string,"updated_at": string,"version": number
                  }
                  ComputedFields: never
                  Insert: {
                    "active"?: boolean,"content": string,"created_at"?: string,"created_by"?: string | null,"id"?: string,"prompt_id": string,"updated_at"?: string,"version": number
                  }
                  Update: {
                    "active"?: boolean,"content"?: string,"created_at"?: string,"created_by"?: string | null,"id"?: string,"prompt_id"?: string,"updated_at"?: string,"version"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "prompt_versions_created_by_fkey"
      columns: ["created_by"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "prompt_versions_prompt_id_fkey"
      columns: ["prompt_id"]
isOneToOne: false
      referencedRelation: "prompts"
      referencedColumns: ["id"]
    }
                  ]
                },"prompts": {
                  Row: {
                    "agent_id": string | null,"created_at": string,"created_by": string | null,"id": string,"language": string | null,"name": string,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "agent_id"?: string | null,"created_at"?: string,"created_by"?: string | null,"id"?: string,"language"?: string | null,"name": string,"updated_at"?: string
                  }
                  Update: {
                    "agent_id"?: string | null,"created_at"?: string,"created_by"?: string | null,"id"?: string,"language"?: string | null,"name"?: string,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "prompts_agent_id_fkey"
      columns: ["agent_id"]
isOneToOne: false
      referencedRelation: "agents"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "prompts_created_by_fkey"
      columns: ["created_by"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    }
                  ]
                },"provider_health": {
                  Row: {
                    "created_at": string,"failed_at": string,"failures": number,"id": string,"last_error": string | null,"model": string,"probing": boolean,"provider": string,"provider_key_id": string | null,"skip_until": string | null,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"failed_at"?: string,"failures"?: number,"id"?: string,"last_error"?: string | null,"model": string,"probing"?: boolean,"provider": string,"provider_key_id"?: string | null,"skip_until"?: string | null,"updated_at"?: string
                  }
                  Update: {
                    "created_at"?: string,"failed_at"?: string,"failures"?: number,"id"?: string,"last_error"?: string | null,"model"?: string,"probing"?: boolean,"provider"?: string,"provider_key_id"?: string | null,"skip_until"?: string | null,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "provider_health_provider_key_id_fkey"
      columns: ["provider_key_id"]
isOneToOne: false
      referencedRelation: "provider_keys"
      referencedColumns: ["id"]
    }
                  ]
                },"provider_keys": {
                  Row: {
                    "ciphertext": string,"created_at": string,"id": string,"key_hash": string,"masked_key": string,"metadata": NonNullable<Json>,"provider": string,"secret_id": string,"updated_at": string,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "ciphertext": string,"created_at"?: string,"id"?: string,"key_hash": string,"masked_key": string,"metadata"?: NonNullable<Json>,"provider": string,"secret_id": string,"updated_at"?: string,"user_id": string
                  }
                  Update: {
                    "ciphertext"?: string,"created_at"?: string,"id"?: string,"key_hash"?: string,"masked_key"?: string,"metadata"?: NonNullable<Json>,"provider"?: string,"secret_id"?: string,"updated_at"?: string,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "provider_keys_user_id_fkey"
      columns: ["user_id"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    }
                  ]
                },"rate_limits": {
                  Row: {
                    "blocked_until": string | null,"key": string,"marks": (number)[],"recent": number,"recent_at": string,"steady_until": string,"total": number,"window_seconds": number
                  }
                  ComputedFields: never
                  Insert: {
                    "blocked_until"?: string | null,"key": string,"marks"?: (number)[],"recent": number,"recent_at": string,"steady_until": string,"total": number,"window_seconds": number
                  }
                  Update: {
                    "blocked_until"?: string | null,"key"?: string,"marks"?: (number)[],"recent"?: number,"recent_at"?: string,"steady_until"?: string,"total"?: number,"window_seconds"?: number
                  }
                  Relationships: [
                    
                  ]
                },"security_incidents": {
                  Row: {
                    "address_hash": string | null,"agent_id": string | null,"count": number,"created_at": string,"details": NonNullable<Json>,"hour": string,"id": string,"kind": string,"resolved": boolean,"session_id": string | null,"severity": string,"subject": string,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "address_hash"?: string | null,"agent_id"?: string | null,"count"?: number,"created_at"?: string,"details"?: NonNullable<Json>,"hour": string,"id"?: string,"kind": string,"resolved"?: boolean,"session_id"?: string | null,"severity"?: string,"subject": string,"updated_at"?: string
                  }
                  Update: {
                    "address_hash"?: string | null,"agent_id"?: string | null,"count"?: number,"created_at"?: string,"details"?: NonNullable<Json>,"hour"?: string,"id"?: string,"kind"?: string,"resolved"?: boolean,"session_id"?: string | null,"severity"?: string,"subject"?: string,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "security_incidents_agent_id_fkey"
      columns: ["agent_id"]
isOneToOne: false
      referencedRelation: "agents"
      referencedColumns: ["id"]
    }
                  ]
                },"turn_deltas": {
                  Row: {
                    "created_at": string,"events": NonNullable<Json>,"seq": number,"text": string,"turn_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"events"?: NonNullable<Json>,"seq": number,"text": string,"turn_id": string
                  }
                  Update: {
                    "created_at"?: string,"events"?: NonNullable<Json>,"seq"?: number,"text"?: string,"turn_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "turn_deltas_turn_id_fkey"
      columns: ["turn_id"]
isOneToOne: false
      referencedRelation: "turns"
      referencedColumns: ["id"]
    }
                  ]
                },"turns": {
                  Row: {
                    "agent_id": string,"api_key_id": string | null,"attempts": NonNullable<Json>,"conversation_id": string,"created_at": string,"error_code": string | null,"id": string,"input_tokens": number,"leased_until": string,"limit_group": string | null,"message_id": string,"model": string | null,"output_tokens": number,"owner_id": string,"period": string,"prompt_version_id": string | null,"provider": string | null,"reserved_cost": number,"reserved_in": (string)[],"reserved_tokens": number,"resumable": boolean,"retrieved": NonNullable<Json>,"settled_at": string | null,"state": string,"stop_requested": boolean,"updated_at": string,"user_message_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "agent_id": string,"api_key_id"?: string | null,"attempts"?: NonNullable<Json>,"conversation_id": string,"created_at"?: string,"error_code"?: string | null,"id"?: string,"input_tokens"?: number,"leased_until": string,"limit_group"?: string | null,"message_id": string,"model"?: string | null,"output_tokens"?: number,"owner_id": string,"period": string,"prompt_version_id"?: string | null,"provider"?: string | null,"reserved_cost"?: number,"reserved_in"?: (string)[],"reserved_tokens": number,"resumable"?: boolean,"retrieved"?: NonNullable<Json>,"settled_at"?: string | null,"state"?: string,"stop_requested"?: boolean,"updated_at"?: string,"user_message_id": string
                  }
                  Update: {
                    "agent_id"?: string,"api_key_id"?: string | null,"attempts"?: NonNullable<Json>,"conversation_id"?: string,"created_at"?: string,"error_code"?: string | null,"id"?: string,"input_tokens"?: number,"leased_until"?: string,"limit_group"?: string | null,"message_id"?: string,"model"?: string | null,"output_tokens"?: number,"owner_id"?: string,"period"?: string,"prompt_version_id"?: string | null,"provider"?: string | null,"reserved_cost"?: number,"reserved_in"?: (string)[],"reserved_tokens"?: number,"resumable"?: boolean,"retrieved"?: NonNullable<Json>,"settled_at"?: string | null,"state"?: string,"stop_requested"?: boolean,"updated_at"?: string,"user_message_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "turns_conversation_id_fkey"
      columns: ["conversation_id"]
isOneToOne: false
      referencedRelation: "conversations"
      referencedColumns: ["id"]
    }
                  ]
                },"usage_counters": {
                  Row: {
                    "cost": number,"cost_limit": number | null,"created_at": string,"message_limit": number | null,"messages": number,"owner_id": string,"period": string,"reserved_cost": number,"reserved_messages": number,"reserved_tokens": number,"scope": string,"subject_id": string,"token_limit": number | null,"tokens": number,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "cost"?: number,"cost_limit"?: number | null,"created_at"?: string,"message_limit"?: number | null,"messages"?: number,"owner_id": string,"period": string,"reserved_cost"?: number,"reserved_messages"?: number,"reserved_tokens"?: number,"scope": string,"subject_id": string,"token_limit"?: number | null,"tokens"?: number,"updated_at"?: string
                  }
                  Update: {
                    "cost"?: number,"cost_limit"?: number | null,"created_at"?: string,"message_limit"?: number | null,"messages"?: number,"owner_id"?: string,"period"?: string,"reserved_cost"?: number,"reserved_messages"?: number,"reserved_tokens"?: number,"scope"?: string,"subject_id"?: string,"token_limit"?: number | null,"tokens"?: number,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "usage_counters_owner_id_fkey"
      columns: ["owner_id"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    }
                  ]
                },"usage_logs": {
                  Row: {
                    "agent_id": string | null,"api_key_id": string | null,"cost": number,"created_at": string,"currency": string,"error_code": string | null,"first_token_ms": number | null,"id": string,"input_tokens": number,"kind": string,"latency_ms": number | null,"model": string,"output_tokens": number,"owner_id": string,"priced": boolean,"provider": string,"status": string,"turn_id": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "agent_id"?: string | null,"api_key_id"?: string | null,"cost"?: number,"created_at"?: string,"currency"?: string,"error_code"?: string | null,"first_token_ms"?: number | null,"id"?: string,"input_tokens"?: number,"kind"?: string,"latency_ms"?: number | null,"model": string,"output_tokens"?: number,"owner_id": string,"priced"?: boolean,"provider": string,"status": string,"turn_id"?: string | null
                  }
                  Update: {
                    "agent_id"?: string | null,"api_key_id"?: string | null,"cost"?: number,"created_at"?: string,"currency"?: string,"error_code"?: string | null,"first_token_ms"?: number | null,"id"?: string,"input_tokens"?: number,"kind"?: string,"latency_ms"?: number | null,"model"?: string,"output_tokens"?: number,"owner_id"?: string,"priced"?: boolean,"provider"?: string,"status"?: string,"turn_id"?: string | null
                  }
                  Relationships: [
                    
                  ]
                },"users": {
                  Row: {
                    "created_at": string,"deleted_at": string | null,"email": string | null,"email_verified": boolean,"first_name": string,"id": string,"last_name": string,"plan": string,"preferences": NonNullable<Json>,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"deleted_at"?: string | null,"email"?: string | null,"email_verified"?: boolean,"first_name"?: string,"id": string,"last_name"?: string,"plan"?: string,"preferences"?: NonNullable<Json>,"updated_at"?: string
                  }
                  Update: {
                    "created_at"?: string,"deleted_at"?: string | null,"email"?: string | null,"email_verified"?: boolean,"first_name"?: string,"id"?: string,"last_name"?: string,"plan"?: string,"preferences"?: NonNullable<Json>,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "users_plan_fkey"
      columns: ["plan"]
isOneToOne: false
      referencedRelation: "plans"
      referencedColumns: ["name"]
    }
                  ]
                }
          }
          Views: {
            [_ in never]: never
          }
          Functions: {
            "accept_invitation":
{ Args: { "token": string }; Returns: Json
                           },
"activate_prompt":
{ Args: { "agent_id"?: string,"language"?: string,"name": string,"version": number }; Returns: Json
                           },
"admit_turn":
{ Args: { "address_hash"?: string,"agent_id"?: string,"channel"?: string,"earlier"?: Json,"extra_tokens"?: number,"idempotency_key"?: string,"is_admin"?: boolean,"key_hash"?: string,"language"?: string,"message": string,"message_metadata"?: Json,"message_tokens": number,"metadata"?: Json,"min_session_length"?: number,"origin"?: string,"regenerate"?: boolean,"request_hash"?: string,"resumable"?: boolean,"route"?: string,"session_id"?: string,"user_id"?: string,"visitor_id"?: string,"visitor_token"?: string }; Returns: Json
                           },
"agent_access":
{ Args: { "agent_id": string }; Returns: Json
                           },
"append_deltas":
{ Args: { "events"?: Json,"input_tokens"?: number,"model"?: string,"output_tokens"?: number,"provider"?: string,"seq": number,"text": string,"turn_id": string }; Returns: Json
                           },
"check_rate_limit":
{ Args: { "p_block_seconds"?: number,"p_cost"?: number,"p_key": string,"p_max_requests": number,"p_window_seconds": number }; Returns: Json
                           },
"chunks_to_embed":
{ Args: { "id": string,"lease": string,"max_items"?: number }; Returns: Json
                           },
"claim_work":
{ Args: { "as_of"?: string,"kind"?: string,"lease_seconds"?: number,"max_items"?: number }; Returns: Json
                           },
"create_api_key":
{ Args: { "agent_id": string,"allowed_origins"?: (string)[],"expires_at"?: string,"monthly_messages"?: number,"monthly_tokens"?: number,"name": string,"requests_per_minute"?: number,"scopes"?: (string)[] }; Returns: Json
                           },
"create_invitation":
{ Args: { "agent_id"?: string,"email": string,"role": string }; Returns: Json
                           },
"delete_document":
{ Args: { "agent_id": string,"document_id": string }; Returns: Json
                           },
"deleted_files":
{ Args: { "max_items"?: number }; Returns: Json
                           },
"document_file":
{ Args: { "document_id": string,"from_byte"?: number,"max_bytes"?: number }; Returns: Json
                           },
"finish_work":
{ Args: { "as_of"?: string,"error"?: Json,"id": string,"kind": string,"lease": string }; Returns: Json
                           },
"forget_documents":
{ Args: { "document_ids": (string)[] }; Returns: number
                           },
"get_document":
{ Args: { "agent_id": string,"document_id": string }; Returns: Json
                           },
"list_documents":
{ Args: { "agent_id": string,"cursor"?: string,"max_items"?: number,"status"?: string }; Returns: Json
                           },
"match_documents":
{ Args: { "agent_id": string,"category"?: string,"embedding_model"?: string,"language"?: string,"match_count"?: number,"match_threshold"?: number,"query": string,"query_embedding"?: string }; Returns: Database["public"]['CompositeTypes']["document_match"][]
                          SetofOptions: {
        from: "*"
        to: "document_match"
        isOneToOne: false
        isSetofReturn: true
      } },
"publish_prompt":
{ Args: { "agent_id"?: string,"content": string,"language"?: string,"name": string }; Returns: Json
                           },
"recall_contexts":
{ Args: { "agent_id": string,"conversation_id": string,"embedding_model"?: string,"max_items"?: number,"query_embedding"?: string,"visitor_id": string }; Returns: Json
                           },
"report_incident":
{ Args: { "address_hash"?: string,"agent_id"?: string,"details"?: Json,"kind": string,"session_id"?: string,"severity": string,"subject": string }; Returns: undefined
                           },
"report_provider":
{ Args: { "error"?: string,"failed": boolean,"model": string,"provider": string,"provider_key_id"?: string,"retry_after"?: number }; Returns: undefined
                           },
"reseal_provider_keys":
{ Args: { "items": Json }; Returns: number
                           },
"reset_chat_session":
{ Args: { "p_agent_id"?: string,"p_session_id": string }; Returns: Json
                           },
"retry_document":
{ Args: { "agent_id": string,"document_id": string }; Returns: Json
                           },
"revoke_api_key":
{ Args: { "key_id": string }; Returns: undefined
                           },
"rotate_api_key":
{ Args: { "grace_minutes"?: number,"key_id": string }; Returns: Json
                           },
"rotate_identity_secret":
{ Args: { "agent_id": string }; Returns: Json
                           },
"run_due_jobs":
{ Args: { "as_of"?: string,"budget_ms"?: number }; Returns: Json
                           },
"save_context":
{ Args: { "embedding"?: string,"embedding_model"?: string,"key_facts"?: Json,"summary": string,"topic"?: string,"turn_id": string }; Returns: boolean
                           },
"save_feedback":
{ Args: { "agent_id": string,"category"?: string,"comment"?: string,"message_id": string,"rating": number }; Returns: Json
                           },
"session_messages":
{ Args: { "agent_id": string,"before"?: string,"max_items"?: number,"reader"?: string,"session_id": string }; Returns: Json
                           },
"set_company_fact":
{ Args: { "agent_id": string,"category"?: string,"key": string,"value": string }; Returns: Json
                           },
"settle_turn":
{ Args: { "answer"?: string,"attempts"?: Json,"citations"?: Json,"error_code"?: string,"events"?: Json,"finish_reason"?: string,"first_token_ms"?: number,"input_tokens"?: number,"memory"?: Json,"message_metadata"?: Json,"model": string,"outcome": string,"output_tokens"?: number,"provider": string,"response_time_ms"?: number,"retrieved"?: Json,"support"?: number,"turn_id": string }; Returns: Json
                           },
"stale_provider_keys":
{ Args: { "after"?: string,"max_items"?: number,"secret_id": string }; Returns: Json
                           },
"stop_turn":
{ Args: { "agent_id": string,"turn_id": string }; Returns: Json
                           },
"storage_mode":
{ Args: Record<PropertyKey, never>; Returns: string
                           },
"store_chunks":
{ Args: { "chunks": Json,"document_id": string,"done"?: boolean,"from_index": number,"language"?: string,"lease": string,"lease_seconds"?: number,"progress"?: number,"state"?: Json }; Returns: Json
                           },
"store_documents":
{ Args: { "agent_id": string,"documents": Json,"embedding_model": string,"lease_seconds"?: number }; Returns: Json
                           },
"store_provider_key":
{ Args: { "ciphertext": string,"id": string,"key_hashes": (string)[],"masked_key": string,"metadata"?: Json,"provider": string,"secret_id": string,"user_id": string }; Returns: Json
                           },
"store_vectors":
{ Args: { "id": string,"lease": string,"lease_seconds"?: number,"vectors": Json }; Returns: Json
                           },
"switch_model":
{ Args: { "id": string,"lease": string }; Returns: Json
                           },
"turn_events":
{ Args: { "after_id"?: number,"agent_id": string,"turn_id": string }; Returns: Json
                           },
"usage_summary":
{ Args: { "month"?: string }; Returns: Json
                           },
"validate_api_key":
{ Args: { "p_cost"?: number,"p_key_hash": string,"p_origin"?: string }; Returns: Json
                           }
          }
          Enums: {
            [_ in never]: never
          }
          CompositeTypes: {
            "document_match": {
                        "id": number | null,"document_id": string | null,"content": string | null,"source": string | null,"category": string | null,"language": string | null,"chunk_index": number | null,"similarity": number | null,"title": string | null,"heading": string | null,"page": number | null,"char_start": number | null,"char_end": number | null,"score": number | null
                      }
          }
        }
}

type DatabaseWithoutInternals = Omit<Database, '__InternalSupabase'>

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">]

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
        DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
      DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])[TableName] extends {
      Row: infer R
    }
    ? R
    : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
  ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
      Row: infer R
    }
    ? R
    : never
  : never

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Insert: infer I
    }
    ? I
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
  ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I
    }
    ? I
    : never
  : never

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Update: infer U
    }
    ? U
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
  ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U
    }
    ? U
    : never
  : never

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
  ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
  ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never

export const Constants = {
  "public": {
          Enums: {
            
          }
        }
} as const
