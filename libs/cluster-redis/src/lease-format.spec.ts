import { expect, it } from '@jest/globals';
import type { NodeInfo } from '#libs/broker-ports';
import { decodeLease, encodeLease } from './lease-format.ts';

const NODE: NodeInfo = {
  ...{ nodeId: 'n', incarnation: 7, version: '1', startedAtMs: 5, state: 'draining' },
};

it('reads what it writes, with the sessions of a node that has told them', () => {
  const sessions = [{ state: 'connected', persistent: true, count: 3 }] as const;
  for (const info of [NODE, { ...NODE, sessions }]) {
    expect(decodeLease('n', encodeLease(info))).toEqual(info);
  }
  // The scripts find the incarnation by this.
  expect(encodeLease({ ...NODE, sessions })).toContain('"incarnation":7,');
});

it.each([
  'x',
  {},
  [null],
  [{ state: 'away', persistent: true, count: 1 }],
  [{ state: 'connected', persistent: 'yes', count: 1 }],
  [{ state: 'connected', persistent: true, count: '1' }],
  Array(5).fill({ state: 'connected', persistent: true, count: 1 }),
])('takes a lease whose sessions are %j for one that does not tell them', (sessions) => {
  const text = JSON.stringify({ ...NODE, sessions });
  expect(decodeLease('n', text)).toEqual(NODE);
});

it.each([null, 'x', '1', '{}', '{"incarnation":"7"}'])('takes %s for no lease', (text) => {
  expect(decodeLease('n', text)).toBeUndefined();
});
