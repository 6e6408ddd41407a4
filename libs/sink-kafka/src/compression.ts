import { promisify } from 'node:util';
import { gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import { compressFrame, decompressFrame } from 'lz4-napi';
import { lz4SizeMax } from './lz4-frame.ts';
import { compressSnappy, decompressSnappy, snappySize } from './snappy-stream.ts';

/** Compresses and decompresses batches, as the client calls it. */
export interface Codec {
  compress(encoded: { readonly buffer: Buffer }): Promise<Buffer>;
  /** @throws Error when the batch is malformed, or would be larger than {@link DECOMPRESSED_BYTES_MAX}. */
  decompress(batch: Buffer): Promise<Buffer>;
}

/** Most bytes of a batch when it is decompressed: a few bytes of a hostile producer could otherwise fill memory. */
export const DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024;

const BOUND = { maxOutputLength: DECOMPRESSED_BYTES_MAX };
const compressGzip = promisify(gzip);
const decompressGzip = promisify(gunzip);
const compressZstd = promisify(zstdCompress);
const decompressZstd = promisify(zstdDecompress);

/** Each compression that Kafka knows. */
export const CODECS: Readonly<Record<'gzip' | 'snappy' | 'lz4' | 'zstd', Codec>> = {
  gzip: {
    compress: ({ buffer }) => compressGzip(buffer),
    decompress: (batch) => bounded('gzip', () => decompressGzip(batch, BOUND)),
  },
  snappy: {
    compress: ({ buffer }) => compressSnappy(buffer),
    decompress: async (batch) => {
      if (snappySize(batch) > DECOMPRESSED_BYTES_MAX) throw tooLarge('snappy');
      return decompressSnappy(batch);
    },
  },
  lz4: {
    compress: ({ buffer }) => compressFrame(buffer),
    decompress: async (batch) => {
      if (lz4SizeMax(batch) > DECOMPRESSED_BYTES_MAX) throw tooLarge('lz4');
      return decompressFrame(batch);
    },
  },
  zstd: {
    compress: ({ buffer }) => compressZstd(buffer),
    decompress: (batch) => bounded('zstd', () => decompressZstd(batch, BOUND)),
  },
};

/** Gives the client all codecs: it has only one of its own, which knows no bound. */
export function installCodecs(): void {
  const { GZIP, Snappy, LZ4, ZSTD } = kafkajs.CompressionTypes;
  const { gzip: ofGzip, snappy, lz4, zstd } = CODECS;
  Object.assign(kafkajs.CompressionCodecs, {
    [GZIP]: () => ofGzip,
    [Snappy]: () => snappy,
    [LZ4]: () => lz4,
    [ZSTD]: () => zstd,
  });
}

async function bounded(name: string, decompress: () => Promise<Buffer>): Promise<Buffer> {
  try {
    return await decompress();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(name);
    throw error;
  }
}

function tooLarge(name: string): Error {
  const most = DECOMPRESSED_BYTES_MAX / 1024 / 1024;
  return new Error(`a batch of ${name} takes more than ${String(most)} MiB when decompressed`);
}
