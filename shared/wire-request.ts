import type { LanguageModelV4CallOptions, LanguageModelV4Message } from "@ai-sdk/provider";

/** Whose form of the Chat Completions request a server takes: Mistral refuses the fields it does not know. */
export type Dialect = "openai" | "mistral";

/** Who is asked, and in which form. */
export interface WireTarget {
  provider: string;
  modelId: string;
  dialect: Dialect;
}

/** The body of a streamed Chat Completions request; undefined members are left out of the JSON. */
export function requestBody({ provider, modelId, dialect }: WireTarget, call: LanguageModelV4CallOptions) {
  const tools = call.tools?.flatMap((tool) => tool.type === "function" ? [tool] : []) ?? [];
  return {
    model: modelId,
    messages: call.prompt.flatMap((message) => messagesOf(message, dialect)),
    max_tokens: call.maxOutputTokens,
    temperature: call.temperature,
    top_p: call.topP,
    frequency_penalty: call.frequencyPenalty,
    presence_penalty: call.presencePenalty,
    stop: call.stopSequences,
    [dialect === "mistral" ? "random_seed" : "seed"]: call.seed,
    response_format: responseFormat(call.responseFormat, call.providerOptions?.wire),
    reasoning_effort: call.reasoning === "provider-default" ? undefined : call.reasoning,
    ...ownOptions(call.providerOptions?.[provider]),
    ...(tools.length === 0 ? {} : {
      tools: tools.map(({ name, description, inputSchema, strict }) => ({
        type: "function",
        function: { name, description, parameters: inputSchema, strict },
      })),
      tool_choice: toolChoice(call.toolChoice, dialect),
    }),
    stream: true,
    // Without it such a server does not say what a stream has used; Mistral always does, and has no such field.
    ...(dialect === "openai" ? { stream_options: { include_usage: true } } : {}),
  };
}

/** A provider's own options, such as `parallelToolCalls`, as the wire spells them. */
function ownOptions(options: Record<string, unknown> = {}): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  );
}

function responseFormat(
  format: LanguageModelV4CallOptions["responseFormat"],
  { strictJsonSchema: strict = true }: Record<string, unknown> = {},
): object | undefined {
  if (format?.type !== "json") return undefined;
  const { schema, name = "response", description } = format;
  if (!schema) return { type: "json_object" };
  return { type: "json_schema", json_schema: { name, description, schema, strict } };
}

function toolChoice(choice: LanguageModelV4CallOptions["toolChoice"], dialect: Dialect): unknown {
  if (choice?.type === "tool") return { type: "function", function: { name: choice.toolName } };
  return choice?.type === "required" && dialect === "mistral" ? "any" : choice?.type;
}

/** A message on the wire: a tool message of the prompt holds several results, each of them a message there. */
function messagesOf({ role, content }: LanguageModelV4Message, dialect: Dialect): object[] {
  const idOf = dialect === "mistral" ? mistralId : (id: string) => id;
  switch (role) {
    case "system":
      return [{ role, content }];
    case "user":
      return [{ role, content: textOf(content) }];
    case "assistant": {
      const calls = content.flatMap((part) => part.type === "tool-call" ? [part] : []);
      const text = textOf(content.filter(({ type }) => type !== "tool-call" && type !== "reasoning"));
      if (calls.length === 0) return [{ role, content: text }];
      return [{
        role,
        content: text === "" ? null : text,
        tool_calls: calls.map(({ toolCallId, toolName, input }) => ({
          id: idOf(toolCallId),
          type: "function",
          function: { name: toolName, arguments: typeof input === "string" ? input : JSON.stringify(input) },
        })),
      }];
    }
    case "tool":
      return content.flatMap((part) =>
        part.type === "tool-result"
          ? [{ role, tool_call_id: idOf(part.toolCallId), content: outputOf(part.output) }]
          : []
      );
  }
}

/** Mistral takes ids of nine letters and digits only; another vendor's, after a change of the model, get one. */
function mistralId(id: string): string {
  if (/^[A-Za-z0-9]{9}$/.test(id)) return id;
  const hash = [...id].reduce((sum, character) => (sum * 31 + character.codePointAt(0)!) % 36 ** 9, 0);
  return hash.toString(36).padStart(9, "0");
}

function textOf(parts: readonly { type: string; text?: string }[]): string {
  return parts.map(({ type, text }) => {
    if (type !== "text" || text === undefined) {
      throw new TypeError(`Cannot send a part of type ${type} to this model: it takes text`);
    }
    return text;
  }).join("");
}

type ToolOutput = Extract<
  Extract<LanguageModelV4Message, { role: "tool" }>["content"][number],
  { type: "tool-result" }
>["output"];

function outputOf(output: ToolOutput): string {
  switch (output.type) {
    case "text":
    case "error-text":
      return output.value;
    case "execution-denied":
      return output.reason ?? "The tool was not allowed to run.";
    default:
      return JSON.stringify(output.value);
  }
}
