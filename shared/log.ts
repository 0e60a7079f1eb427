/** What a log entry carries besides its event: ids, codes, counts and durations, never a message's text or a secret. */
export type Fields = Record<string, string | number | boolean | string[] | null | undefined>;

/** Writes one JSON line per entry. */
export interface Log {
  info(event: string, fields?: Fields): void;
  warn(event: string, fields?: Fields): void;
  error(event: string, error: unknown, fields?: Fields): void;
}

/** A log that writes lines through `write`; `now` dates them. */
export function createLog(
  write: (line: string) => void = (line) => console.error(line),
  now: () => Date = () => new Date(),
): Log {
  const entry = (level: string, event: string, fields: object) =>
    write(JSON.stringify({ time: now().toISOString(), level, event, ...fields }));
  return {
    info: (event, fields = {}) => entry("info", event, fields),
    warn: (event, fields = {}) => entry("warn", event, fields),
    error: (event, error, fields = {}) => entry("error", event, { ...fields, error: describe(error) }),
  };
}

/** An error as it may be logged: name, code, stack frames and causes; texts that can hold a caller's data are cut. */
export function describe(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error };
  const { code, sqlstate, statusCode, status = statusCode } = error as unknown as Record<string, unknown>;
  return {
    name: error.name,
    ...(typeof code === "string" || typeof code === "number" ? { code } : {}),
    ...(typeof status === "number" ? { status } : {}),
    ...(typeof sqlstate === "string" ? { sqlstate } : {}),
    message: safeMessage(error),
    stack: frames(error),
    ...(error.cause !== undefined && depth < 3 ? { cause: describe(error.cause, depth + 1) } : {}),
  };
}

// Messages of our own errors and of programming errors hold no caller's data. A SyntaxError quotes the text it could
// not parse, and a provider's error may quote the prompt: of those the name and the stack have to do.
const plain = new Set([
  "Problem",
  "DatabaseError",
  "RefusedAddress",
  "ProviderError",
  "Error",
  "TypeError",
  "RangeError",
  "ReferenceError",
]);
const secrets = /\b(?:ak_|sb_secret_|sb_publishable_|whsec_|sk_|eyJ)[\w.-]{6,}|Bearer\s+\S+/g;

function safeMessage(error: Error): string | undefined {
  if (!plain.has(error.name)) return undefined;
  return error.message.replaceAll(secrets, "[secret]").slice(0, 500);
}

function frames(error: Error): string[] {
  const lines = (error.stack ?? "").split("\n");
  return lines.filter((line) => /^\s+at /.test(line)).slice(0, 12).map((line) => line.trim());
}
