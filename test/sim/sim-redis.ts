import type {
  NodeInfo,
  NodeRef,
  RouteChange,
  SessionOperation,
  SessionWriteOutcome,
  TakeRequest,
  TakeResult,
} from '#libs/broker-ports';
import { nodeKey, parseNodeKey } from '#libs/cluster';
import type { AnnounceResult, ListedMember, StreamEntry } from '#libs/cluster-redis';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import type { Plant } from './plant.ts';
import { EPOCH_MS, type World } from './world.ts';

/** Few, so that filters change between two pieces. */
const FILTERS_PER_PIECE = 3;
const STREAM_ENTRIES = 4_096;
const MOVED_ENTRIES_MAX = 512;
const HEIRS_MAX = 16;

/** A stream and who waits for its next entry. */
interface Stream {
  entries: StreamEntry[];
  last: number;
  waiting: (() => void)[];
}

interface Lease {
  readonly info: NodeInfo;
  readonly endsAtMs: number;
}

interface Claim {
  readonly by: string;
  readonly endsAtMs: number;
}

type Fields = Readonly<Record<string, Uint8Array | string>>;

/** What RedisLink asks how long the way takes, and the plan of a simulation changes. */
export interface RedisTempo {
  leastMs: number;
  mostMs: number;
}

/**
 * The Redis of a simulated cluster: the sessions, and what the commands of cluster-redis (its Lua) do to leases, routes,
 * inboxes and claims, each as one step.
 */
export class SimRedis {
  readonly sessions: LocalSessionStore;
  readonly plant: Plant | undefined;
  readonly retained: LocalRetainedStore;
  readonly tempo: RedisTempo = { leastMs: 0.05, mostMs: 0.6 };
  readonly #world: World;
  readonly #leaseMs: number;
  readonly #leases = new Map<string, Lease>();
  readonly #incarnations = new Map<string, number>();
  readonly #members = new Map<string, number>();
  readonly #ended = new Set<string>();
  readonly #filters = new Map<string, Set<string>>();
  readonly #claims = new Map<string, Claim>();
  readonly #heirs = new Map<string, string>();
  readonly #streams = new Map<string, Stream>();
  /** As in Redis: a node that has owned a session is listed with it until it is abandoned. */
  readonly #owned = new Map<string, Set<string>>();
  #isFrozen = false;
  readonly #held: (() => void)[] = [];

  constructor(
    world: World,
    { leaseMs, plant }: { readonly leaseMs: number; readonly plant?: Plant | undefined },
  ) {
    this.plant = plant;
    this.#world = world;
    this.#leaseMs = leaseMs;
    const clock = (): number => Math.floor(EPOCH_MS + world.nowMs);
    this.sessions = new LocalSessionStore({ clock });
    this.retained = new LocalRetainedStore({ clock });
  }

  /** How long a command or an answer is on its way. */
  travelMs(): number {
    return this.#world.delay(this.tempo.leastMs, this.tempo.mostMs);
  }

