import { connect, type LocalDatabase, type Session } from "../../local/database.ts";

/** Many connections of the service role, so that calls really run at once. */
export interface Crowd extends AsyncDisposable {
  /** Calls a function of the API on a free connection, arguments by name, in a transaction of its own. */
  call<T = Record<string, unknown>>(name: string, args?: Record<string, unknown>): Promise<T>;
}

// What one pool of the driver opens.
const perPool = 10;

/** Opens the connections to a test database. */
export async function gather(url: string | null, size = 40): Promise<Crowd> {
  if (url === null) throw new Error("Cannot race on an embedded database: set DATABASE_URL");
  const asService = new URL(url);
  asService.searchParams.set("role", "service_role");
  const pools: LocalDatabase[] = await Promise.all(
    Array.from({ length: Math.ceil(size / perPool) }, () => connect({ url: asService.href })),
  );
  let turn = 0;
  return {
    call: async <T>(name: string, args: Record<string, unknown> = {}) => {
      const given = Object.entries(args).filter(([, argument]) => argument !== undefined);
      const list = given.map(([argument], n) => `${argument} => $${n + 1}`).join(", ");
      const pool = pools[turn++ % pools.length]!;
      const [row] = await pool.query<{ value: T }>(
        `select ${name}(${list}) as value`,
        given.map(([, argument]) => argument),
      );
      return row!.value;
    },
    [Symbol.asyncDispose]: async () => void await Promise.all(pools.map((pool) => pool.close())),
  };
}

/** Runs `work` `times` times at once. */
export function atOnce<T>(times: number, work: (n: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: times }, (_, n) => work(n)));
}

/** How often each value occurs. */
export function tally(values: (string | undefined)[]): Record<string, number> {
  const counted: Record<string, number> = {};
  for (const value of values) counted[String(value)] = (counted[String(value)] ?? 0) + 1;
  return counted;
}

/** Resolves when as many connections to this database wait for a lock. */
export async function waiting(session: Session, connections: number): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const [row] = await session.query<{ n: number }>(
      `select count(*)::integer as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    if (row!.n >= connections) return;
    await session.query("select pg_sleep(0.01)");
  }
  throw new Error(`Cannot go on: fewer than ${connections} connections wait for a lock after 5 s`);
}
