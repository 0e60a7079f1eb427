import { createDeps } from "../../shared/deps.ts";
import { createHandler } from "./handler.ts";

/** Counts a request against a rate limit the caller names. */
export default { fetch: createHandler(createDeps()) };
