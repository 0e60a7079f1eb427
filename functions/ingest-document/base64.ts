// Written out because the platform's runtime has no Uint8Array.fromBase64 yet, and btoa takes texts alone.

/** The bytes of a base64 text. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
  return bytes;
}

/** The base64 text of bytes. */
export function encodeBase64(bytes: Uint8Array): string {
  const parts: string[] = [];
  // A call takes a limited number of arguments; a multiple of 3 bytes keeps the parts free of padding.
  for (let start = 0; start < bytes.length; start += 24_576) {
    parts.push(btoa(String.fromCharCode(...bytes.subarray(start, start + 24_576))));
  }
  return parts.join("");
}
