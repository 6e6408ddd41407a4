import { deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { compressFrameSync } from 'lz4-napi';
import { compressSync } from 'snappy';
import { CODECS, DECOMPRESSED_BYTES_MAX } from './compression.ts';

type Name = keyof typeof CODECS;

const NAMES = Object.keys(CODECS) as Name[];
const TEXT = Buffer.from('alike '.repeat(50_000));

/** A stream of snappy-java with a block for each part. */
function javaStream(...parts: readonly Buffer[]): Buffer {
  const head = Buffer.from('\x82SNAPPY\0\0\0\0\x01\0\0\0\x01', 'latin1');
  const blocks = parts.flatMap((part) => {
    const block = compressSync(part);
    const length = Buffer.alloc(4);
    length.writeInt32BE(block.length);
    return [length, block];
  });
  return Buffer.concat([head, ...blocks]);
}

describe.each(NAMES)('the codec %s', (name) => {
  const codec = CODECS[name];

  it.each([0, 1, 100, TEXT.length])('reads what it writes, %i bytes', async (length) => {
    const bytes = TEXT.subarray(0, length);
    const compressed = await codec.compress({ buffer: bytes });
    expect(compressed.length).toBeLessThan(length / 5 + 200);
    expect(bytes.equals(await codec.decompress(compressed))).toBe(true);
  });

  it('takes a batch of the largest size, and refuses a larger one before it is in memory', async () => {
    const zeros = Buffer.alloc(DECOMPRESSED_BYTES_MAX + 1);
    const most = await codec.compress({ buffer: zeros.subarray(1) });
    expect(await codec.decompress(most)).toHaveLength(DECOMPRESSED_BYTES_MAX);
    const tooMuch = await codec.compress({ buffer: zeros });
    await expect(codec.decompress(tooMuch)).rejects.toThrow(
      `a batch of ${name} takes more than 64 MiB when decompressed`,
    );
  });

  it('refuses what is cut short or is something else', async () => {
    const compressed = await codec.compress({ buffer: TEXT });
    const half = compressed.subarray(0, compressed.length >> 1);
    await expect(codec.decompress(half)).rejects.toHaveProperty('message');
    await expect(codec.decompress(Buffer.from('no batch at all'))).rejects.toHaveProperty(
      'message',
    );
    await expect(codec.decompress(Buffer.alloc(0))).rejects.toHaveProperty('message');
  });
});

describe('snappy', () => {
  const { snappy } = CODECS;

  it('reads the streams of Java clients, whose blocks are small, and plain blocks of librdkafka', async () => {
    const parts = [TEXT.subarray(0, 32_768), TEXT.subarray(32_768)];
    expect(TEXT.equals(await snappy.decompress(javaStream(...parts)))).toBe(true);
    expect(TEXT.equals(await snappy.decompress(compressSync(TEXT)))).toBe(true);
  });

  it('writes a stream of Java clients', async () => {
    expect(javaStream(TEXT).equals(await snappy.compress({ buffer: TEXT }))).toBe(true);
  });

  it('refuses a small block that says it is large, and many blocks that are large together', async () => {
    const liar = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]), compressSync('a')]);
    await expect(snappy.decompress(liar)).rejects.toThrow('takes more than 64 MiB');
    const parts = Array.from({ length: 65 }, () => Buffer.alloc(1024 * 1024));
    await expect(snappy.decompress(javaStream(...parts))).rejects.toThrow('takes more than 64 MiB');
    const endless = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    await expect(snappy.decompress(endless)).rejects.toThrow('does not say its size');
  });
});

describe('gzip and zstd', () => {
  it('do not take another format for theirs', async () => {
    await expect(CODECS.gzip.decompress(deflateRawSync(TEXT))).rejects.toHaveProperty('message');
    await expect(CODECS.gzip.decompress(zstdCompressSync(TEXT))).rejects.toHaveProperty('message');
    await expect(CODECS.zstd.decompress(gzipSync(TEXT))).rejects.toHaveProperty('message');
  });
});

describe('lz4', () => {
  it('reads frames with checksums, and several one after the other up to the bound', async () => {
    const options = { contentChecksum: true, blockChecksums: true };
    const checked = compressFrameSync(TEXT, options);
    expect(TEXT.equals(await CODECS.lz4.decompress(checked))).toBe(true);
    const frame = compressFrameSync(Buffer.alloc(40 * 1024 * 1024));
    await expect(CODECS.lz4.decompress(Buffer.concat([frame, frame]))).rejects.toThrow(
      'takes more than 64 MiB',
    );
  });
});
