import type { Spool } from '#libs/broker-ports';
import { GroupedSpool } from '#libs/spool';
import { SpoolFile } from './spool-file.ts';

/** Where the spool of a node is, and how large it may grow. */
export interface LocalSpoolOptions {
  /** The directory of its file, made if needed; of no other process. */
  readonly dir: string;
  /** How many bytes wait at most. The file is a little larger, and does not shrink. */
  readonly bytesMax: number;
}

/**
 * Opens a spool in a directory.
 *
 * @remarks A record is durable when the disk has synced it: when it survives the loss of power, not only that of the
 * process. It is read back through the page cache, so memory does not grow with what waits.
 *
 * @throws SpoolError when the directory cannot be used, or its file is in use, damaged or of another version; it names
 * `bridge.spool.dir`.
 *
 * @example
 * ```ts
 * const spool = await openLocalSpool({ dir: '/var/lib/skein/spool', bytesMax: 8 * 1024 ** 3 });
 * const log = spool.open('telemetry');
 * log.append(bytes, Date.now(), (sequence, error) => settle(sequence, error));
 * ```
 */
export async function openLocalSpool({ dir, bytesMax }: LocalSpoolOptions): Promise<Spool> {
  const store = await SpoolFile.open(dir);
  try {
    return await GroupedSpool.open({ store, bytesMax, defer: setImmediate });
  } catch (error) {
    await store.close();
    throw error;
  }
}
