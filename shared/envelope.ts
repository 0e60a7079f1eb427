/** One master key: `id` stands in what it encrypted, so that several can be in use at once. */
export interface MasterKey {
  id: string;
  /** 32 bytes. */
  key: Uint8Array<ArrayBuffer>;
}

/** What an envelope is bound to. In another row, of another owner or provider, it does not open. */
export interface Binding {
  userId: string;
  provider: string;
  /** The row's. */
  id: string;
}

const VERSION = "v1";
// What AES-GCM asks for; random ones do not meet by chance within 2^32 envelopes of one key.
const NONCE_BYTES = 12;

/**
 * Encrypts a text with AES-256-GCM under the first master key: `version.key-id.nonce.ciphertext`, the last two in
 * base64url.
 */
export async function seal(text: string, binding: Binding, keys: readonly MasterKey[]): Promise<string> {
  const { id, key } = firstOf(keys);
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const sealed = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv: nonce, additionalData: associatedData(id, binding) },
    await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]),
    new TextEncoder().encode(text),
  );
  return [VERSION, id, toBase64url(nonce), toBase64url(new Uint8Array(sealed))].join(".");
}

/** The text of an envelope; throws when its key is not among `keys`, when it was changed, or belongs elsewhere. */
export async function unseal(
  envelope: string,
  binding: Binding,
  keys: readonly MasterKey[],
): Promise<string> {
  const [, id, nonce, sealed] = /^v1\.([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(envelope) ?? [];
  if (!id || !nonce || !sealed) throw new Error("Cannot open an envelope: its form is unknown");
  const master = keys.find((each) => each.id === id);
  if (!master) throw new Error("Cannot open an envelope: the key that encrypted it is not configured");
  try {
    const text = await crypto.subtle.decrypt(
      { name: "AES-GCM", iv: fromBase64url(nonce), additionalData: associatedData(id, binding) },
      await crypto.subtle.importKey("raw", master.key, "AES-GCM", false, ["decrypt"]),
      fromBase64url(sealed),
    );
    return new TextDecoder().decode(text);
  } catch (cause) {
    throw new Error("Cannot open an envelope: it was changed, or belongs to another row", { cause });
  }
}

/**
 * Hashes that find the same text of the same owner and provider again, one under each master key, the first first: hex
 * HMAC-SHA-256. Under a key made from the master key, so that no key serves two purposes.
 */
export function keyedHashes(
  text: string,
  { userId, provider }: Omit<Binding, "id">,
  keys: readonly MasterKey[],
): Promise<string[]> {
  const input = new TextEncoder().encode(JSON.stringify([userId, provider, text]));
  return Promise.all(keys.map(async ({ key }) => {
    const hash = await crypto.subtle.sign("HMAC", await hashingKey(key), input);
    return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }));
}

async function hashingKey(master: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const info = new TextEncoder().encode("parley provider key hash");
  return await crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info },
    await crypto.subtle.importKey("raw", master, "HKDF", false, ["deriveKey"]),
    { name: "HMAC", hash: "SHA-256", length: 256 },
    false,
    ["sign"],
  );
}

/** The key that encrypts. */
export function firstOf(keys: readonly MasterKey[]): MasterKey {
  const [first] = keys;
  if (!first) throw new Error("Cannot choose a master key: there is none");
  return first;
}

// JSON keeps the parts apart: no two bindings have the same text.
function associatedData(keyId: string, { userId, provider, id }: Binding): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify([VERSION, keyId, userId, provider, id]));
}

function toBase64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_");
}

function fromBase64url(text: string): Uint8Array<ArrayBuffer> {
  const decoded = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(decoded, (character) => character.charCodeAt(0));
  // The last letter can have bits that decode to nothing: one envelope has one text.
  if (toBase64url(bytes) !== text) throw new Error("Cannot decode base64url: it is not canonical");
  return bytes;
}
