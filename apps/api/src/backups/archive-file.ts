import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline as piped, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { decipher, encipher, isEnciphered } from './archive-cipher.ts';
import { ArchiveFault } from './archive-fault.ts';

/** A line is a session with some of its queue, or one message of the largest size in base64. */
const LINE_BYTES_MAX = 384 * 1024 * 1024;
/** Lines that go into the compressor together. */
const WRITE_BYTES = 64 * 1024;
const NEWLINE = 10;
/** How the name of a file ends that is being written. */
const PARTIAL = '.partial';

/** A file that was written or read: its bytes and their SHA-256. */
export interface FileSummary {
  readonly bytes: number;
  readonly sha256: string;
}

/** How an archive is written. */
export interface WriteOptions {
  /** The key, if it is to be enciphered. */
  readonly secret: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Writes lines into a file, which is there when it is whole and on disk, or not at all.
 *
 * @remarks What a worker before has left of it goes. That one may be about still, frozen for longer than its lease: it writes into a
 * file of its own, which is nowhere any more, and takes nothing away.
 */
export async function writeArchive(
  path: string,
  lines: AsyncIterable<string>,
  { secret, signal }: WriteOptions,
): Promise<FileSummary> {
  await removePartials(path);
  const partial = `${path}.${randomUUID()}${PARTIAL}`;
  const hash = createHash('sha256');
  let bytes = 0;
  async function* counted(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    for await (const piece of secret === undefined ? source : encipher(source, secret)) {
      hash.update(piece);
      bytes += piece.length;
      yield piece;
    }
  }
  try {
    const target = createWriteStream(partial, { flags: 'w', mode: 0o600, flush: true });
    await pipeline(Readable.from(batches(lines)), createGzip(), counted, target, { signal });
    signal.throwIfAborted();
    await rename(partial, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  return { bytes, sha256: hash.digest('hex') };
}

/**
 * The lines of a file, deciphered and decompressed.
 *
 * @param secret - the key, if there is one.
 * @param read - told of the whole file, when it is.
 *
 * @throws ArchiveFault naming the place.
 */
export async function* readLines(
  path: string,
  secret: string | undefined,
  read?: (file: FileSummary) => void,
): AsyncGenerator<string, void, undefined> {
  const isSecret = isEnciphered(await beginningOf(path));
  if (isSecret && secret === undefined) {
    throw new ArchiveFault('byte 0', 'the archive is enciphered, and backups.key is not set');
  }
  const hash = createHash('sha256');
  let bytes = 0;
  async function* counted(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    for await (const piece of source) {
      hash.update(piece);
      bytes += piece.length;
      yield piece;
    }
  }
  const gunzip = createGunzip();
  const source = counted(createReadStream(path));
  const plain = isSecret && secret !== undefined ? decipher(source, secret) : source;
  // Its failure is that of the last stream, which is read below.
  piped(Readable.from(plain), gunzip, () => undefined);
  let lines = 0;
  try {
    for await (const line of linesOf(gunzip)) {
      lines += 1;
      yield line;
    }
  } catch (error) {
    if (error instanceof ArchiveFault || !isOfZlib(error)) throw error;
    throw new ArchiveFault(
      `line ${lines + 1}`,
      lines === 0
        ? 'the file is no archive, or its beginning is broken'
        : 'the file is cut off or broken here',
    );
  } finally {
    gunzip.destroy();
  }
  read?.({ bytes, sha256: hash.digest('hex') });
}

async function removePartials(path: string): Promise<void> {
  const folder = dirname(path);
  const begin = `${basename(path)}.`;
  for (const name of await readdir(folder)) {
    if (!name.startsWith(begin) || !name.endsWith(PARTIAL)) continue;
    await rm(join(folder, name), { force: true });
  }
}

async function* batches(lines: AsyncIterable<string>): AsyncGenerator<Buffer, void, undefined> {
  let waiting: string[] = [];
  let length = 0;
  for await (const line of lines) {
    waiting.push(line);
    length += line.length;
    if (length < WRITE_BYTES) continue;
    yield Buffer.from(waiting.join(''));
    waiting = [];
    length = 0;
  }
  if (length > 0) yield Buffer.from(waiting.join(''));
}

async function* linesOf(source: AsyncIterable<Buffer>): AsyncGenerator<string, void, undefined> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  for await (const piece of source) {
    let from = 0;
    for (let to = piece.indexOf(NEWLINE); to >= 0; to = piece.indexOf(NEWLINE, from)) {
      yield Buffer.concat([...waiting, piece.subarray(from, to)]).toString();
      waiting = [];
      bytes = 0;
      from = to + 1;
    }
    waiting.push(piece.subarray(from));
    bytes += piece.length - from;
    if (bytes > LINE_BYTES_MAX) throw new ArchiveFault('a line', 'it is longer than any can be');
  }
  if (bytes > 0) yield Buffer.concat(waiting).toString();
}

/** The first bytes of a file. */
export async function beginningOf(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(16), 0, 16, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function isOfZlib(error: unknown): boolean {
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  return typeof code === 'string' && code.startsWith('Z_');
}
