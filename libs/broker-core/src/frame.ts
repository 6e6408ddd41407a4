/** A QoS 1/2 frame between nodes. */
export type Frame =
  /** The receiving node serves every session of its own that the messages match. */
  | { readonly kind: 'routed'; readonly batch: Uint8Array }
  /** For one session only: its former owner, or the heir of a dead one, passes on what came late. */
  | { readonly kind: 'directed'; readonly clientId: string; readonly batch: Uint8Array };

const ROUTED = 1;
const DIRECTED = 2;

/** Wire: one byte kind (1 routed, 2 directed); directed: two bytes length and the client id in UTF-8; then the batch. */
export function encodeFrame(frame: Frame): Uint8Array {
  if (frame.kind === 'routed') {
    const bytes = Buffer.allocUnsafe(1 + frame.batch.length);
    bytes[0] = ROUTED;
    bytes.set(frame.batch, 1);
    return bytes;
  }
  const idBytes = Buffer.byteLength(frame.clientId, 'utf8');
  const bytes = Buffer.allocUnsafe(3 + idBytes + frame.batch.length);
  bytes[0] = DIRECTED;
  bytes.writeUInt16BE(idBytes, 1);
  bytes.write(frame.clientId, 3, 'utf8');
  bytes.set(frame.batch, 3 + idBytes);
  return bytes;
}

/** Undefined for anything that is not a frame: what comes from Redis is not trusted to be ours. */
export function decodeFrame(bytes: Uint8Array): Frame | undefined {
  if (bytes[0] === ROUTED) return { kind: 'routed', batch: bytes.subarray(1) };
  if (bytes[0] !== DIRECTED || bytes.length < 3) return undefined;
  const idBytes = ((bytes[1] ?? 0) << 8) | (bytes[2] ?? 0);
  if (bytes.length < 3 + idBytes) return undefined;
  const clientId = textOf(bytes.subarray(3, 3 + idBytes));
  return { kind: 'directed', clientId, batch: bytes.subarray(3 + idBytes) };
}

function textOf(bytes: Uint8Array): string {
  const copy = Buffer.allocUnsafe(bytes.length);
  copy.set(bytes);
  return copy.toString('utf8');
}
