import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { ArchiveFault } from './archive-fault.ts';

/*
 * How an archive is enciphered:
 *
 *   8 bytes   SKEINBAK
 *   1 byte    version of this layout, 1
 *   16 bytes  salt: each file has a key of its own
 *   16 bytes  mark of the key: tells a wrong key from a broken file
 *   chunks    4 bytes length of what follows, cipher text, 16 bytes tag
 *
 * Each chunk is AES-256-GCM under a nonce that is its number, with the header, the number and whether it is the last one as
 * additional data: none can be changed, left out, put elsewhere or taken from another file. The last one may be empty.
 */

const MAGIC = Buffer.from('SKEINBAK');
const VERSION = 1;
const SALT_BYTES = 16;
const MARK_BYTES = 16;
const TAG_BYTES = 16;
const LENGTH_BYTES = 4;
const CHUNK_BYTES = 64 * 1024;
const ALGORITHM = 'aes-256-gcm';

/** How many bytes stand before the first chunk. */
export const HEADER_BYTES = MAGIC.length + 1 + SALT_BYTES + MARK_BYTES;

interface FileKey {
  readonly key: Buffer;
  readonly header: Buffer;
}

/** Whether a file begins as an enciphered archive. */
export function isEnciphered(beginning: Uint8Array): boolean {
  return MAGIC.equals(beginning.subarray(0, MAGIC.length));
}

/** Enciphers an archive. */
export async function* encipher(
  plain: AsyncIterable<Uint8Array>,
  secret: string,
): AsyncGenerator<Buffer, void, undefined> {
  const file = fileKeyOf(secret, randomBytes(SALT_BYTES));
  yield file.header;
  let number = 0;
  let waiting = Buffer.alloc(0);
  for await (const piece of plain) {
    waiting = Buffer.concat([waiting, piece]);
    let from = 0;
    // What may be the last chunk waits: only the last one says so.
    for (; waiting.length - from > CHUNK_BYTES; from += CHUNK_BYTES) {
      yield sealed(file, waiting.subarray(from, from + CHUNK_BYTES), { number, isLast: false });
      number += 1;
    }
    waiting = waiting.subarray(from);
  }
  yield sealed(file, waiting, { number, isLast: true });
}

/**
 * Deciphers an archive.
 *
 * @throws ArchiveFault naming the place.
 */
export async function* decipher(
  source: AsyncIterable<Uint8Array>,
  secret: string,
): AsyncGenerator<Buffer, void, undefined> {
  let waiting = Buffer.alloc(0);
  let file: FileKey | undefined;
  let number = 0;
  let at = 0;
  for await (const piece of source) {
    waiting = Buffer.concat([waiting, piece]);
    if (file === undefined) {
      if (waiting.length < HEADER_BYTES) continue;
      file = openedKey(waiting.subarray(0, HEADER_BYTES), secret);
      waiting = waiting.subarray(HEADER_BYTES);
      at = HEADER_BYTES;
    }
    for (;;) {
      const chunk = chunkOf(waiting, at);
      // The last chunk is known by its end: nothing follows.
      if (chunk === undefined || waiting.length === chunk.length) break;
      yield opened(file, chunk, { number, isLast: false, at });
      waiting = waiting.subarray(chunk.length);
      at += chunk.length;
      number += 1;
    }
  }
  if (file === undefined) throw new ArchiveFault('byte 0', 'the file ends within its header');
  const chunk = chunkOf(waiting, at);
  if (chunk === undefined) throw new ArchiveFault(`byte ${at}`, 'the file ends within a chunk');
  yield opened(file, chunk, { number, isLast: true, at });
}

function fileKeyOf(secret: string, salt: Uint8Array): FileKey {
  const key = Buffer.from(hkdfSync('sha256', secret, salt, 'skein-backup', 32));
  const mark = createHmac('sha256', key).update('mark').digest().subarray(0, MARK_BYTES);
  return { key, header: Buffer.concat([MAGIC, Buffer.of(VERSION), salt, mark]) };
}

function openedKey(header: Buffer, secret: string): FileKey {
  if (!isEnciphered(header)) throw new ArchiveFault('byte 0', 'this is no enciphered archive');
  const version = header[MAGIC.length];
  if (version !== VERSION) {
    throw new ArchiveFault(`byte ${MAGIC.length}`, `the file has version ${version ?? '?'}, not 1`);
  }
  const from = MAGIC.length + 1;
  const file = fileKeyOf(secret, header.subarray(from, from + SALT_BYTES));
  if (timingSafeEqual(file.header, header)) return file;
  throw new ArchiveFault(
    `byte ${from + SALT_BYTES}`,
    'the archive was enciphered with another key than backups.key',
  );
}

/** A whole chunk with its length and tag; undefined when there is none yet. */
function chunkOf(waiting: Buffer, at: number): Buffer | undefined {
  if (waiting.length < LENGTH_BYTES) return undefined;
  const length = waiting.readUInt32BE();
  if (length < TAG_BYTES || length > CHUNK_BYTES + TAG_BYTES) {
    throw new ArchiveFault(`byte ${at}`, `there is no chunk of ${length} bytes`);
  }
  const whole = LENGTH_BYTES + length;
  return waiting.length < whole ? undefined : waiting.subarray(0, whole);
}

interface Place {
  readonly number: number;
  readonly isLast: boolean;
}

function nonceOf(number: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(number), 4);
  return nonce;
}

function additional({ header }: FileKey, { number, isLast }: Place): Buffer {
  return Buffer.concat([header, nonceOf(number), Buffer.of(isLast ? 1 : 0)]);
}

function sealed(file: FileKey, plain: Uint8Array, place: Place): Buffer {
  const cipher = createCipheriv(ALGORITHM, file.key, nonceOf(place.number));
  cipher.setAAD(additional(file, place));
  const text = Buffer.concat([cipher.update(plain), cipher.final()]);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(text.length + TAG_BYTES);
  return Buffer.concat([length, text, cipher.getAuthTag()]);
}

function opened(file: FileKey, chunk: Buffer, place: Place & { readonly at: number }): Buffer {
  const cipher = createDecipheriv(ALGORITHM, file.key, nonceOf(place.number));
  cipher.setAAD(additional(file, place));
  cipher.setAuthTag(chunk.subarray(chunk.length - TAG_BYTES));
  try {
    const text = chunk.subarray(LENGTH_BYTES, chunk.length - TAG_BYTES);
    return Buffer.concat([cipher.update(text), cipher.final()]);
  } catch {
    throw new ArchiveFault(
      `byte ${place.at}`,
      'the chunk was changed, moved or taken from another file, or what follows is missing',
    );
  }
}
