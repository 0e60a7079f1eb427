import { createDeps } from "../../shared/deps.ts";
import { createHandler } from "./handler.ts";

/** Answers questions as an agent, with citations, and keeps the session. */
export default { fetch: createHandler(createDeps()) };
