import type { Row } from '../row.ts';
import { DRAIN_ROWS } from './drain-rows.ts';
import { REBALANCE_ROW } from './rebalance-row.ts';

/** Rows in which clients are moved on purpose. */
export const MOVE_ROWS: readonly Row[] = [...DRAIN_ROWS, REBALANCE_ROW];
