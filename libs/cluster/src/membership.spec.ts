import { describe, expect, it } from '@jest/globals';
import type { NodeInfo, NodeRef } from '#libs/broker-ports';
import { Membership, type MemberSighting, type MembershipInput } from './membership.ts';

const LEASE_MS = 6_000;
const self = { nodeId: 'n0', incarnation: 1 };
const n1 = { nodeId: 'n1', incarnation: 10 };
const n2 = { nodeId: 'n2', incarnation: 20 };

function lease(node: NodeRef): NodeInfo {
  return { ...node, version: '1', startedAtMs: node.incarnation, state: 'alive' };
}

function withLease(node: NodeRef): MemberSighting {
  return { node, lease: lease(node) };
}

function withoutLease(node: NodeRef): MemberSighting {
  return { node, lease: undefined };
}

function sighted(...sightings: MemberSighting[]): MembershipInput {
  return { kind: 'sighted', sightings };
}

function told(membership: Membership, input: MembershipInput, nowMs: number): string[] {
  return membership
    .handle(input, nowMs)
    .map(({ kind, node }) => `${kind} ${node.nodeId}#${String(node.incarnation)}`);
}

describe('Membership', () => {
  it('tells once that a node joined, and never of itself', () => {
    const membership = new Membership({ self, leaseMs: LEASE_MS });
    const all = sighted(withLease(self), withLease(n1));
    expect(told(membership, all, 0)).toEqual(['joined n1#10']);
    expect(told(membership, all, 2_000)).toEqual([]);
    expect(membership.alive()).toEqual([lease(n1)]);
  });

  it('judges a node dead at the second look without a lease, not at the first', () => {
    const membership = new Membership({ self, leaseMs: LEASE_MS });
    membership.handle(sighted(withLease(n1)), 0);
    expect(told(membership, sighted(withoutLease(n1)), 2_000)).toEqual([]);
    expect([membership.isAlive(n1), membership.holdsLease(n1)]).toEqual([true, false]);
    expect(told(membership, sighted(withoutLease(n1)), 2_010)).toEqual([]);
    expect(told(membership, sighted(withoutLease(n1)), 4_000)).toEqual(['left n1#10']);
    expect([membership.isAlive(n1), membership.isMember(n1)]).toEqual([false, true]);
    expect(told(membership, sighted(withoutLease(n1)), 6_000)).toEqual([]);
  });

  it('forgets a missing lease that comes back', () => {
    const membership = new Membership({ self, leaseMs: LEASE_MS });
    membership.handle(sighted(withLease(n1)), 0);
    membership.handle(sighted(withoutLease(n1)), 2_000);
    membership.handle(sighted(withLease(n1)), 4_000);
    expect(told(membership, sighted(withoutLease(n1)), 6_000)).toEqual([]);
  });

  it('judges nobody for one lease after the store was away', () => {
    const membership = new Membership({ self, leaseMs: LEASE_MS });
    membership.handle(sighted(withLease(n1), withLease(n2)), 0);
    membership.handle({ kind: 'store-restored' }, 10_000);
    const none = sighted(withoutLease(n1), withoutLease(n2));
    expect(told(membership, none, 10_000)).toEqual([]);
    expect(membership.holdsLease(n1)).toBe(true);
    expect(told(membership, none, 15_900)).toEqual([]);
    expect(told(membership, sighted(withLease(n1), withoutLease(n2)), 16_000)).toEqual([
      'left n2#20',
    ]);
  });

  it('knows a node dead at once when its id lives again', () => {
    const membership = new Membership({ self, leaseMs: LEASE_MS });
    membership.handle({ kind: 'store-restored' }, 0);
    membership.handle(sighted(withLease(n1)), 0);
    const successor = { nodeId: 'n1', incarnation: 11 };
    const both = sighted(withoutLease(n1), withLease(successor));
    expect(told(membership, both, 100)).toEqual(['left n1#10', 'joined n1#11']);
  });

  it('believes a goodbye at once', () => {
    const membership = new Membership({ self, leaseMs: LEASE_MS });
    membership.handle(sighted(withLease(n1)), 0);
    expect(told(membership, { kind: 'left', node: n1 }, 1)).toEqual(['left n1#10']);
    expect(told(membership, { kind: 'left', node: n1 }, 2)).toEqual([]);
    expect(told(membership, { kind: 'forgotten', node: n1 }, 3)).toEqual(['forgotten n1#10']);
    expect(membership.isMember(n1)).toBe(false);
  });

  it('tells a late node of the dead: joined, then left', () => {
    const membership = new Membership({ self, leaseMs: LEASE_MS });
    expect(told(membership, sighted(withoutLease(n1)), 0)).toEqual(['joined n1#10']);
    expect(told(membership, sighted(withoutLease(n1)), 2_000)).toEqual(['left n1#10']);
  });

  it('lets a node join again that took its lease again before anybody claimed it', () => {
    const membership = new Membership({ self, leaseMs: LEASE_MS });
    membership.handle(sighted(withLease(n1)), 0);
    membership.handle(sighted(withoutLease(n1)), 2_000);
    membership.handle(sighted(withoutLease(n1)), 4_000);
    expect(told(membership, sighted(withLease(n1)), 6_000)).toEqual(['joined n1#10']);
    expect(membership.isAlive(n1)).toBe(true);
  });

  it('takes a node for forgotten when its entry is gone for a lease', () => {
    const membership = new Membership({ self, leaseMs: LEASE_MS });
    membership.handle(sighted(withLease(n1)), 0);
    expect(told(membership, sighted(), 2_000)).toEqual([]);
    expect(told(membership, sighted(), 7_900)).toEqual([]);
    expect(told(membership, sighted(), 8_000)).toEqual(['forgotten n1#10']);
  });

  it('tells again of a node whose joining could not be acted on', () => {
    const membership = new Membership({ self, leaseMs: LEASE_MS });
    membership.handle(sighted(withLease(n1)), 0);
    membership.retract(n1);
    expect(told(membership, sighted(withLease(n1)), 2_000)).toEqual(['joined n1#10']);
  });
});
