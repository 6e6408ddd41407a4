import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { BridgeRow } from '../faults/bridge/bridge-row.ts';
import { mockRows } from '../faults/bridge/mock-rows.ts';
import { MOCK_SPOOL_ROWS } from '../faults/bridge/spool-rows.ts';
import type { RowOptions } from '../faults/row.ts';
import { Scope } from './harness/scope.ts';

const SHORT: RowOptions = { seconds: 3, rate: 300, seed: 1, leaseMs: 2_000 };
/** Fills a small spool. */
const MUCH: RowOptions = { ...SHORT, seconds: 8, rate: 1_500 };
const ROWS = ['lost-answer', 'leader-change', 'producer-state'];
const GOOD = {
  ...{ lost: 0, reorderedUnexplained: 0, unexplained: 0, phantoms: 0, unanswered: 0 },
  ...{ failures: [], examples: [] },
};

jest.setTimeout(120_000);

const scope = new Scope();
afterEach(() => scope.close());

function rowOf(rows: readonly BridgeRow[], name: string): BridgeRow {
  const row = rows.find((each) => each.name === name);
  if (row === undefined) throw new Error(`there is no row ${name}`);
  return row;
}

describe('a node under load whose Kafka fails', () => {
  it.each([
    ...[...ROWS, 'too-large'].map((name) => ({ ack: 'kafka' as const, name: `bridge-${name}` })),
    ...ROWS.map((name) => ({ ack: 'spool' as const, name: `bridge-spool-${name}` })),
  ])(
    'acknowledges nothing that Kafka does not get, and keeps the order: $name',
    async ({ ack, name }) => {
      const result = await rowOf(mockRows(ack), name).run(scope, SHORT);

      expect(result).toMatchObject(GOOD);
      expect(result.faults).toBeGreaterThanOrEqual(3);
      const { acknowledged, refused } = result;
      expect(acknowledged + refused).toBeGreaterThanOrEqual(SHORT.seconds * SHORT.rate);
      expect(acknowledged).toBeGreaterThan(refused);
    },
  );

  it('refuses with 0x97 what its spool has no room for, and acknowledges none of it', async () => {
    const row = rowOf(MOCK_SPOOL_ROWS, 'bridge-spool-full-reject');
    const result = await row.run(scope, MUCH);

    expect(result).toMatchObject({ ...GOOD, refusedStored: 0, notes: { refusedWith: '0x97' } });
    expect(result.refused).toBeGreaterThan(0);
    expect(result.acknowledged).toBeGreaterThan(0);
  });
});
