import { markdown, type Column } from '../table.ts';
import { bridgeHolds, type BridgeResult } from './bridge-row.ts';

const count = (value: number): string => value.toLocaleString('en');

const COLUMNS: readonly Column<BridgeResult>[] = [
  ['row', ({ row }) => row],
  ['acknowledged', ({ acknowledged }) => count(acknowledged)],
  ['in Kafka', ({ stored }) => count(stored)],
  ['lost', ({ lost }) => count(lost)],
  ['reordered', ({ reordered }) => count(reordered)],
  ['resent', ({ resent }) => count(resent)],
  ['repeated', ({ repeated }) => count(repeated)],
  ['batches', ({ repeatedBatches }) => count(repeatedBatches)],
  ['unexplained', ({ unexplained }) => count(unexplained)],
  ['refused', ({ refused }) => count(refused)],
  ['given up', ({ givenUp }) => count(givenUp)],
  ['p50 ms', ({ ackP50Ms }) => ackP50Ms.toFixed(0)],
  ['p99 ms', ({ ackP99Ms }) => ackP99Ms.toFixed(0)],
  ['first s', ({ firstSeconds }) => firstSeconds.toFixed(1)],
  ['steady s', ({ steadySeconds }) => steadySeconds.toFixed(1)],
  ['drain s', ({ drainSeconds }) => drainSeconds.toFixed(1)],
  ['MiB', ({ nodeMiBMax }) => count(nodeMiBMax)],
  ['holds', (result) => (bridgeHolds(result) ? 'yes' : 'NO')],
];

/** The results as a Markdown table. */
export const bridgeTable = (results: readonly BridgeResult[]): string => markdown(COLUMNS, results);

/** A result with what a table has no room for: notes, failures and examples. */
export function bridgeLines(result: BridgeResult): readonly string[] {
  const { faults, unanswered, phantoms, refusedStored, reorderedUnexplained } = result;
  const { repeatedBatch, repeatedMost } = result;
  const figures = {
    ...{ faults, unanswered, phantoms, refusedStored, reorderedUnexplained },
    ...{ repeatedBatch, repeatedMost },
    ...result.notes,
  };
  const told = Object.entries(figures).map(([name, value]) => `${name} ${String(value)}`);
  return [
    bridgeTable([result]).split('\n').at(-1) ?? '',
    `  ${told.join(', ')}`,
    `  connections ended: ${result.ends || 'none'}`,
    ...result.failures.map((failure) => `  failure: ${failure}`),
    ...result.examples.map((example) => `  ${example}`),
  ];
}
