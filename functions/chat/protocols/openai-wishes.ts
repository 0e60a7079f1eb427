import type { LanguageModelV4FunctionTool } from "@ai-sdk/provider";
import { unsupported } from "../../../shared/body.ts";
import type { ChatCompletionRequest } from "./openai-schema.ts";
import type { Wishes } from "../model/wishes.ts";

// Members that would change the answer and are not supported, and the values with which they would not.
const refused: Record<string, (value: unknown) => boolean> = {
  n: (value) => value === 1,
  logprobs: (value) => value === false,
  top_logprobs: (value) => value === 0,
  logit_bias: isEmpty,
  modalities: (value) => Array.isArray(value) && value.every((each) => each === "text"),
  audio: () => false,
  functions: isEmpty,
  function_call: () => false,
  web_search_options: () => false,
};

/** Refuses by name what a request wishes and would not get; what changes nothing is ignored. */
export function refuseUnsupported(body: ChatCompletionRequest): void {
  for (const [name, isHarmless] of Object.entries(refused)) {
    const value = body[name];
    if (value !== undefined && value !== null && !isHarmless(value)) throw unsupported(name);
  }
}

/** What a request asks of the model. */
export function wishesOf(body: ChatCompletionRequest): Wishes {
  const { tools = [] } = body;
  return {
    maxOutputTokens: body.max_completion_tokens ?? body.max_tokens,
    temperature: body.temperature,
    topP: body.top_p,
    presencePenalty: body.presence_penalty,
    frequencyPenalty: body.frequency_penalty,
    seed: body.seed,
    stopSequences: body.stop === undefined ? undefined : [body.stop].flat(),
    responseFormat: responseFormat(body.response_format),
    reasoning: body.reasoning_effort,
    providerOptions: providerOptions(body),
    ...(tools.length > 0 ? { tools: tools.map(toolOf), toolChoice: toolChoice(body.tool_choice) } : {}),
    ...(body.parallel_tool_calls === false ? { oneToolCall: true } : {}),
  };
}

function responseFormat(format: ChatCompletionRequest["response_format"]): Wishes["responseFormat"] {
  if (format === undefined || format.type === "text") return undefined;
  if (format.type === "json_object") return { type: "json" };
  const { name, description, schema } = format.json_schema;
  return { type: "json", name, description, schema };
}

/** What the model's interface has no word for, in the words of each provider that has one. */
function providerOptions({ response_format, parallel_tool_calls }: ChatCompletionRequest) {
  return {
    ...(response_format?.type === "json_schema"
      ? { wire: { strictJsonSchema: response_format.json_schema.strict ?? false } }
      : {}),
    ...(parallel_tool_calls === false
      ? {
        openai: { parallelToolCalls: false },
        mistral: { parallelToolCalls: false },
        anthropic: { disableParallelToolUse: true },
      }
      : {}),
  };
}

function toolOf(
  { function: called }: NonNullable<ChatCompletionRequest["tools"]>[number],
  place: number,
): LanguageModelV4FunctionTool {
  if (!called) throw unsupported(`tools[${place}]`, "only functions are supported");
  const { name, description, parameters, strict } = called;
  return {
    type: "function",
    name,
    description,
    inputSchema: parameters ?? { type: "object", properties: {} },
    ...(strict === undefined ? {} : { strict }),
  };
}

function toolChoice(choice: ChatCompletionRequest["tool_choice"]): Wishes["toolChoice"] {
  if (choice === undefined) return undefined;
  if (typeof choice === "string") return { type: choice };
  if (!choice.function) throw unsupported("tool_choice", "only functions are supported");
  return { type: "tool", toolName: choice.function.name };
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && Object.keys(value ?? {}).length === 0;
}
