import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
// @ts-types="@types/pg"
import pg from "pg";

/** better-auth's API keys on a PostgreSQL database, each key with its rate limit switched on. */
export interface BetterAuthKeys {
  keys: string[];
  verify(key: string): Promise<void>;
  close(): Promise<void>;
}

/** Creates better-auth's tables in the database at `url`, one user, and `count` keys that never run dry. */
export async function openBetterAuth(url: string, count: number): Promise<BetterAuthKeys> {
  const pool = new pg.Pool({ connectionString: url, max: 32 });
  const auth = betterAuth({
    database: pool,
    secret: "bench-only-secret-of-more-than-32-characters",
    baseURL: "http://127.0.0.1",
    emailAndPassword: { enabled: true },
    telemetry: { enabled: false },
    logger: { disabled: true },
    plugins: [apiKey({ rateLimit: { enabled: true, timeWindow: 3_600_000, maxRequests: 1_000_000_000 } })],
  });
  const { runMigrations } = await getMigrations(auth.options);
  await runMigrations();
  const { user } = await auth.api.signUpEmail({
    body: { name: "Bench", email: "bench@example.com", password: crypto.randomUUID() },
  });
  const keys: string[] = [];
  for (let made = 0; made < count; made++) {
    keys.push((await auth.api.createApiKey({ body: { userId: user.id } })).key);
  }
  return {
    keys,
    async verify(key) {
      const { valid, error } = await auth.api.verifyApiKey({ body: { key } });
      if (!valid) throw new Error(`better-auth refused a valid key: ${error?.code}`);
    },
    close: () => pool.end(),
  };
}
