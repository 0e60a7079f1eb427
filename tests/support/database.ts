import { connect, type LocalDatabase, type Session } from "../../local/database.ts";
import { snapshot } from "./snapshot.ts";
import { freshDatabase } from "./template.ts";

/** The claims of a JWT, as the REST server hands them to the database. */
export type Claims = { sub?: string; [claim: string]: unknown };

/** A session that can take a role for a while. */
export interface TestSession extends Session {
  /** Runs `work` as a database role with these claims, and rolls back all it did. */
  as<T>(role: string, claims: Claims | null, work: (session: TestSession) => Promise<T>): Promise<T>;
}

/** A migrated database that belongs to one test file. */
export interface TestDatabase extends TestSession {
  readonly kind: LocalDatabase["kind"];
  readonly connection: LocalDatabase["connection"];
  /** The address on the server of `DATABASE_URL`, for a second client; null on the embedded database. */
  readonly url: string | null;
  /** Runs `work` in a transaction that is always rolled back, so that one test leaves nothing to the next. */
  rolledBack<T>(work: (session: TestSession) => Promise<T>): Promise<T>;
  /** Commits when `work` resolves. */
  transaction<T>(work: (session: TestSession) => Promise<T>): Promise<T>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Opens a fresh database with every migration: embedded, or on the server of `DATABASE_URL` when that is set. */
export async function openDatabase(): Promise<TestDatabase> {
  const server = Deno.env.get("DATABASE_URL");
  const fresh = server ? await freshDatabase(server) : null;
  const database = await connect(fresh ? { url: fresh.url } : { snapshot: await snapshot() });
  const rolledBack = <T>(work: (session: TestSession) => Promise<T>) => undone(database, work);
  const close = async () => {
    await database.close();
    await fresh?.drop();
  };
  return {
    kind: database.kind,
    connection: database.connection,
    url: fresh?.url ?? null,
    query: database.query,
    exec: database.exec,
    as: (role, claims, work) => rolledBack((session) => session.as(role, claims, work)),
    rolledBack,
    transaction: (work) => database.transaction((session) => work(withRoles(session))),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function undone<T>(database: LocalDatabase, work: (session: TestSession) => Promise<T>): Promise<T> {
  const undo = new Error("rolled back on purpose");
  let result: T;
  try {
    await database.transaction(async (session) => {
      result = await work(withRoles(session));
      throw undo;
    });
  } catch (error) {
    if (error !== undo) throw error;
  }
  return result!;
}

let savepoints = 0;

function withRoles(session: Session): TestSession {
  return {
    ...session,
    as: async (role, claims, work) => {
      const savepoint = `as_${savepoints++}`;
      await session.exec(`savepoint ${savepoint}`);
      try {
        await session.query(
          `select set_config('role', $1, true), set_config('request.jwt.claims', $2, true),
             set_config('request.jwt.claim.sub', $3, true), set_config('request.jwt.claim.role', $1, true)`,
          [role, claims ? JSON.stringify({ role, ...claims }) : "", claims?.sub ?? ""],
        );
        return await work(withRoles(session));
      } finally {
        // Takes back role and claims too, and works in a transaction that an error has aborted.
        await session.exec(`rollback to savepoint ${savepoint}`);
      }
    },
  };
}
