import { open, rename, rm } from 'node:fs/promises';
import { LocalError } from './exit-code.ts';

/**
 * Writes a file that its owner alone may read; a file of this name is replaced when all of it is there, and stays otherwise.
 *
 * @returns how many bytes it has.
 * @throws LocalError when it cannot be written.
 */
export async function saveTo(file: string, chunks: AsyncIterable<Uint8Array>): Promise<number> {
  const part = `${file}.part`;
  const handle = await open(part, 'w', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw new LocalError(`${part}: cannot be written (${error.code})`);
  });
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      await handle.writeFile(chunk);
      bytes += chunk.byteLength;
    }
    await handle.sync();
    await handle.close();
    await rename(part, file);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(part, { force: true });
    throw error;
  }
  return bytes;
}
