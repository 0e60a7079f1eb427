-- Undoes conversations. Drops for good: every conversation with its messages, turns, stored deltas, feedback, memory
-- and context.

delete from private.partitioned_tables where name = 'messages';
drop function
  public.save_feedback,
  public.reset_chat_session,
  private.clear_conversation,
  public.session_messages;
drop table public.conversation_contexts, public.entity_memory, public.feedback, public.idempotency_keys, public.turn_deltas, public.turns, public.messages,
  public.conversations;
drop function
  private.asked_conversations,
  private.hidden_conversations;
