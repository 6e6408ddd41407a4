/** Of a payload, so many bytes at each end count. */
const PAYLOAD_END_BYTES = 128;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * A number that tells a message from another one that its client sends under the same packet id: 32 bits of its topic, the
 * length of its payload, and the payload's ends (FNV-1a).
 */
export function digestOf({
  topic,
  payload,
}: {
  readonly topic: string;
  readonly payload: Uint8Array;
}): number {
  let hash = FNV_OFFSET;
  const take = (value: number): void => {
    hash = Math.imul(hash ^ value, FNV_PRIME);
  };
  for (let at = 0; at < topic.length; at += 1) take(topic.charCodeAt(at));
  take(payload.length);
  const { length } = payload;
  const headEnd = Math.min(length, PAYLOAD_END_BYTES);
  for (let at = 0; at < headEnd; at += 1) take(payload[at] ?? 0);
  for (let at = Math.max(headEnd, length - PAYLOAD_END_BYTES); at < length; at += 1) {
    take(payload[at] ?? 0);
  }
  return hash >>> 0;
}
