import type { z } from "zod";
import { mediaType, parseJson, readBody, unsupportedType, validate } from "../../shared/body.ts";
import { problem } from "../../shared/errors.ts";
import { binaryTypes, type MediaType, mediaTypeOf, mediaTypes } from "./media-type.ts";
import { FileName, IngestForm, IngestRequest, maxBytes } from "./schema.ts";

/** A document as it was sent. */
export interface Upload {
  /** The field it came in. */
  field: "content" | "file";
  title: string;
  bytes: Uint8Array<ArrayBuffer>;
  mimeType: MediaType;
  source: string | null;
  category: string | null;
  language: string | null;
  metadata: Record<string, unknown>;
  /** The agent that a user or the project names. */
  agentId: string | undefined;
}

/** Reads a document from JSON or from a form, bounded by the bytes that arrive. */
export async function readUpload(request: Request): Promise<Upload> {
  switch (mediaType(request)) {
    case "application/json":
      return fromJson(await readBody(request, maxBytes));
    case "multipart/form-data":
      return fromForm(await readForm(request));
    default:
      throw unsupportedType(mediaType(request), "application/json or multipart/form-data");
  }
}

/** The problem for one field of an upload. */
export function invalid(path: string, message: string): Error {
  return problem("validation_failed", `Cannot accept the document: ${path || "the body"} ${message}`, {
    members: { errors: [{ path, message }] },
  });
}

function fromJson(body: Uint8Array<ArrayBuffer>): Upload {
  const input = parseJson(body);
  refuseUrl(input);
  const { content, title, mime_type = "text/plain", ...fields } = validate(IngestRequest, input);
  const bytes = new TextEncoder().encode(content);
  const mimeType = supported(mime_type, fields.source ?? title, bytes);
  if (binaryTypes.includes(mimeType)) {
    throw invalid("mime_type", `must be a text type: ${mimeType} is sent as the file of a form`);
  }
  return toUpload("content", { title, bytes, mimeType }, fields);
}

async function fromForm(form: FormData): Promise<Upload> {
  const texts: Record<string, string> = {};
  for (const [name, value] of form) if (typeof value === "string") texts[name] = value;
  refuseUrl(texts);
  const { title, mime_type, ...fields } = validate(IngestForm, texts);
  const [file, ...others] = form.getAll("file");
  if (!(file instanceof File) || others.length > 0) throw invalid("file", "must be one file");
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes.byteLength === 0) throw invalid("file", "must not be empty");
  const name = plainName(file.name);
  const mimeType = supported(mime_type ?? file.type, name, bytes);
  return toUpload(
    "file",
    { title: title ?? validate(FileName, { file: name }).file, bytes, mimeType },
    fields,
  );
}

/** A file's name as a person reads it: some clients send its whole path, and many encode it by percent signs. */
function plainName(sent: string): string {
  const name = decoded(sent).split(/[/\\]/).at(-1)!.replace(/\p{Cc}/gu, "").trim();
  return [...name].slice(0, 500).join("");
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    // The percent sign is one of the name's own.
    return name;
  }
}

function toUpload(
  field: Upload["field"],
  document: Pick<Upload, "title" | "bytes" | "mimeType">,
  fields: Omit<z.infer<typeof IngestForm>, "title" | "mime_type">,
): Upload {
  return {
    field,
    ...document,
    source: fields.source ?? null,
    category: fields.category ?? null,
    language: fields.language ?? null,
    metadata: fields.metadata,
    agentId: fields.agent_id,
  };
}

// Taken for a document with an unknown field, a request to fetch a page would store nothing of that page.
function refuseUrl(input: unknown): void {
  if (typeof input !== "object" || input === null || !("url" in input)) return;
  throw problem("unsupported_parameter", "Cannot ingest by url: send the document as content or as a file", {
    members: { errors: [{ path: "url", message: "is not supported" }] },
  });
}

function supported(declared: string, name: string, bytes: Uint8Array): MediaType {
  const type = mediaTypeOf(declared, name, bytes);
  if (type === null) throw unsupportedType(declared, `one of ${mediaTypes.join(", ")}`);
  return type;
}

async function readForm(request: Request): Promise<FormData> {
  const headers = { "content-type": request.headers.get("content-type")! };
  const body = await readBody(request, maxBytes);
  try {
    return await new Response(body, { headers }).formData();
  } catch {
    throw invalid("", "must be whole multipart/form-data, with its boundary");
  }
}
