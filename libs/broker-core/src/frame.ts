/** What one node sends another. Frames of QoS 0 are `routed` or `grouped`. */
export type Frame =
  /** The receiving node serves every session of its own that the messages match. */
  | { readonly kind: 'routed'; readonly batch: Uint8Array }
  /** For one session only: its former owner, or the heir of a dead one, passes on what came late. */
  | { readonly kind: 'directed'; readonly clientId: string; readonly batch: Uint8Array }
  /** For one member of a shared subscription, which is named by its whole filter. */
  | { readonly kind: 'grouped'; readonly group: string; readonly batch: Uint8Array }
  /** Another node has taken a session while the receiving node did not answer: it lets the session go. */
  | { readonly kind: 'taken'; readonly clientId: string; readonly epoch: number }
  /** From a node to itself: it sees how far it has read its inbox. */
  | { readonly kind: 'mark'; readonly number: number };

const KINDS = { routed: 1, directed: 2, taken: 3, grouped: 4, mark: 5 } as const;
const INTEGER_BYTES = 8;

/**
 * Wire: one byte kind. Routed: the batch. Mark: its number. The others: two bytes length and the client id or the group in
 * UTF-8, then the batch or (taken) the session's new epoch. Numbers are 64-bit integers, most significant byte first.
 */
export function encodeFrame(frame: Frame): Uint8Array {
  if (frame.kind === 'routed') {
    const bytes = Buffer.allocUnsafe(1 + frame.batch.length);
    bytes[0] = KINDS.routed;
    bytes.set(frame.batch, 1);
    return bytes;
  }
  if (frame.kind === 'mark') {
    const bytes = Buffer.allocUnsafe(1 + INTEGER_BYTES);
    bytes[0] = KINDS.mark;
    bytes.set(integerBytes(frame.number), 1);
    return bytes;
  }
  const name = frame.kind === 'grouped' ? frame.group : frame.clientId;
  const rest = frame.kind === 'taken' ? integerBytes(frame.epoch) : frame.batch;
  const nameBytes = Buffer.byteLength(name, 'utf8');
  const bytes = Buffer.allocUnsafe(3 + nameBytes + rest.length);
  bytes[0] = KINDS[frame.kind];
  bytes.writeUInt16BE(nameBytes, 1);
  bytes.write(name, 3, 'utf8');
  bytes.set(rest, 3 + nameBytes);
  return bytes;
}

/** Undefined for anything that is not a frame: what comes from Redis is not trusted to be ours. */
export function decodeFrame(bytes: Uint8Array): Frame | undefined {
  const [kind] = bytes;
  if (kind === KINDS.routed) return { kind: 'routed', batch: bytes.subarray(1) };
  if (kind === KINDS.mark) {
    if (bytes.length !== 1 + INTEGER_BYTES) return undefined;
    return { kind: 'mark', number: integerOf(bytes.subarray(1)) };
  }
  if (bytes.length < 3) return undefined;
  const nameBytes = ((bytes[1] ?? 0) << 8) | (bytes[2] ?? 0);
  if (bytes.length < 3 + nameBytes) return undefined;
  const name = textOf(bytes.subarray(3, 3 + nameBytes));
  const rest = bytes.subarray(3 + nameBytes);
  switch (kind) {
    case KINDS.directed:
      return { kind: 'directed', clientId: name, batch: rest };
    case KINDS.grouped:
      return { kind: 'grouped', group: name, batch: rest };
    case KINDS.taken:
      if (rest.length !== INTEGER_BYTES) return undefined;
      return { kind: 'taken', clientId: name, epoch: integerOf(rest) };
    case undefined:
    default:
      return undefined;
  }
}

function integerOf({ buffer, byteOffset }: Uint8Array): number {
  return Number(new DataView(buffer, byteOffset, INTEGER_BYTES).getBigUint64(0));
}

function integerBytes(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(INTEGER_BYTES);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function textOf(bytes: Uint8Array): string {
  const copy = Buffer.allocUnsafe(bytes.length);
  copy.set(bytes);
  return copy.toString('utf8');
}
