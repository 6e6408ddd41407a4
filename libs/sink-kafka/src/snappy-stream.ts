import { compress, uncompress } from 'snappy';

/*
 * A stream of snappy-java, which Kafka's own clients write and demand of what they read:
 *
 *   0x82 'SNAPPY' 0x00, version 1, compatible with 1 (32 bits each)
 *   blocks: length (32 bits), a block of plain snappy
 *
 * Clients on librdkafka write one plain block without any of this.
 */
const MAGIC = Buffer.from('\x82SNAPPY\0', 'latin1');
const HEAD_BYTES = 16;
const LENGTH_BYTES = 4;
/** Most bytes of the varint, of 32 bits, that a block of snappy begins with: its size when it is decompressed. */
const SIZE_BYTES_MAX = 5;

/** Compresses bytes into a stream of snappy-java with one block. */
export async function compressSnappy(bytes: Buffer): Promise<Buffer> {
  const block = await compress(bytes);
  const head = Buffer.alloc(HEAD_BYTES + LENGTH_BYTES);
  MAGIC.copy(head);
  head.writeInt32BE(1, 8);
  head.writeInt32BE(1, 12);
  head.writeInt32BE(block.length, HEAD_BYTES);
  return Buffer.concat([head, block]);
}

/** How many bytes a stream, or a plain block, says that it takes when it is decompressed. @throws Error when it is malformed. */
export function snappySize(bytes: Buffer): number {
  return blocksOf(bytes).reduce((sum, block) => sum + sizeOf(block), 0);
}

/** Decompresses a stream, or a plain block. @throws Error when it is malformed. */
export async function decompressSnappy(bytes: Buffer): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (const block of blocksOf(bytes)) parts.push(Buffer.from(await uncompress(block)));
  return Buffer.concat(parts);
}

function blocksOf(bytes: Buffer): readonly Buffer[] {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return [bytes];
  const blocks: Buffer[] = [];
  let at = HEAD_BYTES;
  while (at < bytes.length) {
    const from = at + LENGTH_BYTES;
    at = from > bytes.length ? Infinity : from + bytes.readUInt32BE(at);
    if (at > bytes.length) throw new Error('a batch of snappy is cut short');
    blocks.push(bytes.subarray(from, at));
  }
  return blocks;
}

function sizeOf(block: Buffer): number {
  let size = 0;
  for (let index = 0; index < SIZE_BYTES_MAX; index += 1) {
    const byte = block[index];
    if (byte === undefined) break;
    size += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return size;
  }
  throw new Error('a block of snappy does not say its size');
}
