import type { ChatAgent, ChatFixture } from "../functions/chat/fixture.ts";

/** Blocks an agent's key for so many seconds, as a rate limit does that was run into. */
export async function block(chat: ChatFixture, agent: ChatAgent, seconds: number): Promise<void> {
  await chat.rows(
    `insert into public.rate_limits (key, window_seconds, total, recent, recent_at, steady_until, blocked_until)
     select 'key:' || k.limit_group, 60, 0, 0, now(), '-infinity', clock_timestamp() + make_interval(secs => $2)
     from public.api_keys k where k.id = $1
     on conflict (key) do update set blocked_until = excluded.blocked_until, steady_until = excluded.steady_until`,
    [agent.keyId, seconds],
  );
}

/** A fetch that keeps what it was answered: the status, the wait that was told, and when. */
export function watched() {
  const answers: { status: number; retryAfter: string | null; at: number }[] = [];
  const send: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const { status, headers } = response;
    answers.push({ status, retryAfter: headers.get("retry-after"), at: performance.now() });
    return response;
  };
  return { answers, send };
}
