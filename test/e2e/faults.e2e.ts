import { afterEach, describe, expect, it } from '@jest/globals';
import { runRow, type RowOptions } from '../faults/row.ts';
import { ROWS } from '../faults/rows.ts';
import { Scope } from './harness/scope.ts';

const SHORT: RowOptions = { seconds: 4, rate: 300, seed: 1, leaseMs: 2_000 };

const scope = new Scope();
afterEach(() => scope.close());

describe('three nodes under load', () => {
  it.each(['kill-publisher-node', 'slow-subscriber'])(
    'keep what they have acknowledged: %s',
    async (name) => {
      const row = ROWS.find((each) => each.name === name);
      if (row === undefined) throw new Error(`there is no row ${name}`);

      const result = await runRow(scope, row, SHORT);

      expect(result).toMatchObject({
        lost: 0,
        qos2Duplicated: 0,
        qos1Unexplained: 0,
        reorderedUnexplained: 0,
        phantoms: 0,
        unanswered: 0,
        sessionsLost: 0,
        failures: [],
        examples: [],
      });
      expect(result.acknowledged).toBeGreaterThanOrEqual(SHORT.seconds * SHORT.rate);
    },
  );
});
