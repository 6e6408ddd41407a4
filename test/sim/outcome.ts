import type { Verdict, Violation } from '../faults/checker.ts';

/** What a simulation came to. */
export interface Outcome {
  readonly seed: number;
  readonly profile: string;
  /** What does not hold; none if all holds. */
  readonly failures: readonly string[];
  /** Messages whose fate is a failure. */
  readonly examples: readonly {
    readonly message: string;
    readonly receiver: string;
    readonly violation: Violation;
  }[];
  /** Of a simulation that was repeated for it: what happened around these messages. */
  readonly excerpt?: readonly string[];
  readonly verdict: Verdict;
  readonly events: number;
  readonly virtualMs: number;
}
