import type { NodeInfo, NodeRef } from '#libs/broker-ports';
import { nodeKey } from './node-key.ts';

/** An incarnation that is written down as a member, with its lease as far as it has one. */
export interface MemberSighting {
  readonly node: NodeRef;
  readonly lease: NodeInfo | undefined;
}

/** What the membership is told. `left` and `forgotten` come from the nodes themselves, and are believed at once. */
export type MembershipInput =
  | { readonly kind: 'sighted'; readonly sightings: readonly MemberSighting[] }
  | { readonly kind: 'left'; readonly node: NodeRef }
  | { readonly kind: 'forgotten'; readonly node: NodeRef }
  /** The store was away and is back: leases may have ended only because nobody could renew them. */
  | { readonly kind: 'store-restored' };

/** What changed. A node that left and shows a lease again joins again. */
export type MembershipEvent =
  | { readonly kind: 'joined'; readonly node: NodeInfo }
  | { readonly kind: 'left'; readonly node: NodeRef }
  | { readonly kind: 'forgotten'; readonly node: NodeRef };

/** A member as last seen. The times say since when its lease, or its entry, has been missing. */
interface Member {
  info: NodeInfo;
  dead: boolean;
  leaseMissingSinceMs: number | undefined;
  entryMissingSinceMs: number | undefined;
}

/** What a Membership is made for. */
export interface MembershipOptions {
  /** This node: it is no member of its own view. */
  readonly self: NodeRef;
  readonly leaseMs: number;
}

/**
 * This node's view of the others, as a state machine.
 *
 * @remarks A node is judged dead when its lease was missing at two successive sightings, a sixth of a lease apart or
 * more; at once when it said goodbye or when its id has a later incarnation. For one lease after the store was away
 * nobody is judged by a missing lease. A member whose entry is gone for a whole lease was forgotten by the others.
 * Times are milliseconds of any one monotonic clock.
 */
export class Membership {
  readonly #self: string;
  readonly #leaseMs: number;
  readonly #members = new Map<string, Member>();
  #judgeFromMs = -Infinity;
  #isJudging = true;

  constructor(options: MembershipOptions) {
    this.#self = nodeKey(options.self);
    this.#leaseMs = options.leaseMs;
  }

  /** Takes in what was learnt at a time, and tells what follows from it, in order. */
  handle(input: MembershipInput, nowMs: number): MembershipEvent[] {
    switch (input.kind) {
      case 'sighted':
        return this.#see(input.sightings, nowMs);
      case 'left': {
        const member = this.#members.get(nodeKey(input.node));
        if (member === undefined || member.dead) return [];
        member.dead = true;
        return [{ kind: 'left', node: input.node }];
      }
      case 'forgotten':
        if (!this.#members.delete(nodeKey(input.node))) return [];
        return [{ kind: 'forgotten', node: input.node }];
      case 'store-restored':
        this.#judgeFromMs = nowMs + this.#leaseMs;
        this.#isJudging = false;
        return [];
    }
  }

  /** Undoes a `joined` event that could not be acted on: the next sighting brings it again. */
  retract(node: NodeRef): void {
    this.#members.delete(nodeKey(node));
  }

  /** The other nodes that are not judged dead. */
  alive(): NodeInfo[] {
    return [...this.#members.values()].filter(({ dead }) => !dead).map(({ info }) => info);
  }

  /** Whether the incarnation is known and not judged dead. */
  isAlive(node: NodeRef): boolean {
    return this.#members.get(nodeKey(node))?.dead === false;
  }

  /** What was last seen of an incarnation, dead or alive. */
  info(node: NodeRef): NodeInfo | undefined {
    return this.#members.get(nodeKey(node))?.info;
  }

  /** Whether the incarnation is known, dead or alive. */
  isMember(node: NodeRef): boolean {
    return this.#members.has(nodeKey(node));
  }

  /** Whether its lease was there at the last sighting. In doubt (a store that has just come back) it is taken to be. */
  holdsLease(node: NodeRef): boolean {
    const member = this.#members.get(nodeKey(node));
    if (member === undefined || member.dead) return false;
    return member.leaseMissingSinceMs === undefined || !this.#isJudging;
  }

  #see(sightings: readonly MemberSighting[], nowMs: number): MembershipEvent[] {
    this.#isJudging = nowMs >= this.#judgeFromMs;
    const events: MembershipEvent[] = [];
    const listed = new Set<string>();
    const newest = new Map<string, number>();
    for (const { lease } of sightings) {
      if (lease !== undefined) newest.set(lease.nodeId, lease.incarnation);
    }
    for (const sighting of sightings) {
      const key = nodeKey(sighting.node);
      if (key === this.#self) continue;
      listed.add(key);
      const superseded = (newest.get(sighting.node.nodeId) ?? 0) > sighting.node.incarnation;
      this.#seeOne(sighting, { nowMs, superseded, events });
    }
    for (const [key, member] of this.#members) {
      if (listed.has(key)) member.entryMissingSinceMs = undefined;
      else this.#missEntry(member, nowMs, events);
    }
    return events;
  }

  #seeOne(
    { node, lease }: MemberSighting,
    {
      nowMs,
      superseded,
      events,
    }: { nowMs: number; superseded: boolean; events: MembershipEvent[] },
  ): void {
    const key = nodeKey(node);
    let member = this.#members.get(key);
    if (member === undefined || (member.dead && lease !== undefined)) {
      const info = lease ?? withoutLease(node);
      member = {
        info,
        dead: false,
        leaseMissingSinceMs: undefined,
        entryMissingSinceMs: undefined,
      };
      this.#members.set(key, member);
      events.push({ kind: 'joined', node: info });
    }
    if (lease !== undefined) {
      member.info = lease;
      member.leaseMissingSinceMs = undefined;
      return;
    }
    if (member.dead) return;
    const missingSinceMs = (member.leaseMissingSinceMs ??= nowMs);
    const confirmed = this.#isJudging && nowMs - missingSinceMs >= this.#leaseMs / 6;
    if (!superseded && !confirmed) return;
    member.dead = true;
    events.push({ kind: 'left', node });
  }

  #missEntry(member: Member, nowMs: number, events: MembershipEvent[]): void {
    const missingSinceMs = (member.entryMissingSinceMs ??= nowMs);
    if (!this.#isJudging || nowMs - missingSinceMs < this.#leaseMs) return;
    const { nodeId, incarnation } = member.info;
    this.#members.delete(nodeKey(member.info));
    events.push({ kind: 'forgotten', node: { nodeId, incarnation } });
  }
}

/** A node that ended before it was first seen: only its name and its start are known. */
function withoutLease({ nodeId, incarnation }: NodeRef): NodeInfo {
  return { nodeId, incarnation, version: 'unknown', startedAtMs: incarnation, state: 'draining' };
}
