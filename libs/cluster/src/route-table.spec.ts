import { describe, expect, it } from '@jest/globals';
import type { NodeRef } from '#libs/broker-ports';
import { RouteTable } from './route-table.ts';

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
    table.dropNode(n1);
    expect(matched(table, 'a')).toEqual([successor]);
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
