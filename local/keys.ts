import { dirname } from "node:path";

/** The secrets of one installation. */
export interface ProjectKeys {
  publishableKey: string;
  secretKey: string;
  /** Signs the tokens of users; longer than the 32 bytes that HS256 asks for. */
  jwtSecret: string;
}

/** New keys, from the system's randomness. */
export function generateKeys(): ProjectKeys {
  return {
    publishableKey: `sb_publishable_${random(24)}`,
    secretKey: `sb_secret_${random(24)}`,
    jwtSecret: random(48),
  };
}

/** A random text of letters and digits worth `bytes` bytes of randomness. */
export function random(bytes: number): string {
  const drawn = crypto.getRandomValues(new Uint8Array(bytes));
  return [...drawn].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The keys kept in `file`, or null when there is no such file. */
export async function readKeys(file: string): Promise<ProjectKeys | null> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  const { publishableKey, secretKey, jwtSecret } = JSON.parse(text) as Partial<ProjectKeys>;
  if (!publishableKey || !secretKey || !jwtSecret) throw new Error(`cannot read ${file}: a key is missing`);
  return { publishableKey, secretKey, jwtSecret };
}

/** Keeps the keys in `file`, readable by its owner alone. */
export function writeKeys(file: string, keys: ProjectKeys): Promise<void> {
  return writePrivate(file, JSON.stringify(keys, null, 2) + "\n");
}

/** Writes a file of mode 600 in one step: a reader sees the old text or the new one. */
export async function writePrivate(file: string, text: string): Promise<void> {
  const unfinished = `${file}.tmp`;
  await Deno.mkdir(dirname(file), { recursive: true });
  await Deno.writeTextFile(unfinished, text, { mode: 0o600 });
  // The mode above counts only for a new file.
  if (Deno.build.os !== "windows") await Deno.chmod(unfinished, 0o600);
  await Deno.rename(unfinished, file);
}
