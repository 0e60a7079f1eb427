import { createDeps } from "../../shared/deps.ts";
import { createHandler } from "./handler.ts";

/** Keeps the model keys that users bring, encrypted. */
export default { fetch: createHandler(createDeps()) };