  /** A command is there: it is carried out now, or when Redis goes on. */
  arrived(carryOut: () => void): void {
    if (this.#isFrozen) this.#held.push(carryOut);
    else carryOut();
  }

  /** Redis answers nobody until it goes on. */
  freeze(isFrozen: boolean): void {
    this.#isFrozen = isFrozen;
    if (isFrozen) return;
    for (const carryOut of this.#held.splice(0)) carryOut();
  }

  async take(request: TakeRequest): Promise<TakeResult> {
    const key = nodeKey(request.node);
    const owned = this.#owned.get(key) ?? new Set();
    const isNews = !owned.has(request.clientId);
    this.#owned.set(key, owned.add(request.clientId));
    const { will, ...rest } = request;
    const isTold = will !== undefined && this.plant !== 'lost-will';
    const result = await this.sessions.take(isTold ? { ...rest, will } : rest);
    const isElsewhere =
      result.kind === 'foreign' || (result.kind === 'owned' && nodeKey(result.owner) !== key);
    if (result.kind === 'absent' || (isNews && isElsewhere)) owned.delete(request.clientId);
    return result;
  }

  async write(operations: readonly SessionOperation[]): Promise<readonly SessionWriteOutcome[]> {
    if (this.plant === 'no-once') {
      return await this.sessions.write(
        operations.map((operation) =>
          operation.kind === 'append' ? { ...operation, once: false } : operation,
        ),
      );
    }
    if (this.plant !== 'no-fence') return await this.sessions.write(operations);
    const records = await Promise.all(
      operations.map(({ clientId }) => this.sessions.load(clientId)),
    );
    const unfenced = operations.map((operation, index) => ({
      ...operation,
      epoch: records[index]?.epoch ?? operation.epoch,
    }));
    return await this.sessions.write(unfenced);
  }

  owners(): NodeRef[] {
    return [...this.#owned.keys()].map(parseNodeKey).filter((node) => node !== undefined);
  }

  ownedBy(node: NodeRef): string[] {
    return [...(this.#owned.get(nodeKey(node)) ?? [])];
  }

  disown(node: NodeRef, clientIds: readonly string[]): void {
    for (const clientId of clientIds) this.#owned.get(nodeKey(node))?.delete(clientId);
  }

  abandon(node: NodeRef): void {
    this.#owned.delete(nodeKey(node));
  }

  incarnate(nodeId: string, nowMs: number): number {
    const incarnation = Math.max(nowMs, (this.#incarnations.get(nodeId) ?? 0) + 1);
    this.#incarnations.set(nodeId, incarnation);
    return incarnation;
  }

  join(info: NodeInfo): { kind: 'joined'; streamId: string } | { kind: 'held'; leftMs: number } {
    const held = this.#lease(info.nodeId);
    if (held !== undefined) return { kind: 'held', leftMs: held.endsAtMs - this.#world.nowMs };
    this.#putLease(info);
    this.#members.set(nodeKey(info), 0);
    const streamId = this.#add('routes', { kind: 'join', node: nodeKey(info) });
    return { kind: 'joined', streamId };
  }

  renew(info: NodeInfo): 'renewed' | 'restored' | 'lost' {
    const held = this.#lease(info.nodeId);
    if (held !== undefined && held.info.incarnation !== info.incarnation) return 'lost';
    if (held === undefined) {
      const isOver = this.#ended.has(nodeKey(info)) || !this.#members.has(nodeKey(info));
      if (isOver) return 'lost';
    }
    this.#putLease(info);
    return held === undefined ? 'restored' : 'renewed';
  }

  leave(node: NodeRef): void {
    if (this.#lease(node.nodeId)?.info.incarnation !== node.incarnation) return;
    this.#leases.delete(node.nodeId);
    this.#ended.add(nodeKey(node));
    this.#add('routes', { kind: 'left', node: nodeKey(node) });
  }

  list(): ListedMember[] {
    return this.memberKeys().map((node) => {
      const lease = this.#lease(node.nodeId)?.info;
      const isOwn = lease?.incarnation === node.incarnation;
      const sequence = this.#members.get(nodeKey(node)) ?? 0;
      return { node, sequence, lease: isOwn ? lease : undefined };
    });
  }

  memberKeys(): NodeRef[] {
    return [...this.#members.keys()].map(parseNodeKey).filter((node) => node !== undefined);
  }

  position(node: NodeRef): number | undefined {
    return this.#members.get(nodeKey(node));
  }

  /** Some of a node's filters, in a lasting order: those behind one. */
  filtersAfter(node: NodeRef, after: string): string[] {
    const filters = [...this.#filtersOf(node)].filter((filter) => filter > after).sort();
    return filters.slice(0, FILTERS_PER_PIECE);
  }

  announce(node: NodeRef, sequence: number, changes: readonly RouteChange[]): AnnounceResult {
    const key = nodeKey(node);
    const position = this.#members.get(key) ?? -1;
    if (position !== sequence) {
      if (position !== sequence - 1) return { kind: 'stale' };
      const filters = this.#filtersOf(node);
      const added = changes.filter(({ kind }) => kind === 'add').map(({ filter }) => filter);
      const removed = changes.filter(({ kind }) => kind === 'remove').map(({ filter }) => filter);
      for (const filter of added) filters.add(filter);
      for (const filter of removed) filters.delete(filter);
      this.#members.set(key, sequence);
      const json = JSON.stringify({ added, removed });
      this.#add('routes', {
        ...{ kind: 'change', node: key, sequence: String(sequence) },
        changes: json,
      });
    }
    return { kind: 'announced', members: this.memberKeys() };
  }

  rewrite(node: NodeRef, sequence: number, filters: readonly string[]): readonly NodeRef[] {
    const key = nodeKey(node);
    this.#filters.set(key, new Set(filters));
    this.#members.set(key, sequence);
    this.#add('routes', { kind: 'reset', node: key, sequence: String(sequence) });
    return this.memberKeys();
  }

  append(batch: {
    readonly to: NodeRef;
    readonly from: NodeRef;
    readonly sequence: number;
    readonly frame: Uint8Array;
    readonly inboxMax: number;
  }): 'stored' | 'full' | 'absent' {
    const { to, from, sequence, frame, inboxMax } = batch;
    let receiver = nodeKey(to);
    for (let heirs = 0; !this.#members.has(receiver); heirs += 1) {
      const heir = this.#heirs.get(receiver);
      if (heir === undefined || heirs >= HEIRS_MAX) return 'absent';
      receiver = heir;
    }
    if (this.#stream(receiver).entries.length >= inboxMax) return 'full';
    if (this.plant === 'lost-batch' && this.#world.chance(0.05)) return 'stored';
    const isHeir = receiver !== nodeKey(to);
    const fields = { from: nodeKey(from), sequence: String(sequence), frame };
    this.#add(receiver, isHeir ? { ...fields, of: nodeKey(to) } : fields);
    return 'stored';
  }

  claim(claimer: NodeRef, dead: NodeRef): 'claimed' | 'taken' | 'alive' | 'forgotten' {
    if (this.#lease(dead.nodeId)?.info.incarnation === dead.incarnation) return 'alive';
    const key = nodeKey(dead);
    if (!this.#members.has(key)) return 'forgotten';
    const held = this.#claims.get(key);
    const isHeld = held !== undefined && held.endsAtMs > this.#world.nowMs;
    if (isHeld && held.by !== nodeKey(claimer)) return 'taken';
    this.#claims.set(key, {
      by: nodeKey(claimer),
      endsAtMs: this.#world.nowMs + this.#leaseMs,
    });
    this.#ended.add(key);
    return 'claimed';
  }

  forget(claimer: NodeRef, dead: NodeRef): 'forgotten' | 'unclaimed' | 'not-empty' {
    const key = nodeKey(dead);
    if (!this.#members.has(key)) return 'forgotten';
    const held = this.#claims.get(key);
    const isHeld = held !== undefined && held.endsAtMs > this.#world.nowMs;
    if (!isHeld || held.by !== nodeKey(claimer)) return 'unclaimed';
    const left = this.#stream(key).entries;
    if (left.length > MOVED_ENTRIES_MAX) return 'not-empty';
    for (const { fields } of left) {
      const [from = '', frame = ''] = [fields.get('from'), fields.get('frame')];
      const of = fields.get('of')?.toString() ?? key;
      this.#add(nodeKey(claimer), { from: from.toString(), sequence: '0', frame, of });
    }
    this.#heirs.set(key, nodeKey(claimer));
    this.#claims.delete(key);
    this.#streams.delete(key);
    this.#filters.delete(key);
    this.#members.delete(key);
    this.#ended.delete(key);
    this.#add('routes', { kind: 'forget', node: key });
    return 'forgotten';
  }

  /** The entries of an inbox after one; all of it when that is empty. */
  readInbox(node: NodeRef, after: string, count: number): StreamEntry[] {
    return this.#after(nodeKey(node), after).slice(0, count);
  }

  removeFromInbox(node: NodeRef, ids: readonly string[]): void {
    const stream = this.#stream(nodeKey(node));
    const removed = new Set(ids);
    stream.entries = stream.entries.filter(({ id }) => !removed.has(id));
  }

  /** Entries of the inbox of a node, or of the stream of routes, after one; waits for them if there are none. */
  async follow(name: NodeRef | 'routes', after: string, count: number): Promise<StreamEntry[]> {
    const key = name === 'routes' ? name : nodeKey(name);
    for (;;) {
      const entries = this.#after(key, after);
      if (entries.length > 0) return entries.slice(0, count);
      await new Promise<void>((resolve) => this.#stream(key).waiting.push(resolve));
    }
  }

  /** All that a node is routed. */
  routesOf(node: NodeRef): string[] {
    return [...this.#filtersOf(node)];
  }

  /** What lies in all inboxes. */
  inboxSizes(): ReadonlyMap<string, number> {
    const inboxes = [...this.#streams].filter(([name]) => name !== 'routes');
    return new Map(inboxes.map(([name, { entries }]) => [name, entries.length]));
  }

  #after(key: string, after: string): StreamEntry[] {
    const number = Number(after.split('-')[0] ?? '0');
    return this.#stream(key).entries.filter(({ id }) => Number(id.split('-')[0]) > number);
  }

  #lease(nodeId: string): Lease | undefined {
    const lease = this.#leases.get(nodeId);
    return lease !== undefined && lease.endsAtMs > this.#world.nowMs ? lease : undefined;
  }

  #putLease(info: NodeInfo): void {
    this.#leases.set(info.nodeId, { info, endsAtMs: this.#world.nowMs + this.#leaseMs });
  }

  #filtersOf(node: NodeRef): Set<string> {
    const key = nodeKey(node);
    const filters = this.#filters.get(key) ?? new Set();
    this.#filters.set(key, filters);
    return filters;
  }

  #stream(key: string): Stream {
    const stream = this.#streams.get(key) ?? { entries: [], last: 0, waiting: [] };
    this.#streams.set(key, stream);
    return stream;
  }

  #add(key: string, fields: Fields): string {
    const stream = this.#stream(key);
    stream.last += 1;
    const id = `${String(stream.last)}-0`;
    const bytes = Object.entries(fields).map(
      ([name, value]) => [name, Buffer.from(value as string)] as const,
    );
    stream.entries.push({ id, fields: new Map(bytes) });
    if (key === 'routes' && stream.entries.length > STREAM_ENTRIES) stream.entries.shift();
    for (const wake of stream.waiting.splice(0)) wake();
    return id;
  }
}
