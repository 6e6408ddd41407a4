import type { BridgeRow } from './bridge-row.ts';
import { CONSUME_ROWS } from './consume-rows.ts';
import { mockRows } from './mock-rows.ts';
import { realRows } from './real-rows.ts';
import { MOCK_SPOOL_ROWS, REAL_SPOOL_ROWS } from './spool-rows.ts';

const REAL_ROWS = [...realRows('kafka'), ...realRows('spool'), ...REAL_SPOOL_ROWS];

/** Rows on the way from clients to Kafka. */
export const BRIDGE_ROWS: readonly BridgeRow[] = [
  ...mockRows('kafka'),
  ...mockRows('spool'),
  ...MOCK_SPOOL_ROWS,
  ...REAL_ROWS,
];

/** Rows on three real brokers. */
export const REAL_KAFKA_ROWS: readonly { readonly name: string }[] = [
  ...REAL_ROWS,
  ...CONSUME_ROWS,
];
