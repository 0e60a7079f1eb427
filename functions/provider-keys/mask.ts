/** Below this length seven characters would tell too much of a key. */
const SHORTEST_SHOWN = 16;

/** A key as people may see it, enough to tell theirs apart: `WW8G...T9g`; of a short one nothing is shown. */
export function maskKey(key: string): string {
  return key.length < SHORTEST_SHOWN ? "..." : `${key.slice(0, 4)}...${key.slice(-3)}`;
}
