/*
 * A frame of LZ4, all numbers little-endian:
 *
 *   magic, flags (1 byte), largest block (1), [content size (8)], [dictionary (4)], checksum (1)
 *   blocks: length (4, its highest bit says that the block is not compressed), block, [checksum (4)]
 *   end: 0 (4), [checksum (4)]
 *
 * https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
const MAGIC = 0x184d_2204;
const DICTIONARY_FLAG = 0x01;
const CHECKSUM_FLAG = 0x04;
const SIZE_FLAG = 0x08;
const BLOCK_CHECKSUM_FLAG = 0x10;
const UNCOMPRESSED = 0x8000_0000;
/** No byte of a block stands for more. */
const BYTES_PER_BYTE = 255;

/** How many bytes frames of LZ4 may take at most when they are decompressed, by the lengths of their blocks. @throws Error when they are malformed. */
export function lz4SizeMax(bytes: Buffer): number {
  let size = 0;
  let at = 0;
  const next = (length: number): number => {
    if (at + length > bytes.length) throw new Error('a batch of lz4 is cut short');
    at += length;
    return at - length;
  };
  do {
    if (bytes.readUInt32LE(next(4)) !== MAGIC) throw new Error('a batch of lz4 is no frame');
    const flags = bytes.readUInt8(next(1));
    const largest = 2 ** (8 + 2 * ((bytes.readUInt8(next(1)) >> 4) & 0x07));
    next((flags & SIZE_FLAG ? 8 : 0) + (flags & DICTIONARY_FLAG ? 4 : 0) + 1);
    for (;;) {
      const length = bytes.readUInt32LE(next(4));
      if (length === 0) break;
      const stored = length % UNCOMPRESSED;
      next(stored + (flags & BLOCK_CHECKSUM_FLAG ? 4 : 0));
      size += length >= UNCOMPRESSED ? stored : Math.min(largest, BYTES_PER_BYTE * stored);
    }
    next(flags & CHECKSUM_FLAG ? 4 : 0);
  } while (at < bytes.length);
  return size;
}
