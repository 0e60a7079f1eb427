// @ts-types="@types/pg"
import pg from "pg";
import { RateLimiterPostgres, RateLimiterRes } from "rate-limiter-flexible";

/** A limiter of rate-limiter-flexible on PostgreSQL. */
export interface PeerLimiter {
  /** Spends one point of a key; false when the limit is reached. */
  consume(key: string): Promise<boolean>;
  close(): Promise<void>;
}

/** Creates the limiter's table in the database at `url`: `points` of each key within an hour. */
export async function openRateLimiter(url: string, table: string, points: number): Promise<PeerLimiter> {
  const pool = new pg.Pool({ connectionString: url, max: 32 });
  const limiter = await new Promise<RateLimiterPostgres>((resolve, reject) => {
    const made: RateLimiterPostgres = new RateLimiterPostgres(
      { storeClient: pool, storeType: "pool", tableName: table, points, duration: 3600 },
      (error) => error ? reject(error) : resolve(made),
    );
  });
  return {
    async consume(key) {
      try {
        await limiter.consume(key);
        return true;
      } catch (refusal) {
        // It rejects with its result when the limit is reached, and with an Error when something broke.
        if (refusal instanceof RateLimiterRes) return false;
        throw refusal;
      }
    },
    close: () => pool.end(),
  };
}
