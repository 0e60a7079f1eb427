/**
 * The text of bytes in UTF-8, null when they are not valid. A strict decoder takes room for two bytes of each besides the
 * text; the lenient one does not, and where it finds a fault it writes U+FFFD, which hardly any text has of its own.
 */
export function decodeUtf8(bytes: Uint8Array): string | null {
  const text = new TextDecoder().decode(bytes);
  return text.includes("\ufffd") && !isValid(bytes) ? null : text;
}

function isValid(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}
