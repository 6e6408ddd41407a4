import {
  havePassed,
  type BridgeBacklog,
  type BridgeHoldEnd,
  type BridgeMoves,
  type BridgeQueue,
  type ClusterBus,
  type Log,
  type Meter,
  type NodeRef,
} from '#libs/broker-ports';
import { Deferred } from './deferred.ts';
import { Hold, type HeldOwner, type Wait } from './hold.ts';
import type { OutboundRecord } from './outbound-record.ts';

/** A rule at work, as far as moves of clients are concerned. More than one version of it may be. */
export interface MovingRule extends HeldOwner {
  readonly rule: { readonly id: string; readonly bridge: string };
  /** Whether the other side can be reached. */
  readonly connected: boolean;
  /** Whether nothing waits here. */
  readonly isDrained: boolean;
  /** The place that the next record in the spool gets. */
  readonly nextSequence: number;
  /** Those in which something waits. @param place - that of the newest record in memory. */
  queues(place: number): readonly BridgeQueue[];
}

/** What ClientMoves works with. */
export interface ClientMovesOptions {
  readonly bus: Pick<ClusterBus, 'self' | 'nodes' | 'isAlive' | 'request'>;
  /** For how long records may be kept from an other side that can be reached; 0 for not at all. */
  readonly waitMs: number;
  /** Milliseconds of the clock that never goes back. */
  readonly clock: () => number;
  readonly log: Log;
  readonly meter: Meter;
}

/** How long a node that leaves waits for what is in the lanes. */
const QUIET_DEADLINE_MS = 1_000;
/** What counts at most between two sweeps: the process may have slept. */
const STEP_MS_MAX = 1_000;

/**
 * Keeps the order of a client's records when it changes nodes.
 *
 * @remarks A node that lets a client go says how far its rules are. Where the client goes on, its records for these rules are
 * held before the lanes until that node is past these places, is gone, or has had its time. So no node remembers who waits
 * for it, and whom a node waits for is asked as one, however many clients came from there. What is waited for is always older than
 * what waits; so nodes never wait for each other in a circle.
 */
export class ClientMoves implements BridgeMoves {
  readonly #options: ClientMovesOptions;
  readonly #rules = new Set<MovingRule>();
  /** By rule and client, in the order in which they began and have to end. */
  readonly #holds = new Map<string, Map<string, Hold[]>>();
  readonly #asked = new Set<string>();
  /** That of the newest record in memory. Records between two looks at the queues share one. */
  #place = 1;
  #sweptMs: number;
  #quiet: { readonly deadlineMs: number; readonly reached: Deferred } | undefined;

  constructor(options: ClientMovesOptions) {
    this.#options = options;
    this.#sweptMs = options.clock();
  }

  /** The place of a record that is put into memory now. */
  get place(): number {
    return this.#place;
  }

  /** A version of a rule begins its work. @internal */
  join(rule: MovingRule): void {
    this.#rules.add(rule);
  }

  /** It has ended, and its records are another version's or given up. @internal */
  leave(rule: MovingRule): void {
    this.#rules.delete(rule);
  }

