import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { HistogramCell } from './family.ts';

const RESOLUTION_MS = 20;
const NS_PER_SECOND = 1e9;
const RESOLUTION_NS = RESOLUTION_MS * 1e6;

type Monitor = ReturnType<typeof monitorEventLoopDelay>;

/** Watches how late and how busy the event loop of this process is. */
export class EventLoopWatch {
  readonly #monitor = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #utilization = performance.eventLoopUtilization();

  constructor() {
    this.#monitor.enable();
  }

  /**
   * Moves the delays since the last call into the cell.
   *
   * @remarks The monitor records whole intervals of its own timer, so its resolution is taken off every bound.
   */
  drainDelay(cell: HistogramCell, bounds: readonly number[]): void {
    const monitor = this.#monitor;
    const { count } = monitor;
    if (count === 0) return;
    let below = 0;
    for (const [index, bound] of bounds.entries()) {
      const total = countUpTo(monitor, bound * NS_PER_SECOND + RESOLUTION_NS, below);
      cell.add(index, total - below);
      below = total;
    }
    cell.add(bounds.length, count - below);
    cell.sum += Math.max(0, (monitor.mean - RESOLUTION_NS) * count) / NS_PER_SECOND;
    monitor.reset();
  }

  /** The share of the time since the last call in which the loop was busy. */
  utilization(): number {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#utilization);
    this.#utilization = now;
    return utilization;
  }
}

/** Counts the values up to a bound by bisection: the monitor tells percentiles only. */
function countUpTo(monitor: Monitor, bound: number, known: number): number {
  let low = known;
  let high = monitor.count;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (monitor.percentile((100 * middle) / monitor.count) <= bound) low = middle;
    else high = middle - 1;
  }
  return low;
}
