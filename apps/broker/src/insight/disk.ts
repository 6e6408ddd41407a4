import { statfs } from 'node:fs/promises';

/** A disk does not fill in less. */
const LOOK_MS = 30_000;

/** How much of the disk with the data is free, as of lately. */
export class DiskWatch {
  readonly #dir: string | undefined;
  readonly #nowMs: () => number;
  #freeShare: number | undefined;
  #looked = -Infinity;
  #isLooking = false;

  /** @param dir - undefined: no data is kept on a disk. */
  constructor(dir: string | undefined, nowMs: () => number) {
    this.#dir = dir;
    this.#nowMs = nowMs;
  }

  /** 0 to 1; undefined where it is not known. Looks again in the background when that was long ago. */
  get freeShare(): number | undefined {
    const nowMs = this.#nowMs();
    const isDue = this.#dir !== undefined && nowMs - this.#looked >= LOOK_MS;
    if (isDue && !this.#isLooking) {
      this.#looked = nowMs;
      // It never rejects.
      void this.look();
    }
    return this.#freeShare;
  }

  /** Looks now; a disk that cannot be asked is not known. */
  async look(): Promise<void> {
    if (this.#dir === undefined) return;
    this.#isLooking = true;
    try {
      const { bavail, blocks } = await statfs(this.#dir);
      this.#freeShare = blocks === 0 ? undefined : bavail / blocks;
    } catch {
      this.#freeShare = undefined;
    } finally {
      this.#isLooking = false;
    }
  }
}
