import { chmod, mkdir, readdir, rm, stat, statfs } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { getHeapSpaceStatistics, getHeapStatistics, writeHeapSnapshot } from 'node:v8';
import type {
  DiagnosticsAnswers,
  DiagnosticsCommand,
  WireDiagnosis,
  WireHeapSnapshot,
} from '#libs/api-contracts';
import type { RecentLog } from './recent-log.ts';

/** The node stands still for seconds above this, and might lose its lease. */
const HEAP_BYTES_MAX = 128 * 1024 * 1024;
/** A snapshot is smaller than this many times the heap. */
const SNAPSHOT_RATIO = 3;
const SUFFIX = '.heapsnapshot';

/** What a diagnosis is made with. */
export interface DiagnosisOptions {
  readonly log: Pick<RecentLog, 'shown'>;
  /** Where heap snapshots are written, below `diagnostics`. */
  readonly dir: string;
  readonly heapBytesMax?: number;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

/** What a process says about itself when somebody looks for a cause; neither its environment nor its arguments, which may hold secrets. */
export class Diagnosis {
  readonly #options: DiagnosisOptions;

  constructor(options: DiagnosisOptions) {
    this.#options = options;
  }

  /** Carries out what the API asks. */
  answer(
    command: DiagnosticsCommand,
  ): DiagnosticsAnswers['diagnose'] | Promise<DiagnosticsAnswers['write-heap-snapshot']> {
    if (command.kind === 'diagnose') return this.#diagnose();
    return this.#writeHeapSnapshot();
  }

  #diagnose(): WireDiagnosis {
    const { version, platform, arch, pid } = process;
    const active: Record<string, number> = {};
    for (const kind of process.getActiveResourcesInfo()) active[kind] = (active[kind] ?? 0) + 1;
    return {
      process: {
        ...{ pid, nodeVersion: version, platform, arch, cpus: availableParallelism() },
        memory: { ...process.memoryUsage() },
        resources: { ...process.resourceUsage() },
        heapSpaces: getHeapSpaceStatistics().map((space) => ({
          name: space.space_name,
          usedBytes: space.space_used_size,
        })),
        active,
      },
      log: this.#options.log.shown(),
    };
  }

  async #writeHeapSnapshot(): Promise<WireHeapSnapshot> {
    const { heapBytesMax = HEAP_BYTES_MAX, nowMs } = this.#options;
    const { used_heap_size: used } = getHeapStatistics();
    if (used > heapBytesMax) {
      const reason = `The heap has ${String(used)} bytes; above ${String(heapBytesMax)} the node would stand still for too long`;
      return { kind: 'refused', reason };
    }
    const dir = join(this.#options.dir, 'diagnostics');
    try {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      // Made by whom it may be: what is written there is for this user alone.
      await chmod(dir, 0o700);
      for (const name of await readdir(dir)) if (name.endsWith(SUFFIX)) await rm(join(dir, name));
      const { bavail, bsize } = await statfs(dir);
      if (bavail * bsize < SNAPSHOT_RATIO * used) {
        return { kind: 'refused', reason: 'The disk has no room for it' };
      }
      const startMs = nowMs();
      const file = writeHeapSnapshot(join(dir, `${String(startMs)}${SUFFIX}`));
      const { size: bytes } = await stat(file);
      return { kind: 'written', file, bytes, ms: nowMs() - startMs };
    } catch (error) {
      return { kind: 'refused', reason: (error as Error).message };
    }
  }
}
