import { z } from "zod";

/** A text of `min` to `max` characters that PostgreSQL can store: no NUL, no half of a surrogate pair. */
export function text({ min = 0, max }: { min?: number; max: number }) {
  return z.string().superRefine((value, context) => {
    const fault = faultOf(value) ?? lengthFault(value, min, max);
    if (fault) context.addIssue({ code: "custom", message: fault });
  });
}

/** A field that may be left out; many clients write what they do not set as null. */
export function optional<T extends z.ZodType>(schema: T) {
  return z.preprocess((value) => value ?? undefined, schema.optional());
}

/** A JSON object of at most `maxBytes` bytes whose texts PostgreSQL can store. */
export function jsonObject({ maxBytes = 16 * 1024 }: { maxBytes?: number } = {}) {
  return z.record(z.string(), z.unknown()).superRefine((value, context) => {
    const fault = objectFault(value, 0) ?? sizeFault(value, maxBytes);
    if (fault) context.addIssue({ code: "custom", message: fault });
  });
}

function faultOf(value: string): string | null {
  if (value.includes("\0")) return "must not contain NUL";
  if (!value.isWellFormed()) return "must not contain a lone surrogate";
  return null;
}

// Code points, as char_length counts them; the cheap bounds come first so that a huge text is not walked.
function lengthFault(value: string, min: number, max: number): string | null {
  const walk = value.length > max && value.length <= 2 * max;
  const length = walk ? [...value].length : value.length;
  if (length < min) return min === 1 ? "must not be empty" : `must have at least ${min} characters`;
  return length > max ? `must have at most ${max} characters` : null;
}

// The depth is bounded before anything recurses over the value: JSON.stringify would overflow the stack.
function objectFault(value: unknown, depth: number): string | null {
  if (typeof value === "string") return faultOf(value);
  if (typeof value !== "object" || value === null) return null;
  if (depth === 32) return "must not be nested deeper than 32";
  for (const [key, member] of Object.entries(value)) {
    const fault = faultOf(key) ?? objectFault(member, depth + 1);
    if (fault) return fault;
  }
  return null;
}

function sizeFault(value: unknown, maxBytes: number): string | null {
  const size = new TextEncoder().encode(JSON.stringify(value)).byteLength;
  return size > maxBytes ? `must have at most ${maxBytes} bytes as JSON` : null;
}
