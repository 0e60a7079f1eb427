-- Undoes memory. Drops for good: no rows. What is remembered stays in the tables of conversations, where nobody reads or
-- adds to it.

drop trigger conversation_contexts_forget_summary on public.conversation_contexts;
drop function
  public.recall_contexts,
  private.find_contexts,
  public.save_context,
  private.told,
  private.newest,
  private.store_memory,
  private.store_summary,
  private.forget_summary,
  private.first_message,
  private.turn_memory,
  private.session_memory,
  private.overflow;
drop policy "agent_reader reads conversations" on public.conversations;
drop policy "agent_reader reads messages" on public.messages;
drop policy "agent_reader reads memory" on public.entity_memory;
drop policy "agent_reader reads contexts of one visitor" on public.conversation_contexts;
revoke select on public.conversations, public.messages, public.entity_memory, public.conversation_contexts from agent_reader;
drop function private.current_visitor;
