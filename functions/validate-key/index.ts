import { createDeps } from "../../shared/deps.ts";
import { createHandler } from "./handler.ts";

/** Says whether an agent's API key is good and what it opens. */
export default { fetch: createHandler(createDeps()) };
