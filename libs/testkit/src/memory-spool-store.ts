import { SpoolError, type Spool } from '#libs/broker-ports';
import {
  GroupedSpool,
  type SpoolBlock,
  type SpoolChange,
  type SpoolChanged,
  type SpoolStore,
  type StoredLog,
} from '#libs/spool';

interface MemoryLog {
  state: Omit<StoredLog, 'base'>;
  blocks: SpoolBlock[];
}

/** Blocks of a spool in memory, which outlive the spool as a file would, and faults on demand. */
export class MemorySpoolStore implements SpoolStore {
  /** While it is set, writes fail with it and change nothing. */
  fault: SpoolError['code'] | undefined;
  /** How many groups there were, failed ones included. */
  writes = 0;
  readonly #logs = new Map<string, MemoryLog>();
  #held: Promise<void> | undefined;

  /** Makes writes wait; the function that is returned lets them go on. */
  hold(): () => void {
    let release: () => void = () => undefined;
    this.#held = new Promise((resolve) => {
      release = resolve;
    });
    return release;
  }

  /** Spoils the block that holds a sequence, as a disk might. */
  damage(rule: string, sequence: number): void {
    const log = this.#logs.get(rule);
    const index = log?.blocks.findIndex(({ last }) => last >= sequence) ?? -1;
    const block = log?.blocks[index];
    if (log === undefined || block === undefined) throw new Error('there is no such block');
    log.blocks[index] = { ...block, bytes: block.bytes.subarray(0, block.bytes.length - 1) };
  }

  async logs(): Promise<readonly StoredLog[]> {
    return Array.from(this.#logs.values(), ({ state, blocks }) => ({
      ...state,
      base: blocks[0]?.before ?? state.end,
    }));
  }

  async write(changes: readonly SpoolChange[]): Promise<readonly SpoolChanged[]> {
    this.writes += 1;
    await this.#held;
    if (this.fault !== undefined) throw new SpoolError(this.fault, 'as the test wants it');
    return changes.map(({ blocks: added, ...state }) => {
      const known = this.#logs.get(state.rule);
      const before = known?.blocks ?? [];
      const marks = state.marks ?? known?.state.marks;
      const copies = added.map((block) => ({ ...block, bytes: block.bytes.slice() }));
      const blocks = [...before, ...copies].filter(({ last }) => last >= state.first);
      this.#logs.set(state.rule, { state: { ...state, marks }, blocks });
      return { base: blocks[0]?.before ?? state.end, isTidy: true };
    });
  }

  async read(rule: string, from: number, bytesMax: number): Promise<readonly SpoolBlock[]> {
    const found: SpoolBlock[] = [];
    let bytes = 0;
    for (const block of this.#logs.get(rule)?.blocks ?? []) {
      if (block.last < from) continue;
      found.push({ ...block, bytes: block.bytes.slice() });
      bytes += block.bytes.length;
      if (bytes >= bytesMax) break;
    }
    return found;
  }

  async remove(rule: string): Promise<void> {
    this.#logs.delete(rule);
  }

  async close(): Promise<void> {
    // What it holds is found again by the next spool.
  }
}

/**
 * Opens a spool in memory, for tests of what stands upon one.
 *
 * @param store - one that a spool before it has used, as after a restart.
 */
export function openMemorySpool(
  bytesMax: number = Infinity,
  store: SpoolStore = new MemorySpoolStore(),
): Promise<Spool> {
  return GroupedSpool.open({ store, bytesMax, defer: setImmediate });
}
