import type { z } from "zod";
import { type Problem, problem } from "./errors.ts";
import { decodeUtf8 } from "./utf8.ts";

/** Reads a whole body, counting the bytes that really arrive; stops and throws `body_too_large` beyond `maxBytes`. */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > maxBytes) throw tooLarge(declared, maxBytes);
  if (request.body === null) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = request.body.getReader();
  while (true) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > maxBytes) {
      await reader.cancel();
      throw tooLarge(size, maxBytes);
    }
    parts.push(value);
  }
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}

/** Reads and validates a JSON body; with `optional` an empty body counts as `{}`. */
export async function readJson<T extends z.ZodType>(
  request: Request,
  schema: T,
  { maxBytes = 64 * 1024, optional = false }: { maxBytes?: number; optional?: boolean } = {},
): Promise<z.infer<T>> {
  const type = mediaType(request);
  if (!optional && type !== "application/json") throw unsupportedType(type, "application/json");
  const bytes = await readBody(request, maxBytes);
  // A body that is not there has no type either.
  if (optional && bytes.byteLength === 0) return validate(schema, {});
  if (type !== "application/json") throw unsupportedType(type, "application/json");
  return validate(schema, parseJson(bytes));
}

/** Parses what a caller sent, `at` that place; throws `validation_failed` with every fault's path and message. */
export function validate<T extends z.ZodType>(schema: T, input: unknown, at = ""): z.infer<T> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.slice(0, 20).map((issue) => ({
    path: [...at === "" ? [] : [at], ...issue.path.map(String)].join("."),
    message: issue.message,
  }));
  const where = errors.map(({ path }) => path || "the body").join(", ");
  throw problem("validation_failed", `Cannot accept the request: ${where} is not valid`, {
    members: { errors },
  });
}

/** The problem for one member of a request that is not valid; `path` is as in `messages.0.content`. */
export function invalid(path: string, message: string): Problem {
  return problem("validation_failed", `Cannot accept the request: ${path || "the body"} ${message}`, {
    members: { errors: [{ path, message }] },
  });
}

/** The problem for a member of a request that is understood and not supported; `param` names it. */
export function unsupported(param: string, reason = "it is not supported"): Problem {
  return problem("unsupported_parameter", `Cannot use ${param}: ${reason}`, { members: { param } });
}

/** The media type of a request without its parameters, lower case, or an empty text. */
export function mediaType(request: Request): string {
  return (request.headers.get("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
}

/** The problem for a body of a type the route does not take. */
export function unsupportedType(type: string, wanted: string): Error {
  return problem(
    "unsupported_media_type",
    `Cannot read body: its type is ${type || "not given"}, it must be ${wanted}`,
  );
}

/** Parses JSON in UTF-8; throws `malformed_json`. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = decodeUtf8(bytes);
  if (text === null) throw problem("malformed_json", "Cannot read body: it is not UTF-8");
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw problem("malformed_json", "Cannot read body: it is not JSON", { cause });
  }
}

function tooLarge(size: number, maxBytes: number): Error {
  return problem("body_too_large", `Cannot read body: ${size} bytes exceeds ${maxBytes}`);
}
