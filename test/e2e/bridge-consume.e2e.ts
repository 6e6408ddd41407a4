import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { CONSUME_ROWS } from '../faults/bridge/consume-rows.ts';
import { holds, type RowOptions } from '../faults/row.ts';
import { Scope } from './harness/scope.ts';

/** `npm run faults -- --row bridge-consume-kill-node --seconds 50 --rate 2000` sends about 100,000. */
const SHORT: RowOptions = { seconds: 8, rate: 300, seed: 1, leaseMs: 2_000 };
const START_MS = 300_000;

jest.setTimeout(START_MS);

const scope = new Scope();
afterEach(() => scope.close());

describe('records of Kafka for the durable sessions of 100 devices', () => {
  it.each(['bridge-consume-kill-node', 'bridge-consume-poison'])(
    'all come, in the order of each key: %s',
    async (name) => {
      const row = CONSUME_ROWS.find((each) => each.name === name);
      if (row === undefined) throw new Error(`there is no row ${name}`);

      const result = await row.run(scope, SHORT);

      expect(result).toMatchObject({ lost: 0, failures: [] });
      expect(holds(result)).toBe(true);
    },
  );
});
