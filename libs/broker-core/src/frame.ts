/** A QoS 1/2 frame between nodes. */
export type Frame =
  /** The receiving node serves every session of its own that the messages match. */
  | { readonly kind: 'routed'; readonly batch: Uint8Array }
  /** For one session only: its former owner, or the heir of a dead one, passes on what came late. */
  | { readonly kind: 'directed'; readonly clientId: string; readonly batch: Uint8Array }
  /** Another node has taken a session while the receiving node did not answer: it lets the session go. */
  | { readonly kind: 'taken'; readonly clientId: string; readonly epoch: number };

const KINDS = { routed: 1, directed: 2, taken: 3 } as const;
const EPOCH_BYTES = 8;

/**
 * Wire: one byte kind. Routed: the batch. The others: two bytes length and the client id in UTF-8, then (directed) the
 * batch or (taken) the session's new epoch as a 64-bit integer, most significant byte first.
 */
export function encodeFrame(frame: Frame): Uint8Array {
  if (frame.kind === 'routed') {
    const bytes = Buffer.allocUnsafe(1 + frame.batch.length);
    bytes[0] = KINDS.routed;
    bytes.set(frame.batch, 1);
    return bytes;
  }
  const idBytes = Buffer.byteLength(frame.clientId, 'utf8');
  const rest = frame.kind === 'directed' ? frame.batch : epochBytes(frame.epoch);
  const bytes = Buffer.allocUnsafe(3 + idBytes + rest.length);
  bytes[0] = KINDS[frame.kind];
  bytes.writeUInt16BE(idBytes, 1);
  bytes.write(frame.clientId, 3, 'utf8');
  bytes.set(rest, 3 + idBytes);
  return bytes;
}

/** Undefined for anything that is not a frame: what comes from Redis is not trusted to be ours. */
export function decodeFrame(bytes: Uint8Array): Frame | undefined {
  const [kind] = bytes;
  if (kind === KINDS.routed) return { kind: 'routed', batch: bytes.subarray(1) };
  if ((kind !== KINDS.directed && kind !== KINDS.taken) || bytes.length < 3) return undefined;
  const idBytes = ((bytes[1] ?? 0) << 8) | (bytes[2] ?? 0);
  if (bytes.length < 3 + idBytes) return undefined;
  const clientId = textOf(bytes.subarray(3, 3 + idBytes));
  const rest = bytes.subarray(3 + idBytes);
  if (kind === KINDS.directed) return { kind: 'directed', clientId, batch: rest };
  if (rest.length !== EPOCH_BYTES) return undefined;
  const { buffer, byteOffset } = rest;
  const epoch = Number(new DataView(buffer, byteOffset, EPOCH_BYTES).getBigUint64(0));
  return { kind: 'taken', clientId, epoch };
}

function epochBytes(epoch: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(EPOCH_BYTES);
  bytes.writeBigUInt64BE(BigInt(epoch));
  return bytes;
}

function textOf(bytes: Uint8Array): string {
  const copy = Buffer.allocUnsafe(bytes.length);
  copy.set(bytes);
  return copy.toString('utf8');
}
