import { z } from "zod";
import { text } from "../../shared/fields.ts";
import { ValidKey } from "../../shared/results.ts";

/** The body, which a key in a header makes unnecessary. */
export const ValidateKeyRequest = z.object({ key: text({ max: 1000 }).optional() });

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
