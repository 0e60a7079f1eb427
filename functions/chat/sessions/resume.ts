import { z } from "zod";
import { validate } from "../../../shared/body.ts";
import type { Deps } from "../../../shared/deps.ts";
import { isCode, problem } from "../../../shared/errors.ts";
import type { Handler } from "../../../shared/http.ts";
import type { TurnEvents } from "../../../shared/results.ts";
import { EVENT_STREAM_HEADERS, EventStream } from "../events.ts";
import { noSuchTurn, type ReachableTurn, reachTurn } from "./turn-access.ts";

type ResumeDeps = Pick<Deps, "env" | "rpc" | "rpcAs" | "now" | "log" | "background">;

/** How often a turn that another instance answers is looked at; its events are stored as often. */
const EVERY_MS = 250;

const eventId = z.coerce.number().int().min(0).max(2_147_483_647);
const ResumeQuery = z.object({ after: eventId.optional(), last: eventId.optional() });

/** Reads a resumable turn on behind an event, until its end, from any instance: the events are in the database. */
export function resumeTurn(deps: ResumeDeps): Handler {
  return async (request, context) => {
    const turn = await reachTurn(request, context, deps);
    const { after, last } = validate(ResumeQuery, {
      after: context.url.searchParams.get("after") ?? undefined,
      last: request.headers.get("last-event-id") ?? undefined,
    });
    const afterId = after ?? last ?? 0;
    const found = await deps.rpc.turnEvents({ ...turn, afterId }, { signal: request.signal });
    if (found === null) throw noSuchTurn();
    if (!found.resumable) {
      throw problem("conflict", "Cannot resume the turn: it was not asked with metadata.resumable");
    }
    const reader = new AbortController();
    const leave = () => reader.abort();
    request.signal.addEventListener("abort", leave, { once: true });
    const events = new EventStream({ onCancel: leave });
    deps.background(
      follow({ turn, found, afterId, requestId: context.requestId }, { deps, events, signal: reader.signal })
        .finally(() => {
          request.signal.removeEventListener("abort", leave);
          events.close();
        }),
    );
    return new Response(events.body, {
      headers: { ...EVENT_STREAM_HEADERS, "x-turn-id": turn.turnId },
    });
  };
}

interface Following {
  turn: ReachableTurn;
  found: NonNullable<TurnEvents>;
  afterId: number;
  requestId: string;
}

interface Reading {
  deps: ResumeDeps;
  events: EventStream;
  signal: AbortSignal;
}

/** Sends what is stored and what is stored meanwhile; ends with the turn's own last event, or says that it has none. */
async function follow(
  { turn, found, afterId, requestId }: Following,
  { deps, events, signal }: Reading,
): Promise<void> {
  let lastId = afterId;
  for (let seen: TurnEvents = found; seen !== null; seen = await look()) {
    for (const { id, event, data } of seen.events) {
      // A batch whose outcome was unknown may be stored twice.
      if (id <= lastId) continue;
      events.send(event, data, id);
      lastId = id;
      if (event === "done" || event === "error") return;
    }
    if (seen.settled) return sendEnd(seen);
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    if (signal.aborted) return;
  }

  function look(): Promise<TurnEvents> {
    return deps.rpc.turnEvents({ ...turn, afterId: lastId });
  }

  // The worker died before it could store the end, or its events are forgotten, or the client has seen them all.
  function sendEnd({ error_code, message_id }: NonNullable<TurnEvents>): void {
    if (error_code === null) return;
    const code = isCode(error_code) ? error_code : "internal";
    const told = problem(code, "Cannot read on: the turn ended without an answer");
    events.send("error", { ...told.body(requestId), message_id }, lastId + 1);
  }
}
