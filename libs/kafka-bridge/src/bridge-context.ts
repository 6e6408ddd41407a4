import type { Log, Meter } from '#libs/broker-ports';
import type { BufferBudget } from './buffer-budget.ts';
import type { LaneLimits } from './lane.ts';

/** The value of the `bridge` label of every metric of this lib. */
export const BRIDGE_LABEL = 'kafka';

/** What every rule of the bridge works with. */
export interface BridgeContext {
  readonly limits: LaneLimits;
  readonly budget: BufferBudget;
  readonly clock: () => number;
  readonly log: Log;
  readonly meter: Meter;
}
