import {
  StoreUnavailableError,
  type Meter,
  type NodeRef,
  type RouteChange,
} from '#libs/broker-ports';
import { ClusterError, nodeKey } from '#libs/cluster';
import type { AnnounceResult } from './cluster-commands.ts';
import { delayOf, type Timers } from './timers.ts';

/**
 * For how long changes wait for the announcement before them: what one sick node holds up is not to hold up the others.
 */
const GATHER_MS_MAX = 100;

/** Changes per entry of the stream: with its length, the bound of what the stream can hold. */
const CHANGES_PER_ENTRY = 256;

/** What is written of routes, as in ClusterCommands. */
export interface RouteCommands {
  /** Changes the node's filters and tells the others. */
  announce(
    self: NodeRef,
    sequence: number,
    changes: readonly RouteChange[],
  ): Promise<AnnounceResult>;
  /** Writes the node's filters anew and asks the others to read them. Returns all members. */
  rewrite(self: NodeRef, sequence: number, filters: readonly string[]): Promise<readonly NodeRef[]>;
}

/** What OwnRoutes needs. */
export interface OwnRoutesOptions {
  readonly self: NodeRef;
  readonly commands: RouteCommands;
  readonly timers: Timers;
  readonly deadlineMs: number;
  /** A clock that only moves forward. */
  readonly monotonicMs: () => number;
  readonly meter: Meter;
  /** The nodes known to be alive: a Redis that has lost its data does not list them all. */
  readonly alive: () => readonly NodeRef[];
  /** Whether a member has to apply a change before it counts as known. */
  readonly isAwaited: (node: NodeRef) => boolean;
  /** Asks a node how far it has come; it answers through heard(). */
  readonly ask: (node: NodeRef) => void;
}

/** Somebody waits until these nodes have applied a sequence. */
interface Wait {
  readonly sequence: number;
  readonly missing: Map<string, NodeRef>;
  /** Nodes that it does not wait for, for they have let an earlier deadline pass. */
  readonly skipped: readonly string[];
  readonly startedAtMs: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** The changes that go out together. */
interface Gathering {
  readonly changes: Map<string, RouteChange>;
  readonly told: Promise<void>;
}

/**
 * What this node wants, written down in Redis and known to the others.
 *
 * @remarks Changes of one turn go out together and are numbered; while an announcement is on its way to be known, what comes
 * meanwhile shares the next one, for each costs Redis and every node something. Every live node is waited for, but not twice for a
 * deadline: one that has let a deadline pass counts again when it is heard of. What this object holds is what is wanted: if Redis has
 * something else (a failed announcement, lost data) it is written anew.
 */
export class OwnRoutes {
  readonly #options: OwnRoutesOptions;
  readonly #filters = new Set<string>();
  /** The highest sequence each node is known to have applied. */
  readonly #heard = new Map<string, number>();
  /** Nodes that let a deadline pass: they are not waited for again until they are heard of. */
  readonly #late = new Set<string>();
  #sequence = 0;
  #mismatchAt: number | undefined;
  #gathering: Gathering | undefined;
  /** Ends when the last announcement is known to all, or has taken long enough. */
  #underWay: Promise<unknown> | undefined;
  #waits: Wait[] = [];
  #endSweep: (() => void) | undefined;
  #closed = false;

  constructor(options: OwnRoutesOptions) {
    this.#options = options;
  }

