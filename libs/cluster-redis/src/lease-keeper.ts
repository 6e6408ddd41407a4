import { setTimeout as delay } from 'node:timers/promises';
import { StoreUnavailableError, type Log, type NodeInfo, type NodeRef } from '#libs/broker-ports';
import { ClusterError, SelfLease } from '#libs/cluster';
import type { ClusterCommands } from './cluster-commands.ts';

const RETRY_MS = 100;

/** What a LeaseKeeper needs. */
export interface LeaseKeeperOptions {
  readonly nodeId: string;
  readonly version: string;
  readonly leaseMs: number;
  readonly commands: ClusterCommands;
  readonly clock: { nowMs(): number; monotonicMs(): number };
  readonly log: Log;
}

/** Takes this node's lease and keeps it. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #lease: SelfLease;
  #info: NodeInfo | undefined;
  #closed = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#lease = new SelfLease(options.leaseMs);
  }

  /** This node as its lease describes it; undefined before take(). */
  get info(): NodeInfo | undefined {
    return this.#info;
  }

  /** Whether the lease holds for certain, by the monotonic clock. */
  get isHeld(): boolean {
    return this.#lease.isHeld(this.#options.clock.monotonicMs());
  }

  /**
   * Takes the lease of a new incarnation, however long Redis is away.
   *
   * @remarks A predecessor that was killed leaves its lease behind: its rest is waited for. If it is renewed
   * meanwhile, the predecessor lives.
   *
   * @returns where to follow the stream of route changes from.
   * @throws ClusterError NODE_ID_IN_USE, or CLUSTER_CLOSED when close() came first.
   */
  async take(): Promise<string> {
    const { nodeId, version, commands, clock, log } = this.#options;
    const startedAtMs = clock.nowMs();
    const incarnation = await this.#persist(() => commands.incarnate(nodeId, startedAtMs));
    const info: NodeInfo = { nodeId, incarnation, version, startedAtMs, state: 'alive' };
    let waitsUntilMs: number | undefined;
    for (;;) {
      const sentAtMs = clock.monotonicMs();
      const joined = await this.#persist(() => commands.join(info, 0));
      if (joined.kind === 'joined') {
        this.#info = info;
        this.#lease.renewed(sentAtMs);
        return joined.streamId;
      }
      const endsAtMs = performance.now() + joined.remainingMs;
      if (waitsUntilMs === undefined) {
        log.info('node-id-held', { nodeId, remainingMs: joined.remainingMs });
        waitsUntilMs = endsAtMs;
      } else if (endsAtMs > waitsUntilMs + this.#options.leaseMs / 4 || joined.remainingMs < 0) {
        throw new ClusterError('NODE_ID_IN_USE', `another live node has the id ${nodeId}`);
      }
      await delay(Math.min(joined.remainingMs + 5, this.#options.leaseMs / 3));
    }
  }

  /**
   * Renews the lease. After `wiped` it has been taken anew, and everything else in Redis must be written anew.
   *
   * @returns what became of the lease.
   */
  async renew(sequence: number): Promise<'held' | 'wiped' | 'lost'> {
    const { commands, clock, log } = this.#options;
    const info = this.#info;
    if (info === undefined) return 'lost';
    const sentAtMs = clock.monotonicMs();
    let kind = await commands.renew(info);
    if (kind === 'wiped' && (await commands.join(info, sequence)).kind === 'held') kind = 'lost';
    if (this.#closed) return 'held';
    if (kind === 'lost') {
      this.#lease.ended();
      return 'lost';
    }
    this.#lease.renewed(sentAtMs);
    if (kind !== 'renewed') log.warn('lease-taken-again', { reason: kind });
    return kind === 'wiped' ? 'wiped' : 'held';
  }

  /** Changes what the lease says of this node; the others see it at their next look. */
  describe(change: Pick<NodeInfo, 'state'> | Pick<NodeInfo, 'sessions'>): void {
    if (this.#info !== undefined) this.#info = { ...this.#info, ...change };
  }

  /** Stops waiting, and counts the lease as ended. */
  close(): void {
    this.#closed = true;
    this.#lease.ended();
  }

  /** Gives the lease up. */
  async leave(): Promise<void> {
    const self: NodeRef | undefined = this.#info;
    if (self !== undefined) await this.#options.commands.leave(self);
  }

  async #persist<Result>(task: () => Promise<Result>): Promise<Result> {
    for (;;) {
      if (this.#closed) throw new ClusterError('CLUSTER_CLOSED', 'the bus was closed');
      try {
        return await task();
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw error;
        await delay(RETRY_MS);
      }
    }
  }
}
