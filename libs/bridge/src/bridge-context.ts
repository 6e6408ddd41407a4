import type { Log, Meter } from '#libs/broker-ports';
import type { BufferBudget } from './buffer-budget.ts';
import type { LaneLimits } from './lane.ts';

/** What the rules of one connector work with. */
export interface BridgeContext {
  /** The `bridge` label of the metrics. */
  readonly bridge: string;
  readonly limits: LaneLimits;
  readonly budget: BufferBudget;
  readonly clock: () => number;
  readonly log: Log;
  readonly meter: Meter;
}