  /** The number of the last change. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Resolves when all nodes have applied the changes; rejects at the deadline, without those that are late, or when Redis is away. */
  announce(changes: readonly RouteChange[]): Promise<void> {
    if (this.#closed) return Promise.reject(closed());
    const gathering = (this.#gathering ??= this.#gather());
    for (const change of changes) {
      gathering.changes.set(change.filter, change);
      if (change.kind === 'add') this.#filters.add(change.filter);
      else this.#filters.delete(change.filter);
    }
    return gathering.told;
  }

  /** A node says how far it has come. */
  heard(node: NodeRef, sequence: number): void {
    const key = nodeKey(node);
    this.#late.delete(key);
    if ((this.#heard.get(key) ?? -1) >= sequence) return;
    this.#heard.set(key, sequence);
    this.#release((wait) => {
      if (wait.sequence <= sequence) wait.missing.delete(key);
    });
  }

  /** A node's lease ended: it is not waited for. */
  gone(node: NodeRef): void {
    const key = nodeKey(node);
    this.#heard.delete(key);
    this.#late.delete(key);
    this.#release((wait) => wait.missing.delete(key));
  }

  /** Compares with the position read in Redis. A difference that stays is mended: all filters are written anew. */
  async verify(position: number | undefined): Promise<void> {
    if (position === this.#sequence) {
      this.#mismatchAt = undefined;
    } else if (this.#mismatchAt === this.#sequence) {
      await this.mend();
    } else {
      this.#mismatchAt = this.#sequence;
    }
  }

  /** Writes all filters anew; nobody waits until the others have read them. */
  async mend(): Promise<void> {
    await this.#writeAll();
  }

  /** Who waits is refused. */
  close(): void {
    this.#closed = true;
    this.#endSweep?.();
    const waits = this.#waits;
    this.#waits = [];
    for (const { reject } of waits) reject(closed());
  }

  #gather(): Gathering {
    const changes = new Map<string, RouteChange>();
    const told = this.#turnToTell().then(() => {
      this.#gathering = undefined;
      const known = this.#tell([...changes.values()]);
      this.#underWay = Promise.race([
        known.catch(() => undefined),
        delayOf(this.#options.timers, GATHER_MS_MAX),
      ]);
      return known;
    });
    return { changes, told };
  }

  /** Resolves at the end of the turn in which the announcement before may be followed by another. */
  async #turnToTell(): Promise<void> {
    await this.#underWay;
    await new Promise<void>((resolve) => this.#options.timers.immediately(resolve));
  }

  async #tell(changes: readonly RouteChange[]): Promise<void> {
    if (this.#closed) throw closed();
    const { self, commands } = this.#options;
    const sent: Promise<AnnounceResult>[] = [];
    for (let start = 0; start < changes.length; start += CHANGES_PER_ENTRY) {
      this.#sequence += 1;
      const part = changes.slice(start, start + CHANGES_PER_ENTRY);
      sent.push(commands.announce(self, this.#sequence, part));
    }
    const sequence = this.#sequence;
    const results = await Promise.all(sent);
    const last = results.at(-1);
    if (last === undefined) return;
    if (last.kind === 'announced') return await this.#known(sequence, last.members);
    const members = await this.#writeAll();
    await this.#known(this.#sequence, members);
  }

  #writeAll(): Promise<readonly NodeRef[]> {
    this.#sequence += 1;
    const { self, commands } = this.#options;
    return commands.rewrite(self, this.#sequence, [...this.#filters]);
  }

  /** Waits until the members have applied a sequence. */
  #known(sequence: number, members: readonly NodeRef[]): Promise<void> {
    const { self, alive, isAwaited, monotonicMs } = this.#options;
    const missing = new Map<string, NodeRef>();
    const skipped: string[] = [];
    const own = nodeKey(self);
    for (const node of [...members, ...alive()]) {
      const key = nodeKey(node);
      if (key === own || (this.#heard.get(key) ?? -1) >= sequence || !isAwaited(node)) continue;
      if (this.#late.has(key)) skipped.push(key);
      else missing.set(key, node);
    }
    if (this.#closed) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#waits.push({ sequence, missing, skipped, startedAtMs: monotonicMs(), resolve, reject });
      this.#release(() => undefined);
      if (this.#waits.length === 0) return;
      const { timers, deadlineMs } = this.#options;
      this.#endSweep ??= timers.every(deadlineMs / 10, () => this.#sweepWaits());
    });
  }

  /** Asks whoever is behind, leaves out who need not be waited for, and ends what took too long. */
  #sweepWaits(): void {
    const { deadlineMs, isAwaited, monotonicMs, ask, meter } = this.#options;
    const nowMs = monotonicMs();
    const behind = new Map<string, NodeRef>();
    this.#release((wait) => {
      for (const [key, node] of wait.missing) {
        if (isAwaited(node)) behind.set(key, node);
        else wait.missing.delete(key);
      }
    });
    const late = this.#waits.filter(({ startedAtMs }) => nowMs - startedAtMs >= deadlineMs);
    this.#waits = this.#waits.filter((wait) => !late.includes(wait));
    for (const { missing, reject } of late) {
      meter.routeLag(deadlineMs / 1_000);
      for (const key of missing.keys()) this.#late.add(key);
      const names = [...missing.keys()].join(', ');
      reject(new ClusterError('ROUTES_LATE', `not yet applied by ${names}`));
    }
    for (const node of behind.values()) ask(node);
    this.#stopSweepWhenIdle();
  }

  /** Changes every wait and resolves those that miss nobody any more. */
  #release(change: (wait: Wait) => void): void {
    const { meter, monotonicMs } = this.#options;
    const waiting: Wait[] = [];
    for (const wait of this.#waits) {
      change(wait);
      if (wait.missing.size > 0) {
        waiting.push(wait);
      } else {
        meter.routeLag((monotonicMs() - wait.startedAtMs) / 1_000);
        this.#end(wait);
      }
    }
    this.#waits = waiting;
    this.#stopSweepWhenIdle();
  }

  #end({ skipped, resolve, reject }: Wait): void {
    if (skipped.length === 0) return resolve();
    reject(new ClusterError('ROUTES_UNSURE', `not waited for: ${skipped.join(', ')}`));
  }

  #stopSweepWhenIdle(): void {
    if (this.#waits.length > 0) return;
    this.#endSweep?.();
    this.#endSweep = undefined;
  }
}

function closed(): StoreUnavailableError {
  return new StoreUnavailableError('this node has left the cluster');
}
