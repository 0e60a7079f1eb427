import type { LanguageModelV4StreamPart } from "@ai-sdk/provider";
import { ProviderError } from "./provider-error.ts";

/** A piece of a tool call, as OpenAI's wire has it. */
export interface ToolCallDelta {
  index?: number | null;
  id?: string | null;
  function?: { name?: string | null; arguments?: string | null } | null;
}

interface ToolCall {
  id: string;
  name: string;
  input: string;
}

/** Puts tool calls together from their pieces; a piece belongs to the call of its index, or its id, or the last one. */
export class ToolCalls {
  readonly #emit: (part: LanguageModelV4StreamPart) => void;
  readonly #calls: ToolCall[] = [];
  readonly #byIndex = new Map<number, ToolCall>();

  constructor(emit: (part: LanguageModelV4StreamPart) => void) {
    this.#emit = emit;
  }

  /** Takes a piece; a call begins with its name, which may come after the first of its input. */
  push(delta: ToolCallDelta): void {
    const name = delta.function?.name?.trim();
    let piece = delta.function?.arguments ?? "";
    let call = this.#find(delta);
    if (!call) {
      call = { id: this.#newId(delta.id), name: "", input: "" };
      this.#calls.push(call);
    }
    if (typeof delta.index === "number") this.#byIndex.set(delta.index, call);
    call.input += piece;
    if (call.name === "") {
      if (!name) return;
      call.name = name;
      piece = call.input;
      this.#emit({ type: "tool-input-start", id: call.id, toolName: name });
    }
    if (piece !== "") this.#emit({ type: "tool-input-delta", id: call.id, delta: piece });
  }

  /** Emits the whole calls, at the end: before, what looks whole may still go on. Throws when one has no name. */
  end(): void {
    for (const { id, name, input } of this.#calls) {
      if (name === "") throw new ProviderError("The provider sent a tool call without a name");
      this.#emit({ type: "tool-input-end", id });
      this.#emit({ type: "tool-call", toolCallId: id, toolName: name, input });
    }
  }

  #find({ index, id, function: called }: ToolCallDelta): ToolCall | undefined {
    if (typeof index === "number") {
      const call = this.#byIndex.get(index);
      // Some servers give parallel calls the same index: another id with a name is another call.
      const isOther = call && id && id !== call.id && called?.name;
      return isOther ? undefined : call;
    }
    if (id) return this.#calls.find((call) => call.id === id);
    return called?.name ? undefined : this.#calls.at(-1);
  }

  #newId(id: string | null | undefined): string {
    return id && !this.#calls.some((call) => call.id === id) ? id : `call_${crypto.randomUUID()}`;
  }
}
