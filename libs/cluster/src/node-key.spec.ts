import { expect, it } from '@jest/globals';
import { isNodeId, nodeKey, parseNodeKey } from './node-key.ts';

it('reads back the key of a node', () => {
  const node = { nodeId: 'skein-0.eu_1', incarnation: 1_732_000_000_000 };
  expect(parseNodeKey(nodeKey(node))).toEqual(node);
});

it.each(['', 'n1', '#1', 'n1#', 'n1#x', 'n 1#1', 'n1#1#2', 'n1#-1', 'n1#1\n'])(
  'takes %j for no key',
  (text) => {
    expect(parseNodeKey(text)).toBeUndefined();
  },
);

it('refuses node ids that could be a pattern, a path or too long', () => {
  const ids = ['n1', '*', 'a/b', 'a+', 'a#', 'a b', '', 'x'.repeat(64), 'x'.repeat(65)];
  expect(ids.filter(isNodeId)).toEqual(['n1', 'x'.repeat(64)]);
});
