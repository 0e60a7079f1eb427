import type { LocalDatabase } from "./database.ts";

type Connection = LocalDatabase["connection"];
type Request = Parameters<Connection["onPostgrestAST"]>[0];

/** Makes the REST server on this connection store JSON and answer refused rows as a hosted project does. */
export function matchHosted(connection: Connection): void {
  const rewrite = connection.onPostgrestAST.bind(connection);
  connection.onPostgrestAST = async (request: Request) =>
    encodeJson(await rewrite(request), await jsonColumns(connection, request));
  connection.normalizeDbError = refusal;
}

async function jsonColumns(connection: Connection, { from, schema }: Request): Promise<Set<string>> {
  if (!from) return new Set();
  const { columns } = await connection.introspect({ useCache: true });
  return new Set(
    columns.filter((column) =>
      column.table === from && column.schema === (schema ?? "public") &&
      /^jsonb?$/.test(column.pg_type ?? column.type)
    ).map((column) => column.name),
  );
}

/**
 * The REST server parses a string that is meant for a JSON column and hands the driver what it finds. So "text" is no
 * JSON any more, "true" becomes a boolean, and a boolean fails on a server. Encoded twice, each value arrives as the
 * text of its own JSON.
 */
function encodeJson(request: Request, columns: Set<string>): Request {
  if (columns.size === 0 || !("values" in request) || !request.values) return request;
  const encoded = (row: object) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        columns.has(name) && value !== null && value !== undefined
          ? JSON.stringify(JSON.stringify(value))
          : value,
      ]),
    );
  const values: object | object[] = request.values;
  return { ...request, values: Array.isArray(values) ? values.map(encoded) : encoded(values) } as Request;
}

/** What the REST server would answer with 500 and no code; an error of code "PGRST" is answered as it says. */
function refusal(error: unknown): unknown {
  const { code, message, detail = null, hint = null } = (error ?? {}) as Record<string, unknown>;
  const known = ["23502", "23503", "23505"];
  if (typeof code !== "string" || known.includes(code) || !/^(23...|P0001)$/.test(code)) return error;
  return Object.assign(new Error(JSON.stringify({ code, message, details: detail, hint })), {
    code: "PGRST",
    detail: JSON.stringify({ status: 400, headers: {} }),
  });
}
