import { z } from "zod";
import { jsonObject, text } from "../../shared/fields.ts";

/** The largest body, and so the largest document. */
export const maxBytes = 8 * 1024 * 1024;

const absent = (value: unknown) => (value === "" || value === null ? undefined : value);
/** A field that a form sends empty and JSON sends as null when it is not set. */
const optional = <T extends z.ZodType>(schema: T) => z.preprocess(absent, schema.optional());

const Fields = z.object({
  source: optional(text({ min: 1, max: 2000 })),
  mime_type: optional(text({ min: 1, max: 200 })),
  category: optional(text({ min: 1, max: 100 })),
  language: optional(z.string().regex(/^[a-z]{2,3}$/, "must be a language code such as fr")),
  agent_id: optional(z.guid()),
});

/** A document in JSON. */
export const IngestRequest = Fields.extend({
  title: text({ min: 1, max: 500 }),
  content: text({ min: 1, max: maxBytes }),
  metadata: z.preprocess(absent, jsonObject().default({})),
});

/** The fields beside `file` in a form; a missing title is the file's name. */
export const IngestForm = Fields.extend({
  title: optional(text({ min: 1, max: 500 })),
  metadata: z.preprocess(parsed, jsonObject().default({})),
});

/** The name of a file, which serves as its title. */
export const FileName = z.object({ file: text({ min: 1, max: 500 }) });

/** The query of the list. */
export const ListQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().regex(/^[0-9]{1,20}_[0-9a-f-]{36}$/, "must be a cursor that was returned").optional(),
  status: z.enum(["queued", "processing", "ready", "failed"]).optional(),
  agent_id: z.guid().optional(),
});

/** Which agent a user or the project acts on. */
export const AgentQuery = z.object({ agent_id: z.guid().optional() });

/** The body of a scheduled call. */
export const WorkRequest = z.object({ budget_ms: z.int().min(0).max(140_000).default(25_000) });

// A form carries texts alone, so its metadata is JSON in a text.
function parsed(value: unknown): unknown {
  if (typeof value !== "string" || value === "") return value === "" ? undefined : value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** Whether a part of a path can be a document's id. */
export function isId(text: string): boolean {
  return z.guid().safeParse(text).success;
}
