import type { ResolvedModel } from "../../shared/models.ts";
import type { Admitted } from "./admission.ts";
import type { Ask } from "./ask.ts";
import type { ChatCaller } from "./caller.ts";
import type { EventStream } from "./events.ts";
import type { TurnEnd, TurnListener } from "./turn.ts";

/** What an answer says of its turn and of who answers: of one that runs, or of one that is told again. */
export interface Told {
  turn: {
    admission: Pick<Admitted, "turn_id" | "message_id" | "session_id" | "conversation_id"> & {
      agent: Pick<Admitted["agent"], "id">;
      channel?: string;
    };
  };
  model: Pick<ResolvedModel, "provider" | "modelId">;
}

/** One exchange that was let in: what was asked, its turn, and the model that is called first. */
export interface Exchange<A extends Ask = Ask> extends Told {
  asked: A;
  requestId: string;
  startedAt: Date;
}

/** Tells a turn to its client while it runs. */
export interface TurnWriter extends TurnListener {
  /** Tells last how the turn ended; its problem too, if it has one. */
  end(end: TurnEnd): void;
}

/** A way to ask an agent over HTTP and to be told the answer. */
export interface Protocol<A extends Ask = Ask> {
  /** Its name, under which an Idempotency-Key counts. */
  name: string;
  /** Whom it is for. */
  callers: readonly ChatCaller["kind"][];
  /** How its conversations are told apart in statistics. */
  channel: "api" | "openai" | "widget";
  /** What a request asks; throws the problem of one that asks nothing it could be answered. */
  read(request: Request): Promise<A>;
  /** The JSON of an answer that is whole; a protocol without only streams. */
  whole?(exchange: Exchange<A>, end: TurnEnd): unknown;
  /** Begins to tell an answer by events. */
  write(exchange: Exchange<A>, events: EventStream): TurnWriter;
  /** What its event streams have in their headers besides what all have. */
  headers?: Record<string, string>;
}
