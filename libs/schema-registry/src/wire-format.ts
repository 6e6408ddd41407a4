import { ValueError } from './codec.ts';

/*
 * Layout of a value of the registry, numbers big endian:
 *
 *   uint8    magic, 0
 *   uint32   id of the schema
 *   Protobuf only: which message of the schema, as a path of indexes, each a zigzag number of variable length
 *     count of indexes; 0 alone means the path [0]
 *     the indexes
 *   the encoded value
 */
const MAGIC = 0;
const HEADER_BYTES = 5;
/** Messages are not nested deeper. */
const INDEXES_MAX = 64;
const VARINT_BYTES_MAX = 5;

/** A value that was taken apart; the body shares its bytes. */
export interface FramedValue {
  readonly id: number;
  readonly body: Buffer;
}

/** Puts the id of its schema before an encoded value. */
export function frame(id: number, body: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  bytes.writeUInt8(MAGIC, 0);
  bytes.writeUInt32BE(id, 1);
  body.copy(bytes, HEADER_BYTES);
  return bytes;
}

/**
 * Takes the id of its schema from an encoded value.
 *
 * @throws ValueError when there is none.
 */
export function unframe(value: Buffer): FramedValue {
  if (value.length < HEADER_BYTES || value[0] !== MAGIC) {
    throw new ValueError('the value does not begin with the id of a schema');
  }
  return { id: value.readUInt32BE(1), body: value.subarray(HEADER_BYTES) };
}

/** The path of a message within its schema, as it stands before the message. */
export function messageIndexes(path: readonly number[]): Buffer {
  if (path.length === 1 && path[0] === 0) return Buffer.of(0);
  return Buffer.concat([path.length, ...path].map(varint));
}

/**
 * Reads the path of a message.
 *
 * @returns the path, and the message behind it, which shares the bytes.
 * @throws ValueError when there is none.
 */
export function readMessageIndexes(body: Buffer): {
  readonly path: readonly number[];
  readonly message: Buffer;
} {
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let byte = 0; byte < VARINT_BYTES_MAX; byte += 1) {
      const bits = body[at++] ?? 0x80;
      value += (bits & 0x7f) * 2 ** (7 * byte);
      if (bits < 0x80) return value % 2 === 0 ? value / 2 : -1;
    }
    return -1;
  };
  const count = next();
  const path = count === 0 ? [0] : [];
  if (count <= INDEXES_MAX) while (path.length < count) path.push(next());
  if (count < 0 || count > INDEXES_MAX || path.includes(-1)) {
    throw new ValueError('the value does not say which message of its schema it is');
  }
  return { path, message: body.subarray(at) };
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = 2 * value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.of(...bytes, rest);
}
