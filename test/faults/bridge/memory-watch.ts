import { readFileSync } from 'node:fs';
import type { Broker } from '../../e2e/harness/broker.ts';

const SAMPLE_MS = 500;
const KIB_PER_MIB = 1_024;

/** Memory of a process in MiB: what is resident, and what of it is not pages of files. */
export interface MemorySample {
  readonly rss: number;
  readonly anonymous: number;
}

/** Looks at the resident memory of nodes now and then. */
export class MemoryWatch {
  /** The largest since the last reset. */
  highest: MemorySample = { rss: 0, anonymous: 0 };
  #highestEver = 0;
  readonly #nodes: readonly Broker[];
  readonly #timer: NodeJS.Timeout;

  constructor(nodes: readonly Broker[]) {
    this.#nodes = nodes;
    this.#timer = setInterval(() => this.now(), SAMPLE_MS);
  }

  /** Resident memory of the largest node, ever. */
  get highestMiB(): number {
    return this.#highestEver;
  }

  /** The largest of the nodes as it is now. */
  now(): MemorySample {
    let largest: MemorySample = { rss: 0, anonymous: 0 };
    for (const { child } of this.#nodes) {
      if (!child.isRunning) continue;
      const status = readFileSync(`/proc/${String(child.pid)}/status`, 'utf8');
      const sample = { rss: mib(status, 'VmRSS'), anonymous: mib(status, 'RssAnon') };
      largest = larger(largest, sample);
    }
    this.highest = larger(this.highest, largest);
    this.#highestEver = Math.max(this.#highestEver, largest.rss);
    return largest;
  }

  /** Begins to look for the largest anew. */
  reset(): void {
    this.highest = this.now();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

const larger = (one: MemorySample, other: MemorySample): MemorySample => ({
  rss: Math.max(one.rss, other.rss),
  anonymous: Math.max(one.anonymous, other.anonymous),
});

function mib(status: string, field: string): number {
  const [, kib = '0'] = new RegExp(`^${field}:\\s+(\\d+)`, 'mu').exec(status) ?? [];
  return Math.round(Number(kib) / KIB_PER_MIB);
}
