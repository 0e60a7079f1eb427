import { z } from "zod";
import { text } from "../../shared/fields.ts";
import { RateLimit } from "../../shared/results.ts";

/** A bucket, its limit, and what this call takes from it; `cost` may not exceed the limit, or it would never fit. */
export const RateCheckRequest = z.object({
  key: text({ min: 1, max: 200 }),
  max_requests: z.int().min(1).max(1_000_000),
  window_seconds: z.int().min(1).max(30 * 24 * 3600),
  cost: z.int().min(1).default(1),
  block_seconds: z.int().min(0).max(30 * 24 * 3600).default(0),
}).refine(({ cost, max_requests }) => cost <= max_requests, {
  path: ["cost"],
  message: "must be at most max_requests",
});

/** Whether the call fits, and when it would. */
export const RateCheckResponse = RateLimit;
