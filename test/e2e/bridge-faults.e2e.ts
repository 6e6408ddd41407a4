import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { mockRows } from '../faults/bridge/mock-rows.ts';
import type { RowOptions } from '../faults/row.ts';
import { Scope } from './harness/scope.ts';

const SHORT: RowOptions = { seconds: 3, rate: 300, seed: 1, leaseMs: 2_000 };
const ROWS = ['bridge-lost-answer', 'bridge-leader-change', 'bridge-producer-state'];

jest.setTimeout(90_000);

const scope = new Scope();
afterEach(() => scope.close());

describe('a node under load whose Kafka fails', () => {
  it.each([...ROWS, 'bridge-too-large'])(
    'acknowledges nothing that Kafka does not have, and keeps the order: %s',
    async (name) => {
      const row = mockRows('kafka').find((each) => each.name === name);
      if (row === undefined) throw new Error(`there is no row ${name}`);

      const result = await row.run(scope, SHORT);

      expect(result).toMatchObject({
        lost: 0,
        reorderedUnexplained: 0,
        unexplained: 0,
        phantoms: 0,
        unanswered: 0,
        failures: [],
        examples: [],
      });
      expect(result.faults).toBeGreaterThanOrEqual(3);
      const { acknowledged, refused } = result;
      expect(acknowledged + refused).toBeGreaterThanOrEqual(SHORT.seconds * SHORT.rate);
      expect(acknowledged).toBeGreaterThan(refused);
    },
  );
});
