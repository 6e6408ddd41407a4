import type { OverloadLevel } from '#libs/broker-ports';

/** How much a node has to do at a moment. */
export interface LoadSample {
  /** How late the event loop was of late, on the mean. */
  readonly loopDelayMs: number;
  /** The share of the heap that is used. */
  readonly heapPercent: number;
  /** How long Redis took to answer of late, on the mean. */
  readonly redisDelayMs: number;
  /** The share of the spool that is taken. */
  readonly spoolPercent: number;
}

/** From where on each measure calls for level 1, 2 and 3; 0 never does. */
export interface OverloadSettings extends Readonly<Record<keyof LoadSample, readonly number[]>> {
  /** How long it must be so before a level is entered. */
  readonly riseSeconds: number;
  /** How long it must no longer be so before a level is left. */
  readonly fallSeconds: number;
}

/** A level was entered or left. */
export interface OverloadChange {
  readonly from: OverloadLevel;
  readonly to: OverloadLevel;
  /** The measure that calls for the most, with its value. */
  readonly cause: keyof LoadSample;
  readonly value: number;
}

/** The measure that calls for the most, and what it calls for. */
interface Call extends Pick<OverloadChange, 'cause' | 'value'> {
  readonly level: OverloadLevel;
}

/** A level is left when what had called for it has come down to this share of its threshold. */
const LEFT_BELOW = 0.8;

const LEVELS: readonly OverloadLevel[] = [0, 1, 2, 3];
const MEASURES: readonly (keyof LoadSample)[] = [
  'loopDelayMs',
  'heapPercent',
  'redisDelayMs',
  'spoolPercent',
];

/**
 * Says at what level of overload a node is, from samples that somebody takes about once a second.
 *
 * @remarks One bad sample changes nothing: a level is entered after it was called for all along `riseSeconds`, and left, for the one
 * below it, after `fallSeconds` without. So a pause of the whole process, which is over when it is noticed, is no overload.
 */
export class OverloadController {
  readonly #settings: OverloadSettings;
  #level: OverloadLevel = 0;
  /** Since when each level was called for, without a break. */
  readonly #calledSinceMs: number[] = LEVELS.map(() => Infinity);
  #calmSinceMs = Infinity;

  constructor(settings: OverloadSettings) {
    this.#settings = settings;
  }

  /** Where the node stands. */
  get level(): OverloadLevel {
    return this.#level;
  }

  /** Forgets all samples: nothing is called for. */
  reset(): void {
    this.#level = 0;
    this.#calledSinceMs.fill(Infinity);
    this.#calmSinceMs = Infinity;
  }

  /** Takes a sample; tells of a change of the level. */
  update(sample: LoadSample, nowMs: number): OverloadChange | undefined {
    const called = this.#calledFor(sample, 1);
    for (const level of LEVELS) {
      const since = this.#calledSinceMs[level] ?? Infinity;
      this.#calledSinceMs[level] = level > called.level ? Infinity : Math.min(since, nowMs);
    }
    const riseMs = this.#settings.riseSeconds * 1000;
    const isDue = (level: OverloadLevel): boolean =>
      nowMs - (this.#calledSinceMs[level] ?? Infinity) >= riseMs;
    const due = LEVELS.findLast(isDue) ?? 0;
    if (due > this.#level) return this.#change(due, called);
    const kept = this.#calledFor(sample, LEFT_BELOW);
    if (kept.level >= this.#level) this.#calmSinceMs = Infinity;
    else this.#calmSinceMs = Math.min(this.#calmSinceMs, nowMs);
    if (nowMs - this.#calmSinceMs < this.#settings.fallSeconds * 1000) return undefined;
    return this.#change(LEVELS[this.#level - 1] ?? 0, kept);
  }

  #change(to: OverloadLevel, { cause, value }: Call): OverloadChange {
    const from = this.#level;
    this.#level = to;
    this.#calmSinceMs = Infinity;
    return { from, to, cause, value };
  }

  /** The level that a sample calls for, and the measure that does. */
  #calledFor(sample: LoadSample, share: number): Call {
    let most: Call = { level: 0, cause: 'loopDelayMs', value: sample.loopDelayMs };
    for (const cause of MEASURES) {
      const value = sample[cause];
      const isReached = (level: OverloadLevel): boolean => {
        const threshold = this.#settings[cause][level - 1] ?? 0;
        return threshold > 0 && value >= threshold * share;
      };
      const level = LEVELS.findLast(isReached) ?? 0;
      if (level > most.level) most = { level, cause, value };
    }
    return most;
  }
}
