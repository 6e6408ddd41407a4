import type { NodeRef } from '#libs/broker-ports';
import { nodeKey } from './node-key.ts';

/** The memory a RepeatFilter may use. */
export interface RepeatFilterLimits {
  /** How many sequences behind the highest one of a source are remembered one by one. */
  readonly window: number;
  /** How many sources are remembered; the one heard of least recently goes first. */
  readonly sourcesMax: number;
}

/** What is known of one source: the highest sequence and, per slot of the window, the sequence last seen in it. */
interface SourceWindow {
  highest: number;
  readonly slots: Float64Array;
}

/**
 * Recognises batches that come again: an append that was sent twice because its answer was lost.
 *
 * @remarks A batch is identified by source, incarnation and sequence, never by a maximum alone: within the window
 * each sequence is remembered, so a batch that comes late is not taken for a repeat. One source appends in the order of
 * its sequences, so what is older than the window can only be a repeat. Memory: window times sourcesMax numbers.
 */
export class RepeatFilter {
  readonly #sources = new Map<string, SourceWindow>();
  readonly #limits: RepeatFilterLimits;

  constructor(limits: RepeatFilterLimits) {
    this.#limits = limits;
  }

  /** Tells whether this batch came before, and remembers it. Sequences are integers from 1. */
  isRepeat(source: NodeRef, sequence: number): boolean {
    const { window } = this.#limits;
    const seen = this.#touch(nodeKey(source));
    if (sequence <= seen.highest - window) return true;
    const slot = sequence % window;
    if (seen.slots[slot] === sequence) return true;
    seen.slots[slot] = sequence;
    if (sequence > seen.highest) seen.highest = sequence;
    return false;
  }

  /** Makes the source the most recent one, at the cost of the least recent one when there are too many. */
  #touch(key: string): SourceWindow {
    const known = this.#sources.get(key);
    if (known !== undefined) {
      this.#sources.delete(key);
      this.#sources.set(key, known);
      return known;
    }
    const opened = { highest: 0, slots: new Float64Array(this.#limits.window) };
    this.#sources.set(key, opened);
    if (this.#sources.size > this.#limits.sourcesMax) {
      for (const oldest of this.#sources.keys()) {
        this.#sources.delete(oldest);
        break;
      }
    }
    return opened;
  }
}
