import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { NodeRef, RouteChange } from '#libs/broker-ports';
import { matches } from '#libs/topic-index';
import { nodeKey } from './node-key.ts';
import { RouteTable } from './route-table.ts';

const word = fc.constantFrom('', 'a', 'b', '$a');
const topic = fc
  .array(word, { minLength: 1, maxLength: 4 })
  .map((levels) => levels.join('/'))
  .filter((name) => name !== '');
const filter = fc
  .tuple(
    fc.array(fc.oneof(word, fc.constant('+')), { maxLength: 3 }),
    fc.constantFrom('#', '+', 'a'),
  )
  .map(([levels, last]) => [...levels, last].join('/'));
const node: fc.Arbitrary<NodeRef> = fc.record({
  nodeId: fc.constantFrom('n1', 'n2'),
  incarnation: fc.constantFrom(1, 2),
});
const step = fc.oneof(
  fc.record({
    kind: fc.constant('apply' as const),
    node,
    changes: fc.array(fc.record({ kind: fc.constantFrom('add', 'add', 'remove'), filter })),
  }),
  fc.record({ kind: fc.constant('replace' as const), node, filters: fc.array(filter) }),
  fc.record({ kind: fc.constant('drop' as const), node }),
);

function matchedBy(table: RouteTable, topic: string): string[] {
  const found: NodeRef[] = [];
  table.match(topic, found);
  return found.map(nodeKey).sort();
}

it('finds the same nodes as a naive table, once each', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.array(topic), (steps, topics) => {
      const table = new RouteTable();
      /** Gone through only at the end: meanwhile other nodes change, and the same one comes back. */
      const drops: Iterable<void>[] = [];
      const model = new Map<string, Set<string>>();
      for (const taken of steps) {
        const wanted = model.get(nodeKey(taken.node)) ?? new Set<string>();
        model.set(nodeKey(taken.node), wanted);
        switch (taken.kind) {
          case 'apply':
            table.apply(taken.node, taken.changes as readonly RouteChange[]);
            for (const change of taken.changes) {
              if (change.kind === 'add') wanted.add(change.filter);
              else wanted.delete(change.filter);
            }
            break;
          case 'replace':
            table.replace(taken.node, taken.filters);
            model.set(nodeKey(taken.node), new Set(taken.filters));
            break;
          case 'drop':
            drops.push(table.dropNode(taken.node));
            model.delete(nodeKey(taken.node));
        }
      }
      const found = topics.map((name) => matchedBy(table, name));
      for (const steps of drops) for (const step of steps) expect(step).toBeUndefined();
      expect(topics.map((name) => matchedBy(table, name))).toEqual(found);
      expect(table.size).toBe(new Set([...model.values()].flatMap((set) => [...set])).size);
      for (const [index, name] of topics.entries()) {
        const expected = [...model].filter(([, set]) => [...set].some((key) => matches(key, name)));
        expect(found[index]).toEqual(expected.map(([key]) => key).sort());
      }
    }),
  );
});
