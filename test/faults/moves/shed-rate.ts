/** How fast clients were sent away. */
export interface ShedRate {
  /** Clients a second from the first to the last. */
  readonly overall: number;
  /** The same without the first tenth, which a burst may have, and the last twentieth, whose handshakes may take their time. */
  readonly steady: number;
  /** In the slowest and the fastest whole second. */
  readonly least: number;
  readonly most: number;
}

const BURST_SHARE = 0.1;
const TAIL_SHARE = 0.05;

/** Rates by the times at which clients lost their connections, in milliseconds. */
export function shedRateOf(timesMs: readonly number[]): ShedRate {
  const times = timesMs.toSorted((a, b) => a - b);
  const last = times.length - 1;
  const seconds = Array.from(
    { length: Math.floor(((times[last] ?? 0) - (times[0] ?? 0)) / 1_000) },
    (_, second) => {
      const fromMs = (times[0] ?? 0) + second * 1_000;
      return times.filter((atMs) => atMs >= fromMs && atMs < fromMs + 1_000).length;
    },
  );
  return {
    overall: between(times, 0, last),
    steady: between(times, Math.floor(last * BURST_SHARE), Math.floor(last * (1 - TAIL_SHARE))),
    least: Math.min(...seconds),
    most: Math.max(...seconds),
  };
}

function between(times: readonly number[], from: number, to: number): number {
  return (to - from) / (((times[to] ?? 0) - (times[from] ?? 0)) / 1_000);
}
