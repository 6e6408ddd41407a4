import type { BridgeRecordCount, Span } from '#libs/broker-ports';
import type { AckGate } from './ack-gate.ts';
import type { SinkRecord } from './sink.ts';

/** Why a record can never be carried, as metrics call it. */
export type LetterFault = Extract<
  BridgeRecordCount['reason'],
  | 'too_large'
  | 'where_error'
  | 'value_error'
  | 'template_error'
  | 'invalid_topic'
  | 'schema_error'
  | 'not_authorized'
  | 'unknown_topic'
  | 'spool_damaged'
  | 'other'
>;

/** What the bridge remembers of a dead letter. */
export interface LetterMark {
  readonly fault: LetterFault;
  /** Whether it was made smaller, the last thing that is tried. */
  readonly isCut: boolean;
  /** The record that it takes the place of; undefined when the letter itself is in the spool or in memory. */
  readonly origin?: OutboundRecord | undefined;
}

/** A record with what the bridge must remember until the other side has it. */
export interface OutboundRecord extends SinkRecord {
  /** The client id of its publisher. */
  readonly publisher: string;
  /** What it takes of the buffer. */
  readonly bytes: number;
  /** The acknowledgement that waits for it: until the other side has it, or its spool. */
  gate: AckGate | undefined;
  /** Its place in the spool; 0 when it lives in memory alone. */
  sequence: number;
  /** Its place among records in memory, of one that is not in the spool. */
  place: number;
  /** Whether the spool need not keep it any more. */
  isDone: boolean;
  /** Of a sampled message: ends when the other side has the record, or its spool alone. */
  readonly span?: Span | undefined;
  /** Dead letters have one. */
  readonly letter?: LetterMark | undefined;
}
