import type { Log, Tracer } from '#libs/broker-ports';
import type { BridgeClock } from './bridge-clock.ts';
import type { BufferBudget } from './buffer-budget.ts';
import type { ClientMoves } from './client-moves.ts';
import type { LaneLimits } from './lane.ts';
import type { RuleMeter } from './rule-counts.ts';
import type { BridgeSpool } from './spool-limits.ts';

/** What the rules of one connector work with. */
export interface BridgeContext {
  /** The `bridge` label of the metrics. */
  readonly bridge: string;
  readonly limits: LaneLimits;
  readonly budget: BufferBudget;
  /** Undefined on a node without a spool. */
  readonly spool: BridgeSpool | undefined;
  /** Undefined where a client cannot come from another node. */
  readonly moves: ClientMoves | undefined;
  /** Undefined where nothing is traced. */
  readonly tracer?: Tracer | undefined;
  readonly clock: BridgeClock;
  readonly log: Log;
  readonly meter: RuleMeter;
}
