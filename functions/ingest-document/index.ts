import { createDeps } from "../../shared/deps.ts";
import { createHandler } from "./handler.ts";

/** Stores documents as searchable chunks, at once or in the background. */
export default { fetch: createHandler(createDeps()) };
