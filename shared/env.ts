import { z } from "zod";

const optional = z.string().trim().min(1).optional();
const baseUrl = z.url({ protocol: /^https?$/ }).transform((url) => url.replace(/\/+$/, ""));

/** JSON in a variable, parsed once and checked. */
function json<T extends z.ZodType>(schema: T) {
  return z.string().transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      // The value may be a secret, so the message must not repeat it.
      context.addIssue({ code: "custom", message: "is not JSON" });
      return z.NEVER;
    }
  }).pipe(schema);
}

const keys = json(
  z.record(z.string(), z.string().min(1)).refine((map) => Object.keys(map).length > 0, "is empty"),
);
const jwks = json(z.union([
  z.object({ keys: z.array(z.looseObject({ kty: z.string() })) }),
  z.array(z.looseObject({ kty: z.string() })).transform((keys) => ({ keys })),
]));

const masterKey = z.object({
  // It stands between the dots of an envelope.
  id: z.string().regex(/^[\w-]{1,32}$/, "must be 1 to 32 letters, digits, - or _"),
  key: z.base64("must be 32 bytes in base64")
    .transform((text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)))
    .refine(({ byteLength }) => byteLength === 32, "must be 32 bytes in base64"),
});
const masterKeys = json(
  z.array(masterKey).min(1, "is empty").max(20, "has more than 20 keys")
    .refine((keys) => isDistinct(keys.map(({ id }) => id)), "has an id twice")
    .refine((keys) => isDistinct(keys.map(({ key }) => String(key))), "has a key twice"),
);

function isDistinct(values: string[]): boolean {
  return new Set(values).size === values.length;
}

/** The one list of environment variables; `.env.example` documents exactly these. */
export const Environment = z.object({
  SUPABASE_URL: baseUrl,
  SUPABASE_PUBLISHABLE_KEYS: keys,
  SUPABASE_SECRET_KEYS: keys,
  SUPABASE_JWKS: jwks.optional(),
  MISTRAL_API_KEY: optional,
  MISTRAL_BASE_URL: baseUrl.optional(),
  OPENAI_API_KEY: optional,
  OPENAI_BASE_URL: baseUrl.optional(),
  ANTHROPIC_API_KEY: optional,
  ANTHROPIC_BASE_URL: baseUrl.optional(),
  VANCHIN_BASE_URL: baseUrl.optional(),
  PROVIDER_KEY_SECRETS: masterKeys.optional(),
  EMBEDDING_MODEL: z.string().trim().min(1).default("local"),
});

/** The parsed environment, under the variables' own names. */
export type Env = z.infer<typeof Environment>;

/** Where variables come from: `Deno.env`, or a test's own set. */
export interface EnvSource {
  get(name: string): string | undefined;
}

/** Parses the environment; throws naming the variables that are missing or wrong, never their values. */
export function readEnv(source: EnvSource = Deno.env): Env {
  const given: Record<string, string> = {};
  for (const name of Object.keys(Environment.shape)) {
    const value = source.get(name);
    // An empty variable is what many deploy tools make of an unset one.
    if (value !== undefined && value.trim() !== "") given[name] = value;
  }
  const parsed = Environment.safeParse(given);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new Error(`Cannot read the environment: ${faults.join("; ")}`);
}

/** The key of a project's key set to use for own calls: `default`, else the first. */
export function ownKey(keys: Record<string, string>): string {
  const key = keys.default ?? Object.values(keys)[0];
  if (key === undefined) throw new Error("Cannot choose a key: the key set is empty");
  return key;
}
