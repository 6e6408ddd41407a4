import type { Journal } from './journal.ts';

/** What a local store needs. */
export interface LocalStoreOptions {
  /** Milliseconds since 1970, for what expires when nobody tells the time. */
  readonly clock: () => number;
  /** Where changes are kept; without one they end with the process. */
  readonly journal?: Journal | undefined;
}
