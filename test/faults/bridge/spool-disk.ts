import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Scope } from '../../e2e/harness/scope.ts';

const run = promisify(execFile);
const MIB = 1024 * 1024;

/** Where the nodes of a row have their spools; a file system of its own where its size is given. */
export class SpoolDisk {
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /**
   * Makes the directory, which the scope removes.
   *
   * @throws Error when a small file system is asked for and cannot be mounted.
   */
  static async open(scope: Scope, mebibytes?: number): Promise<SpoolDisk> {
    const dir = await mkdtemp(join(tmpdir(), 'skein-faults-spool-'));
    scope.add(() => rm(dir, { recursive: true, force: true }));
    if (mebibytes !== undefined) {
      const size = `size=${String(mebibytes)}m`;
      await run('mount', ['-t', 'tmpfs', '-o', size, 'tmpfs', dir]).catch((cause: unknown) => {
        throw new Error('this row mounts a small tmpfs, for which it must be run as root', {
          cause,
        });
      });
      // Nodes may not have ended when a row has failed.
      scope.add(() => run('umount', ['--lazy', dir]));
    }
    return new SpoolDisk(dir);
  }

  /** The directory of the spool of a node. */
  dirOf(index: number): string {
    return join(this.#dir, String(index));
  }

  /** Takes room away. */
  async fill(mebibytes: number): Promise<void> {
    await writeFile(this.#ballast, Buffer.alloc(mebibytes * MIB));
  }

  /** Gives it back. */
  async free(): Promise<void> {
    await rm(this.#ballast);
  }

  get #ballast(): string {
    return join(this.#dir, 'ballast');
  }
}
