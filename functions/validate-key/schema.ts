import { z } from "zod";
import { ValidKey } from "../../shared/results.ts";

/** The body, which a key in a header makes unnecessary. Any text may be asked about: it is stored nowhere. */
export const ValidateKeyRequest = z.object({ key: z.string().optional() });

/** What a good key's holder is told; `system_prompt` only for the project or the owner, since a widget's key is public. */
export const ValidKeyResponse = ValidKey.pick({
  valid: true,
  key_id: true,
  name: true,
  agent_id: true,
  agent_name: true,
  model_id: true,
  rag_enabled: true,
  scopes: true,
  expires_at: true,
  limits: true,
}).extend({
  quota: ValidKey.shape.quota.unwrap(),
  system_prompt: z.string().nullable().optional(),
});
