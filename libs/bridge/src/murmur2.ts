const SEED = 0x9747b28c | 0;
const MULTIPLIER = 0x5bd1e995;

/**
 * Hashes a record key as Kafka's Java client does: 32-bit murmur2 with the client's seed, as a signed integer.
 *
 * @remarks Equal keys must meet in one partition whichever client writes them, so this must never change.
 */
export function murmur2(key: Uint8Array): number {
  const { length } = key;
  let hash = SEED ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let word =
      byte(key, at) |
      (byte(key, at + 1) << 8) |
      (byte(key, at + 2) << 16) |
      (byte(key, at + 3) << 24);
    word = Math.imul(word, MULTIPLIER);
    word ^= word >>> 24;
    word = Math.imul(word, MULTIPLIER);
    hash = Math.imul(hash, MULTIPLIER) ^ word;
  }
  const rest = length - at;
  if (rest > 2) hash ^= byte(key, at + 2) << 16;
  if (rest > 1) hash ^= byte(key, at + 1) << 8;
  if (rest > 0) hash = Math.imul(hash ^ byte(key, at), MULTIPLIER);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, MULTIPLIER);
  return hash ^ (hash >>> 15);
}

/** The lane of a key: with Kafka, the partition that its Java client chooses. */
export function laneOf(key: Uint8Array, laneCount: number): number {
  return (murmur2(key) & 0x7fffffff) % laneCount;
}

function byte(key: Uint8Array, at: number): number {
  return key[at] ?? 0;
}
