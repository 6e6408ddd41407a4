export type { BridgeClock } from './bridge-clock.ts';
export type { BridgeLimits, RuleBridgeOptions } from './bridge-options.ts';
export { ClientMoves, type ClientMovesOptions } from './client-moves.ts';
export { Deferred, waitAtMost } from './deferred.ts';
export { RecordError, type InboundLimits } from './inbound-message.ts';
export type { LaneLimits } from './lane.ts';
export type { LetterKeeper } from './kept-letters.ts';
export { laneOf } from './murmur2.ts';
export { RuleBridge } from './rule-bridge.ts';
export { SpoolHeir, type SpoolHeirOptions } from './spool-heir.ts';
export type { BridgeSpool, SpoolLimits } from './spool-limits.ts';
export {
  SinkError,
  type Sink,
  type SinkFactory,
  type SinkRecord,
  type SinkRefusal,
  type SinkRule,
} from './sink.ts';
export type {
  ConsumedRecord,
  ReadValue,
  RecordBatch,
  Source,
  SourceFactory,
  SourceHandler,
  SourceOwner,
  ValueReader,
} from './source.ts';
export { testInSteps, type Endpoint, type SinkTestPlan } from './sink-test.ts';
