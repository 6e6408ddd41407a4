/** Timers as an input: a simulation runs them in a time of its own. */
export interface Timers {
  /** Runs a function after the input of this turn has been handled. */
  immediately(run: () => void): void;
  /** Runs a function once. Returns what cancels it. */
  after(ms: number, run: () => void): () => void;
  /** Runs a function again and again. Returns what ends it. */
  every(ms: number, run: () => void): () => void;
}

/** The timers of the process. */
export const processTimers: Timers = {
  immediately: (run) => void setImmediate(run),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  every: (ms, run) => {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
};

/** Resolves after a while. */
export function delayOf(timers: Timers, ms: number): Promise<void> {
  return new Promise((resolve) => {
    timers.after(ms, resolve);
  });
}

/** Resolves after the input of this turn has been handled. */
export function turnOf(timers: Timers): Promise<void> {
  return new Promise((resolve) => {
    timers.immediately(resolve);
  });
}
