import {
  StoreUnavailableError,
  type ClusterHandler,
  type Log,
  type Meter,
  type NodeInfo,
  type NodeRef,
  type RouteChange,
} from '#libs/broker-ports';
import { Membership, RouteLog, nodeKey, parseNodeKey, type MembershipEvent } from '#libs/cluster';
import type { ListedMember } from './cluster-commands.ts';
import { parseJson } from './lease-format.ts';
import type { StreamEntry } from './stream-entry.ts';

/** What is read of members, as in ClusterCommands. */
export interface MemberCommands {
  /** Reads all members and their leases. */
  list(): Promise<readonly ListedMember[]>;
  /** The number of a node's last route change; undefined when it is no member. */
  position(node: NodeRef): Promise<number | undefined>;
  /** Reads a node's filters in pieces; one that changes meanwhile may be among them or not. */
  filters(node: NodeRef): AsyncIterable<readonly string[]>;
}

/** What a ClusterView needs. */
export interface ClusterViewOptions {
  readonly self: NodeRef;
  readonly leaseMs: number;
  readonly commands: MemberCommands;
  readonly handler: ClusterHandler;
  /** A clock that only moves forward. */
  readonly monotonicMs: () => number;
  readonly log: Log;
  readonly meter: Meter;
  /** The routes of a node are applied up to a sequence: it is to be told. */
  readonly applied: (node: NodeRef, sequence: number) => void;
  /** A node is not alive any more. */
  readonly gone: (node: NodeRef) => void;
}

/**
 * What this node knows of the others: who is there, and what they want.
 *
 * @remarks Fed by looks at the list of members and by the stream of route changes. Both go through one queue, so the
 * handler is told everything in one order.
 */
export class ClusterView {
  readonly #options: ClusterViewOptions;
  readonly #membership: Membership;
  readonly #routes = new RouteLog();
  #queue: Promise<unknown> = Promise.resolve();
  #storeWasAway = true; // A node that has just come cannot tell who is dead from who waits for Redis.
  #isCurrent = false;
  #closed = false;

  constructor(options: ClusterViewOptions) {
    this.#options = options;
    this.#membership = new Membership(options);
  }

  /** Whether all that the others wanted when Redis was last seen to come back is applied. */
  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  /** The other nodes that are not judged dead. */
  alive(): NodeInfo[] {
    return this.#membership.alive();
  }

  /** Whether a node is one of them. */
  isAlive(node: NodeRef): boolean {
    return this.#membership.isAlive(node);
  }

  /** Whether a route change has to wait for a node: it may be alive. */
  isAwaited(node: NodeRef): boolean {
    return !this.#membership.isMember(node) || this.#membership.holdsLease(node);
  }

  /** How far the routes of a node are applied. */
  applied(node: NodeRef): number | undefined {
    return this.#routes.applied(node);
  }

  /** Redis was away: leases that are missing when it comes back say nothing for a while. */
  storeLost(): void {
    this.#storeWasAway = true;
    this.#isCurrent = false;
  }

  /**
   * Reads the list of members and acts on it.
   *
   * @returns the position of this node's own routes in Redis; undefined when it is not listed.
   */
  look(): Promise<number | undefined> {
    return this.#inTurn(() => this.#look());
  }

