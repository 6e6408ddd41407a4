import { describe, expect, it } from '@jest/globals';
import type { NodeRef } from '#libs/broker-ports';
import { RouteTable, type SharePlaces } from './route-table.ts';
import { shareRoute } from './share-route.ts';

const n1 = { nodeId: 'n1', incarnation: 1 };
const n2 = { nodeId: 'n2', incarnation: 1 };

function matched(table: RouteTable, topic: string): NodeRef[] {
  const found: NodeRef[] = [];
  table.match(topic, found);
  return found;
}

describe('RouteTable', () => {
  it('finds a node once, however many of its filters match', () => {
    const table = new RouteTable();
    table.apply(n1, [
      { kind: 'add', filter: 'a/b' },
      { kind: 'add', filter: 'a/+' },
      { kind: 'add', filter: '#' },
    ]);
    table.apply(n2, [{ kind: 'add', filter: 'a/#' }]);
    expect(matched(table, 'a/b').sort((a, b) => a.nodeId.localeCompare(b.nodeId))).toEqual([
      n1,
      n2,
    ]);
    expect(matched(table, 'c')).toEqual([n1]);
  });

  it('gives the same object for a node in every match', () => {
    const table = new RouteTable();
    table.apply({ ...n1 }, [{ kind: 'add', filter: 'a' }]);
    table.apply({ ...n1 }, [{ kind: 'add', filter: 'b' }]);
    expect(matched(table, 'a')[0]).toBe(matched(table, 'b')[0]);
  });

  it('keeps a dead incarnation beside its successor until it is dropped', () => {
    const table = new RouteTable();
    const successor = { nodeId: 'n1', incarnation: 2 };
    table.replace(n1, ['a']);
    table.replace(successor, ['a']);
    expect(matched(table, 'a')).toEqual([n1, successor]);
    for (const _step of table.dropNode(n1)) expect(matched(table, 'a')).toEqual([successor]);
    expect(matched(table, 'a')).toEqual([successor]);
  });

  it('matches a dropped node no more, before and after its filters are removed in steps', () => {
    const table = new RouteTable();
    table.replace(n1, ['a', 'b/+', 'c/#', '$share/g/a\0' + '1']);
    const { version } = table;
    const steps = table.dropNode(n1);
    expect(table.version).toBeGreaterThan(version);
    expect([matched(table, 'a'), matched(table, 'b/c'), matched(table, 'c/d')]).toEqual([
      [],
      [],
      [],
    ]);
    expect(table.places('$share/g/a')).toBeUndefined();
    table.replace(n1, ['a']);
    expect([...steps]).toHaveLength(3);
    expect([table.size, matched(table, 'a')]).toEqual([1, [n1]]);
  });

  it('does not change its version for a snapshot that says nothing new', () => {
    const table = new RouteTable();
    table.replace(n1, ['a', 'b/+']);
    const { version } = table;
    table.replace(n1, ['b/+', 'a']);
    table.apply(n1, [{ kind: 'remove', filter: 'c' }]);
    expect(table.version).toBe(version);
    expect(table.size).toBe(2);
  });
});

describe('shared subscriptions', () => {
  const filter = '$share/g/a/+';
  const sharesOf = (table: RouteTable, topic: string): SharePlaces[] => {
    const found: SharePlaces[] = [];
    table.matchShared(topic, found);
    return found;
  };

  it('are found by topic, with the nodes in the order of their keys', () => {
    const table = new RouteTable();
    table.apply(n2, [{ kind: 'add', filter: shareRoute(filter, 5) }]);
    table.apply(n1, [{ kind: 'add', filter: shareRoute(filter, 1) }]);
    const places = [
      { node: n1, weight: 1 },
      { node: n2, weight: 4 },
    ];
    expect(sharesOf(table, 'a/b')).toMatchObject([{ filter, places }]);
    expect(table.places(filter)).toMatchObject({ places });
    expect(matched(table, 'a/b')).toEqual([]);
    expect(sharesOf(table, 'a')).toEqual([]);
    expect(table.size).toBe(1);
  });

  it('take a new weight before or after the old one goes, and keep their object', () => {
    const table = new RouteTable();
    table.apply(n1, [{ kind: 'add', filter: shareRoute(filter, 1) }]);
    const [known] = sharesOf(table, 'a/b');
    const { version } = table;
    table.apply(n1, [
      { kind: 'add', filter: shareRoute(filter, 2) },
      { kind: 'remove', filter: shareRoute(filter, 1) },
    ]);
    expect(known?.places).toEqual([{ node: n1, weight: 2 }]);
    expect(table.version).toBe(version);
    table.replace(n1, [shareRoute(filter, 0)]);
    expect(table.places(filter)?.places).toEqual([{ node: n1, weight: 0 }]);
  });

  it('end with their last node', () => {
    const table = new RouteTable();
    table.apply(n1, [{ kind: 'add', filter: shareRoute(filter, 1) }]);
    table.apply(n2, [{ kind: 'add', filter: shareRoute(filter, 1) }]);
    table.apply(n2, [{ kind: 'remove', filter: shareRoute(filter, 1) }]);
    expect(table.places(filter)?.places).toHaveLength(1);
    const { version } = table;
    for (const step of table.dropNode(n1)) expect(step).toBeUndefined();
    expect([table.places(filter), sharesOf(table, 'a/b'), table.size]).toEqual([undefined, [], 0]);
    expect(table.version).toBeGreaterThan(version);
  });

  it('that are no filters are ignored', () => {
    const table = new RouteTable();
    table.apply(n1, [{ kind: 'add', filter: shareRoute('$share/g+/a', 1) }]);
    table.apply(n1, [{ kind: 'remove', filter: shareRoute('$share/g+/a', 1) }]);
    expect(table.size).toBe(0);
  });
});
