import type { AckGate } from './ack-gate.ts';
import type { SinkRecord } from './sink.ts';

/** A record with what the bridge must remember until the other side has it. */
export interface OutboundRecord extends SinkRecord {
  /** What it takes of the buffer. */
  readonly bytes: number;
  /** The acknowledgement that waits for it: until the other side has it, or its spool. */
  gate: AckGate | undefined;
  /** Its place in the spool; 0 when it lives in memory alone. */
  sequence: number;
  /** Whether the spool need not keep it any more. */
  isDone: boolean;
}
