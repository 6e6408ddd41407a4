/** A promise with its ends in hand. A rejection that nobody waits for is no error of the process. */
export class Deferred {
  readonly promise: Promise<void>;
  /** Fulfils the promise, unless it is settled. */
  resolve: () => void = () => undefined;
  /** Rejects the promise, unless it is settled. */
  reject: (reason: unknown) => void = () => undefined;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.promise.catch(() => undefined);
  }
}

/** Waits for work, but no longer than the limit; the work itself goes on. Rejects when the work does first. */
export async function waitAtMost(limitMs: number, work: Promise<unknown>): Promise<void> {
  const limit = new Deferred();
  const timer = setTimeout(limit.resolve, limitMs);
  try {
    await Promise.race([work, limit.promise]);
  } finally {
    clearTimeout(timer);
  }
}