  /** Applies entries of the stream, in their order. */
  follow(entries: readonly StreamEntry[]): Promise<void> {
    return this.#inTurn(async () => {
      const changed = new Map<string, NodeRef>();
      for (const entry of entries) await this.#followOne(entry, changed);
      for (const node of changed.values()) this.#tellApplied(node);
    });
  }

  /** The handler is told nothing more. */
  close(): void {
    this.#closed = true;
  }

  async #look(): Promise<number | undefined> {
    const { commands, leaseMs, monotonicMs, self } = this.#options;
    const startedAtMs = monotonicMs();
    let members: readonly ListedMember[];
    try {
      members = await commands.list();
    } catch (error) {
      this.storeLost();
      throw error;
    }
    const nowMs = monotonicMs();
    const own = nodeKey(self);
    const position = members.find(({ node }) => nodeKey(node) === own)?.sequence;
    // A list without this node is that of a Redis that has lost its data: the others are as missing as this one.
    if (this.#storeWasAway || position === undefined || nowMs - startedAtMs > leaseMs / 3) {
      this.#storeWasAway = false;
      this.#membership.handle({ kind: 'store-restored' }, nowMs);
    }
    const events = this.#membership.handle({ kind: 'sighted', sightings: members }, nowMs);
    const unread = await this.#act(events);
    for (const { node, sequence } of members) {
      if (!this.#membership.isMember(node)) continue;
      const isMissed = this.#isCurrent
        ? this.#routes.isStuck(node, sequence)
        : this.#routes.isBehind(node, sequence);
      if (isMissed) await this.#resync(node);
    }
    if (unread !== undefined) throw unread;
    this.#isCurrent = true;
    return position;
  }

  /** Tells the handler what happened; a node whose routes could not be read is left for the next look. */
  async #act(events: readonly MembershipEvent[]): Promise<StoreUnavailableError | undefined> {
    let unread: StoreUnavailableError | undefined;
    for (const event of events) {
      if (event.kind !== 'joined') {
        this.#actOnEnd(event);
        continue;
      }
      try {
        await this.#introduce(event.node);
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw error;
        this.#membership.retract(event.node);
        unread = error;
      }
    }
    return unread;
  }

  #actOnEnd({ kind, node }: { readonly kind: 'left' | 'forgotten'; readonly node: NodeRef }): void {
    const { handler, log, gone } = this.#options;
    if (this.#closed || this.#routes.applied(node) === undefined) return;
    log.info(kind === 'left' ? 'node-left' : 'node-forgotten', { node: nodeKey(node) });
    gone(node);
    if (kind === 'left') {
      handler.nodeLeft(node);
    } else {
      this.#routes.drop(node);
      handler.nodeForgotten(node);
    }
  }

  async #introduce(node: NodeInfo): Promise<void> {
    const sequence = await this.#options.commands.position(node);
    if (sequence === undefined) {
      this.#membership.retract(node);
      return;
    }
    if (this.#closed) return;
    this.#options.log.info('node-joined', { node: nodeKey(node) });
    if (!(await this.#read(node))) return;
    this.#routes.restart(node, sequence);
    this.#tellApplied(node);
  }

  /** Reads the routes of a known node anew. */
  async #resync(node: NodeRef): Promise<void> {
    const { commands, handler, meter, log } = this.#options;
    const sequence = await commands.position(node);
    const info = this.#membership.info(node);
    if (sequence === undefined || info === undefined || this.#closed) return;
    meter.routeResync();
    log.info('routes-read-anew', { node: nodeKey(node) });
    if (!(await this.#read(info))) return;
    if (!this.#membership.isAlive(node)) handler.nodeLeft(node);
    this.#routes.restart(node, sequence);
    this.#tellApplied(node);
  }

  /**
   * Tells the handler all routes of a node: those of a new one piece by piece, those of a known one at once, for meanwhile
   * none may be missing.
   *
   * @returns false when this was closed meanwhile.
   */
  async #read(node: NodeInfo): Promise<boolean> {
    const { commands, handler } = this.#options;
    const isNew = this.#routes.applied(node) === undefined;
    if (isNew) handler.nodeJoined(node, []);
    const all: string[] = [];
    for await (const piece of commands.filters(node)) {
      if (this.#closed) return false;
      if (isNew) handler.routesChanged(node, piece.map(addition));
      else for (const filter of piece) all.push(filter);
    }
    if (!isNew && !this.#closed) handler.nodeJoined(node, all);
    return !this.#closed;
  }

  async #followOne(entry: StreamEntry, changed: Map<string, NodeRef>): Promise<void> {
    const kind = entry.fields.get('kind')?.toString();
    const key = entry.fields.get('node')?.toString() ?? '';
    const node = parseNodeKey(key);
    if (node === undefined || key === nodeKey(this.#options.self)) return;
    const nowMs = this.#options.monotonicMs();
    switch (kind) {
      case 'join':
        if (!this.#membership.isAlive(node)) await this.#look();
        return;
      case 'left':
        await this.#act(this.#membership.handle({ kind: 'left', node }, nowMs));
        return;
      case 'forget':
        await this.#act(this.#membership.handle({ kind: 'forgotten', node }, nowMs));
        return;
      case 'change':
      case 'reset':
        if (!this.#membership.isMember(node)) await this.#look();
        if (!this.#membership.isMember(node)) return;
        if (await this.#followChange(node, kind, entry)) changed.set(key, node);
        return;
      case undefined:
      default:
        this.#options.log.warn('route-entry-malformed', { id: entry.id });
    }
  }

  /** Applies a change; true when the node is to be told. */
  async #followChange(
    node: NodeRef,
    kind: 'change' | 'reset',
    entry: StreamEntry,
  ): Promise<boolean> {
    const sequence = Number(entry.fields.get('sequence')?.toString() ?? NaN);
    const changes = kind === 'change' ? parseChanges(entry.fields.get('changes')) : [];
    if (!Number.isSafeInteger(sequence) || changes === undefined) {
      this.#options.log.warn('route-entry-malformed', { id: entry.id });
      return false;
    }
    if (kind === 'reset') {
      if ((this.#routes.applied(node) ?? -1) < sequence) await this.#resync(node);
      return false;
    }
    switch (this.#routes.handle(node, sequence)) {
      case 'apply':
        if (!this.#closed) this.#options.handler.routesChanged(node, changes);
        return true;
      case 'repeat':
        return true;
      case 'gap':
        await this.#resync(node);
        return false;
    }
  }

  #tellApplied(node: NodeRef): void {
    const sequence = this.#routes.applied(node);
    if (sequence !== undefined && this.#membership.isAlive(node)) {
      this.#options.applied(node, sequence);
    }
  }

  #inTurn<Result>(task: () => Promise<Result>): Promise<Result> {
    const result = this.#queue.then(task);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}

function addition(filter: string): RouteChange {
  return { kind: 'add', filter };
}

function parseChanges(field: Buffer | undefined): RouteChange[] | undefined {
  const value = field === undefined ? undefined : parseJson(field.toString());
  if (typeof value !== 'object' || value === null) return undefined;
  const { added, removed } = value as Record<string, unknown>;
  if (!isTexts(added) || !isTexts(removed)) return undefined;
  return [
    ...added.map((filter) => ({ kind: 'add', filter }) as const),
    ...removed.map((filter) => ({ kind: 'remove', filter }) as const),
  ];
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
