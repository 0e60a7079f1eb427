import { openDatabase, type TestDatabase, type TestSession } from "../support/database.ts";

let database: TestDatabase | undefined;

Deno.test.beforeAll(async () => {
  database = await openDatabase();
});

Deno.test.afterAll(async () => {
  await database?.close();
});

/** A test on the one database of its file, in a transaction that is rolled back: it leaves nothing to the next. */
export function rolledBack(name: string, work: (session: TestSession) => Promise<void>): void {
  // The connections are opened before the first test and closed after the last.
  Deno.test({ name, sanitizeResources: false, sanitizeOps: false, fn: () => database!.rolledBack(work) });
}
