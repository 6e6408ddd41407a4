import type { Spool, SpoolFullPolicy } from '#libs/broker-ports';

/** How the rules of a node use its spool; a rule may have an age, a size and a policy of its own. */
export interface SpoolLimits {
  /** How old records may become before the sink has them; older ones are dropped. */
  readonly ageSecondsMax: number;
  readonly onFull: SpoolFullPolicy;
  /** How fast records are sent that are read back; 0 does not limit it. */
  readonly replayRecordsPerSecond: number;
}

/** The spool of a node and how its rules use it. */
export interface BridgeSpool {
  readonly spool: Spool;
  readonly limits: SpoolLimits;
}

/** What holds for the records of one rule. */
export interface RuleSpoolLimits extends SpoolLimits {
  /** Most bytes that the rule takes of the spool. */
  readonly bytesMax: number;
  /** How long a record may wait for room (`block`). */
  readonly blockMs: number;
}
