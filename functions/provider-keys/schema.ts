import { z } from "zod";
import { jsonObject, optional } from "../../shared/fields.ts";
import { faultOfUrl } from "../../shared/outbound.ts";
import { vendors } from "../../shared/provider-key.ts";
import { ProviderKey } from "../../shared/results.ts";

const baseUrl = z.string().max(2000).superRefine((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  const fault = url === null ? "must be a URL" : faultOfUrl(url) ?? faultOfBase(url);
  if (fault !== null) context.addIssue({ code: "custom", message: fault });
});
const endpointId = z.string().regex(/^[^\s]{1,200}$/, "must be 1 to 200 characters without spaces");

/** A key to keep. What else stands in `metadata` is the user's own: a name, what it is for. */
export const ProviderKeyRequest = z.object({
  // `local` is the offline model, which has no key.
  provider: z.string().regex(
    /^(?!local$)[a-z][a-z0-9_-]{0,63}$/,
    { error: "must be a name of lower-case letters, digits, - and _, other than local", abort: true },
  ),
  // It travels in a header.
  api_key: z.string().regex(/^[\x21-\x7e]{1,1000}$/, "must be 1 to 1000 ASCII characters without spaces"),
  metadata: optional(jsonObject()).transform((given) => given ?? {}),
}).superRefine(({ provider, metadata }, context) => {
  const isVendor = vendors.some((vendor) => vendor === provider);
  const needed = { base_url: !isVendor, endpoint_id: provider === "vanchin" };
  for (const [name, schema] of Object.entries({ base_url: baseUrl, endpoint_id: endpointId })) {
    const value = metadata[name];
    if (value === undefined && !needed[name as keyof typeof needed]) continue;
    for (const { message } of schema.safeParse(value).error?.issues ?? []) {
      context.addIssue({ code: "custom", path: ["metadata", name], message });
    }
  }
});

/** What is told of a key: never the key itself. */
export const ProviderKeyResponse = ProviderKey;

// The path of the call is written behind it.
function faultOfBase({ search, hash }: URL): string | null {
  return search === "" && hash === "" ? null : "must not have a query or a fragment";
}
