import { open } from 'node:fs/promises';

/*
 * LMDB begins its file with two pages of the same layout, numbers in the order of the machine; the second begins where the
 * size of the first ends:
 *
 *   24 bytes  header
 *   uint32    magic number
 *   uint16    version, and 2 bytes of flags
 *   16 bytes  address and size of the map
 *   uint32    size of a page
 */
const MAGIC_AT = 24;
const PAGE_SIZE_AT = MAGIC_AT + 24;
const HEAD_BYTES = PAGE_SIZE_AT + 4;
const MAGIC = 0xbeef_c0de;
const VERSION = 2;

/**
 * Whether there is a file that is none of LMDB's: the driver does not refuse such a file, it ends the process.
 *
 * @remarks Damage further inside is not seen.
 */
export async function isForeign(path: string): Promise<boolean> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return false;
  try {
    const read = async (position: number): Promise<Uint32Array | undefined> => {
      const bytes = new Uint8Array(HEAD_BYTES);
      const { bytesRead } = await file.read(bytes, 0, HEAD_BYTES, position);
      return bytesRead === HEAD_BYTES ? new Uint32Array(bytes.buffer) : undefined;
    };
    if ((await file.stat()).size === 0) return false;
    const first = await read(0);
    const second = await read(first?.[PAGE_SIZE_AT / 4] ?? 0);
    return ![first, second].every(isMeta);
  } finally {
    await file.close();
  }
}

function isMeta(words: Uint32Array | undefined): boolean {
  const version = (words?.[MAGIC_AT / 4 + 1] ?? 0) & 0xffff;
  return words?.[MAGIC_AT / 4] === MAGIC && version === VERSION;
}
