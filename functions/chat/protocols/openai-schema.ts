import { z } from "zod";
import { jsonObject, optional, text } from "../../../shared/fields.ts";
import { sessionId, visitorId, visitorToken } from "../schema.ts";

// What bounds these is the body; only what PostgreSQL cannot store is wrong in them.
const anyText = text({ max: 256 * 1024 });
const parts = z.array(
  z.looseObject({ type: z.string(), text: optional(anyText), refusal: optional(anyText) }),
);
const content = z.union([anyText, parts], { error: "must be a text or a list of parts" });
const jsonSchema = jsonObject({ maxBytes: 256 * 1024 });
const toolName = z.string().regex(/^[\w-]{1,64}$/, { error: "must be 1 to 64 letters, digits, _ or -" });

const toolCall = z.looseObject({
  id: text({ min: 1, max: 200 }),
  type: z.string().optional(),
  function: z.looseObject({ name: toolName, arguments: anyText }).optional(),
});

const message = z.discriminatedUnion("role", [
  z.looseObject({ role: z.enum(["system", "developer"]), content }),
  z.looseObject({ role: z.literal("user"), content }),
  z.looseObject({
    role: z.literal("assistant"),
    content: optional(content),
    refusal: optional(anyText),
    tool_calls: optional(z.array(toolCall)),
  }),
  z.looseObject({ role: z.literal("tool"), content, tool_call_id: text({ min: 1, max: 200 }) }),
], { error: "must have the role system, developer, user, assistant or tool" });

/** One message of a request. */
export type OpenAIMessage = z.infer<typeof message>;

const tool = z.looseObject({
  type: z.string(),
  function: optional(z.looseObject({
    name: toolName,
    description: optional(anyText),
    parameters: optional(jsonSchema),
    strict: optional(z.boolean()),
  })),
});

const toolChoice = z.union([
  z.enum(["none", "auto", "required"]),
  z.looseObject({ type: z.string(), function: optional(z.looseObject({ name: toolName })) }),
], { error: "must be none, auto, required or a function" });

const responseFormat = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("text") }),
  z.looseObject({ type: z.literal("json_object") }),
  z.looseObject({
    type: z.literal("json_schema"),
    json_schema: z.looseObject({
      name: toolName,
      description: optional(anyText),
      schema: optional(jsonSchema),
      strict: optional(z.boolean()),
    }),
  }),
], { error: "must have the type text, json_object or json_schema" });

const penalty = optional(z.number().min(-2).max(2));
const count = optional(z.number().int().min(1));

/** The body of a Chat Completions request, as far as it is read; other members are ignored or refused by name. */
export const ChatCompletionRequest = z.looseObject({
  messages: z.array(message).min(1, { error: "must not be empty" }),
  stream: optional(z.boolean()),
  stream_options: optional(z.looseObject({ include_usage: optional(z.boolean()) })),
  user: optional(visitorId),
  metadata: optional(
    jsonObject().pipe(
      z.looseObject({ session_id: optional(sessionId), visitor_token: optional(visitorToken) }),
    ),
  ),
  max_tokens: count,
  max_completion_tokens: count,
  n: count,
  temperature: optional(z.number().min(0).max(2)),
  top_p: optional(z.number().min(0).max(1)),
  presence_penalty: penalty,
  frequency_penalty: penalty,
  seed: optional(z.number().int()),
  stop: optional(z.union([text({ min: 1, max: 1000 }), z.array(text({ min: 1, max: 1000 })).max(4)])),
  response_format: optional(responseFormat),
  reasoning_effort: optional(z.enum(["none", "minimal", "low", "medium", "high", "xhigh", "max"])),
  tools: optional(z.array(tool).max(128)),
  tool_choice: optional(toolChoice),
  parallel_tool_calls: optional(z.boolean()),
});

/** The body of a Chat Completions request. */
export type ChatCompletionRequest = z.infer<typeof ChatCompletionRequest>;
