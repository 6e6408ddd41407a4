import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { OverloadController, type LoadSample } from '#libs/broker-core';
import type { Log, Meter, OverloadLevel } from '#libs/broker-ports';
import type { Config } from '#libs/config';

const RESOLUTION_MS = 50;
const NS_PER_MS = 1e6;

/** What an overload watch needs. */
export interface OverloadWatchParts {
  readonly settings: Config['overload'];
  /** How Redis and the spool stand since the last call. */
  readonly load: () => { readonly redisDelayMs: number; readonly spoolShare: number };
  readonly meter: Pick<Meter, 'overloaded'>;
  readonly log: Log;
}

/** Measures once a second how much this process has to do, and tells of every change of the level. */
export class OverloadWatch {
  readonly #parts: OverloadWatchParts;
  readonly #controller: OverloadController;
  readonly #loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  /** What the monitor had recorded by the last look: how many intervals, and their sum. */
  #recorded = { count: 0, sumNs: 0 };
  #lastDelayMs = 0;

  constructor(parts: OverloadWatchParts) {
    this.#parts = parts;
    this.#controller = new OverloadController(parts.settings);
    this.settingsChanged();
  }

  /** Where the node stands; 0 when nobody watches. */
  get level(): OverloadLevel {
    return this.#controller.level;
  }

  /** Its settings have other values: thresholds count from the next sample on; what is switched off leaves nothing. */
  settingsChanged(): void {
    const { settings, meter, log } = this.#parts;
    if (settings.enabled) return void this.#loop.enable();
    this.#loop.disable();
    const from = this.level;
    this.#controller.reset();
    if (from === 0) return;
    meter.overloaded(0);
    log.info('overload-less', { from, to: 0, cause: 'disabled' });
  }

  /** Takes a sample; to be called about once a second. */
  look(): void {
    const { settings, meter, log } = this.#parts;
    if (!settings.enabled) return;
    const change = this.#controller.update(this.#sample(), performance.now());
    if (change === undefined) return;
    const { from, to, cause, value } = change;
    meter.overloaded(to);
    const told = { from, to, cause, value: Math.round(value) };
    if (to > from) log.warn('overload', told);
    else log.info('overload-less', told);
  }

  #sample(): LoadSample {
    const { redisDelayMs, spoolShare } = this.#parts.load();
    const { used_heap_size, heap_size_limit } = getHeapStatistics();
    return {
      loopDelayMs: this.#loopDelayMs(),
      heapPercent: (100 * used_heap_size) / heap_size_limit,
      redisDelayMs,
      spoolPercent: 100 * spoolShare,
    };
  }

  /**
   * The monitor records whole intervals of its own timer, so its resolution is taken off. It is never reset: the interval after that
   * is not recorded, and where each turn takes a second there is no other.
   */
  #loopDelayMs(): number {
    const { count, mean } = this.#loop;
    const sumNs = count === 0 ? 0 : count * mean;
    const before = this.#recorded;
    this.#recorded = { count, sumNs };
    if (count > before.count) {
      const meanNs = (sumNs - before.sumNs) / (count - before.count);
      this.#lastDelayMs = Math.max(0, meanNs / NS_PER_MS - RESOLUTION_MS);
    }
    return this.#lastDelayMs;
  }
}