  queues(): readonly BridgeQueue[] {
    const found = new Map<string, BridgeQueue>();
    for (const rule of this.#rules) {
      for (const queue of rule.queues(this.#place)) {
        const key = `${queue.kind}:${queue.rule}`;
        const other = found.get(key) ?? queue;
        const done = Math.min(other.done, queue.done);
        found.set(key, { ...queue, done, last: Math.max(other.last, queue.last) });
      }
    }
    // What comes now must be told from what is there.
    if (found.size > 0) this.#place += 1;
    return [...found.values()];
  }

  backlogs(clientId: string, hasPublished: boolean): readonly BridgeBacklog[] {
    const { bus, waitMs } = this.#options;
    if (waitMs === 0 || bus.nodes().length < 2) return [];
    const queues = hasPublished ? this.queues() : [];
    const own = queues.length > 0 ? [{ node: bus.self, queues }] : [];
    return [...own, ...this.#backlogsElsewhere(clientId)];
  }

  arrived(clientId: string, backlogs: readonly BridgeBacklog[]): void {
    if (this.#options.waitMs === 0) return;
    const waits = new Map<string, Wait[]>();
    const add = (rule: string, wait: Wait): void => {
      const others = waits.get(rule);
      if (others === undefined) waits.set(rule, [wait]);
      else others.push(wait);
    };
    for (const { node, queues } of backlogs) {
      if (!this.#canTell(node)) continue;
      if (queues !== undefined) for (const queue of queues) add(queue.rule, { node, queue });
      else for (const { rule } of this.#rules) add(rule.id, { node, queue: undefined });
    }
    for (const [rule, each] of waits) this.#hold(rule, clientId, each);
  }

  quiet(): Promise<void> {
    if (this.#isQuiet) return Promise.resolve();
    const deadlineMs = this.#options.clock() + QUIET_DEADLINE_MS;
    this.#quiet ??= { deadlineMs, reached: new Deferred() };
    return this.#quiet.reached.promise;
  }

  /** Holds a record of a rule if its client's earlier ones may not be delivered yet. The owner gets it back, later. @internal */
  holds(record: OutboundRecord, rule: string, owner: HeldOwner): boolean {
    if (this.#holds.size === 0) return false;
    const holds = this.#holds.get(rule)?.get(record.publisher);
    const hold = holds?.findLast(({ from }) => record.sequence === 0 || record.sequence >= from);
    hold?.take(record, owner);
    return hold !== undefined;
  }

  /** Gives a rule that ends its records back, in their order. @internal */
  reclaim(rule: string, owner: HeldOwner): readonly OutboundRecord[] {
    const clients = this.#holds.get(rule)?.values() ?? [];
    return [...clients].flatMap((holds) => holds.flatMap((hold) => hold.reclaim(owner)));
  }

  /** How many records of a rule are held. */
  heldOf(rule: string): number {
    let held = 0;
    for (const holds of this.#holds.get(rule)?.values() ?? []) {
      for (const hold of holds) held += hold.size;
    }
    return held;
  }

  /** Does what is due: asks the others, and ends what has waited for long enough. */
  sweep(nowMs: number): void {
    const passedMs = Math.min(nowMs - this.#sweptMs, STEP_MS_MAX);
    this.#sweptMs = nowMs;
    if (this.#quiet !== undefined && (this.#isQuiet || nowMs >= this.#quiet.deadlineMs)) {
      this.#quiet.reached.resolve();
      this.#quiet = undefined;
    }
    if (this.#holds.size === 0) return;
    const reached = new Set<string>();
    for (const { rule, connected } of this.#rules) if (connected) reached.add(rule.id);
    const nodes = new Map<string, NodeRef>();
    for (const hold of this.#all()) {
      this.#pass(hold, reached.has(hold.rule) ? passedMs : 0);
      for (const { node } of hold.waits) nodes.set(node.nodeId, node);
    }
    this.#endThoseOver();
    if (this.#holds.size > 0) for (const node of nodes.values()) this.#ask(node);
  }

  get #isQuiet(): boolean {
    return [...this.#rules].every(({ connected, isDrained }) => isDrained || !connected);
  }

  *#all(): Generator<Hold> {
    for (const clients of this.#holds.values()) for (const holds of clients.values()) yield* holds;
  }

  /** Whether a node other than this one is there to be asked. What waits here is before it anyway. */
  #canTell(node: NodeRef): boolean {
    const { bus } = this.#options;
    return !isSame(node, bus.self) && bus.isAlive(node);
  }

  #backlogsElsewhere(clientId: string): BridgeBacklog[] {
    const backlogs: BridgeBacklog[] = [];
    for (const clients of this.#holds.values()) {
      for (const { waits } of clients.get(clientId) ?? []) {
        for (const { node, queue } of waits) backlogs.push({ node, queues: queue && [queue] });
      }
    }
    return backlogs;
  }

  #hold(rule: string, clientId: string, waits: readonly Wait[]): void {
    const clients = this.#holds.get(rule) ?? new Map<string, Hold[]>();
    this.#holds.set(rule, clients);
    let from = 0;
    for (const each of this.#rules) if (each.rule.id === rule) from = each.nextSequence;
    const hold = new Hold({ rule, clientId, from }, waits);
    const others = clients.get(clientId);
    if (others === undefined) clients.set(clientId, [hold]);
    else others.push(hold);
  }

  #pass(hold: Hold, passedMs: number): void {
    const left = hold.waits.filter(({ node }) => this.#canTell(node));
    if (left.length < hold.waits.length) this.#narrow(hold, left, 'node_gone');
    hold.waitedMs += passedMs;
    if (hold.waitedMs >= this.#options.waitMs) hold.end ??= 'timed_out';
  }

  #narrow(hold: Hold, waits: readonly Wait[], end: BridgeHoldEnd): void {
    hold.waits = waits;
    if (waits.length === 0) hold.end ??= end;
  }

  #ask(node: NodeRef): void {
    const { bus } = this.#options;
    if (this.#asked.has(node.nodeId)) return;
    this.#asked.add(node.nodeId);
    bus
      .request(node.nodeId, { kind: 'bridge-progress' })
      .then(({ backlogs }) => {
        for (const backlog of backlogs) this.#heard(backlog);
      })
      // It is asked again as long as something waits for it.
      .catch(() => undefined)
      .finally(() => this.#asked.delete(node.nodeId));
  }

  /** A node has said how far it is. */
  #heard({ node, queues = [] }: BridgeBacklog): void {
    for (const hold of this.#all()) {
      const left = hold.waits.flatMap((wait) => {
        if (!isSame(wait.node, node)) return [wait];
        if (wait.queue === undefined) {
          const own = queues.filter(({ rule }) => rule === hold.rule);
          return own.map((queue) => ({ node, queue }));
        }
        return havePassed([wait.queue], queues) ? [] : [wait];
      });
      this.#narrow(hold, left, 'drained');
    }
    this.#endThoseOver();
  }

  /** Ends holds, those of a client one after the other. */
  #endThoseOver(): void {
    for (const [rule, clients] of this.#holds) {
      let [late, records] = [0, 0];
      for (const [clientId, holds] of clients) {
        for (let [hold] = holds; hold?.end !== undefined; [hold] = holds) {
          if (hold.end === 'timed_out') [late, records] = [late + 1, records + hold.size];
          this.#end(hold, holds);
        }
        if (holds.length === 0) clients.delete(clientId);
      }
      if (clients.size === 0) this.#holds.delete(rule);
      if (late === 0) continue;
      this.#options.log.warn('bridge-holds-timed-out', { rule, clients: late, records });
    }
  }

  #end(hold: Hold, holds: Hold[]): void {
    const { rule, end = 'drained' } = hold;
    const bridge = [...this.#rules].find((each) => each.rule.id === rule)?.rule.bridge;
    if (bridge !== undefined) this.#options.meter.bridgeHoldEnded(bridge, end);
    // What comes by the way goes to the end of its records.
    hold.release();
    holds.shift();
  }
}

function isSame(left: NodeRef, right: NodeRef): boolean {
  return left.nodeId === right.nodeId && left.incarnation === right.incarnation;
}
