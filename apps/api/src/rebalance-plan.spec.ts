import { describe, expect, it } from '@jest/globals';
import { planRebalance } from './rebalance-plan.ts';

const plan = (loads: readonly number[], relative = 1.1, absolute = 1_000) =>
  planRebalance(
    loads.map((connections, index) => ({ node: `n${index}`, connections })),
    { relative, absolute },
  );
const shed = (loads: readonly number[], relative?: number, absolute?: number) =>
  plan(loads, relative, absolute).nodes.map(({ to_shed }) => to_shed);

describe('the plan of a rebalance', () => {
  it('brings donors down to the mean', () => {
    expect(plan([1_500, 1_500, 0])).toEqual({
      goal: 1_000,
      nodes: [
        { node: 'n0', role: 'donor', connections: 1_500, to_shed: 500 },
        { node: 'n1', role: 'donor', connections: 1_500, to_shed: 500 },
        { node: 'n2', role: 'recipient', connections: 0, to_shed: 0 },
      ],
    });
  });

  it('leaves differences that are small by either measure', () => {
    expect(shed([1_000, 0])).toEqual([0, 0]);
    expect(shed([1_002, 0])).toEqual([501, 0]);
    expect(shed([20_000, 18_500])).toEqual([0, 0]);
    expect(shed([20_000, 18_500], 1.05)).toEqual([750, 0]);
    expect(shed([10, 0], 1.1, 1)).toEqual([5, 0]);
  });

  it('takes nobody from a node that is at the mean or below', () => {
    expect(plan([3_000, 1_000, 500], 1.1, 100).nodes.map(({ role }) => role)).toEqual([
      'donor',
      'recipient',
      'recipient',
    ]);
    expect(shed([3_000, 1_500, 0])).toEqual([1_500, 0, 0]);
  });
});
