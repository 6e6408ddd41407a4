import { randomBytes } from 'node:crypto';
import type { OnModuleDestroy, OnModuleInit } from '@nestjs/common';
import type { WireTrace } from '#libs/api-contracts';
import type { ApiState, Log } from '#libs/broker-ports';
import type { Config } from '#libs/config';
import type { Cluster } from '../cluster/cluster.ts';
import { Watched } from '../guard/watched.ts';
import { ProblemError } from '../http/problem-error.ts';

/** How often nodes are told which traces there are: a node that comes hears of them that late. */
const SYNC_MS = 1_000;
/** For how long nodes are told that there are none any more. */
const FORGET_MS = 30_000;

/** A trace, as it is kept. */
export interface StoredTrace {
  readonly id: string;
  readonly clientId?: string;
  readonly topic?: string;
  readonly ip?: string;
  readonly payload: 'none' | 'text' | 'base64';
  readonly createdAtMs: number;
  readonly createdBy: string;
  readonly untilMs: number;
  readonly stoppedAtMs?: number;
}

/** What traces are made with. */
export interface TracesOptions {
  readonly config: Pick<Config, 'api'>;
  readonly state: ApiState;
  readonly cluster: Cluster;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Whether a trace runs. */
export function isRunning({ stoppedAtMs, untilMs }: StoredTrace, nowMs: number): boolean {
  return stoppedAtMs === undefined && nowMs < untilMs;
}

/**
 * The traces of the cluster: kept in the state of the API, and told to all nodes again and again, so that one that comes or
 * was silent records as well.
 */
export class Traces implements OnModuleInit, OnModuleDestroy {
  readonly #options: TracesOptions;
  readonly #watched: Watched<StoredTrace>;
  #timer: NodeJS.Timeout | undefined;
  #ticking: Promise<void> | undefined;
  #lastThereAtMs = -Infinity;

  constructor(options: TracesOptions) {
    this.#options = options;
    this.#watched = new Watched(options.state.definitions<StoredTrace>('traces'));
  }

  onModuleInit(): void {
    this.#timer = setInterval(() => this.#tick(), SYNC_MS);
    this.#timer.unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.#timer);
    await this.#ticking;
  }

  /** All of them, the latest first. */
  async list(): Promise<readonly StoredTrace[]> {
    const traces = await this.#watched.refresh();
    return [...traces.values()].toSorted(newestFirst);
  }

  /** @throws ProblemError 404. */
  async get(id: string): Promise<StoredTrace> {
    const found = await this.#watched.store.get(id);
    if (found === undefined) throw absent();
    return found.item;
  }

  /**
   * Begins a trace at all nodes.
   *
   * @returns it, and the nodes that have not heard of it yet.
   * @throws ProblemError when as many run as may, or no node answers.
   */
  async create(wanted: Omit<StoredTrace, 'id' | 'createdAtMs'>) {
    const { store } = this.#watched;
    const createdAtMs = this.#options.now();
    const { runningMax } = this.#options.config.api.traces;
    // Without a node there is nothing to begin.
    await this.#options.cluster.inquire().nodes();
    const trace = { ...wanted, id: `trace-${randomBytes(8).toString('hex')}`, createdAtMs };
    await store.put(trace, undefined);
    const all = await this.list();
    const running = all.filter((each) => isRunning(each, createdAtMs));
    // Of those that are made at once at several replicas the earlier ones count.
    if (running.slice(0, -runningMax).some(({ id }) => id === trace.id)) {
      await store.remove(trace.id, undefined);
      throw new ProblemError('limit-reached', `${runningMax} traces run: api.traces.runningMax`);
    }
    await this.#prune(all);
    return { trace, unavailable: await this.#tell() };
  }

  /** Ends a trace. @throws ProblemError 404. */
  async stop(id: string) {
    const { store } = this.#watched;
    for (;;) {
      const found = await store.get(id);
      if (found === undefined) throw absent();
      const { item, revision } = found;
      const stoppedAtMs = this.#options.now();
      if (!isRunning(item, stoppedAtMs)) return { trace: item, unavailable: [] };
      const trace = { ...item, stoppedAtMs };
      if ((await store.put(trace, revision)).kind !== 'stored') continue;
      return { trace, unavailable: await this.#tell() };
    }
  }

  /** Ends a trace and forgets it. @throws ProblemError 404. */
  async remove(id: string): Promise<void> {
    const { kind } = await this.#watched.store.remove(id, undefined);
    if (kind !== 'stored') throw absent();
    this.#lastThereAtMs = this.#options.now();
    await this.#tell();
  }

  /** Tells all nodes which there are; gives those that do not answer. */
  async #tell(): Promise<readonly string[]> {
    const { bytesMax, recordsPerSecond: perSecond } = this.#options.config.api.traces;
    const traces = [...(await this.#watched.refresh()).values()].map(
      ({ id, clientId, topic, ip, payload, untilMs, stoppedAtMs }): WireTrace => ({
        ...{ id, clientId, topic, ip, payload, untilMs, isStopped: stoppedAtMs !== undefined },
        ...{ bytesMax, perSecond },
      }),
    );
    const inquiry = this.#options.cluster.inquire();
    const answers = await inquiry.askAll(await inquiry.nodes(), { kind: 'sync-traces', traces });
    return answers.unavailable;
  }

  #tick(): void {
    if (this.#ticking !== undefined) return;
    this.#ticking = this.#look()
      // Nodes or store are away: told again with the next tick.
      .catch((error: unknown) => {
        this.#options.log.debug('traces-not-told', { reason: String(error) });
      })
      .finally(() => (this.#ticking = undefined));
  }

  async #look(): Promise<void> {
    const nowMs = this.#options.now();
    const { size } = await this.#watched.items();
    if (size > 0) this.#lastThereAtMs = nowMs;
    if (nowMs - this.#lastThereAtMs > FORGET_MS) return;
    await this.#prune([...(await this.#watched.items()).values()].toSorted(newestFirst));
    await this.#tell();
  }

  /** Forgets those that are over and too many or too old. */
  async #prune(all: readonly StoredTrace[]): Promise<void> {
    const nowMs = this.#options.now();
    const { keptMax, keptSeconds } = this.#options.config.api.traces;
    const over = all.filter((each) => !isRunning(each, nowMs));
    const gone = over.filter(({ stoppedAtMs, untilMs }, index) => {
      const endedAtMs = Math.min(stoppedAtMs ?? Infinity, untilMs);
      return index >= keptMax || nowMs - endedAtMs > keptSeconds * 1_000;
    });
    for (const { id } of gone) await this.#watched.store.remove(id, undefined);
  }
}

/** In an order that all replicas agree on. */
function newestFirst(one: StoredTrace, other: StoredTrace): number {
  return other.createdAtMs - one.createdAtMs || (one.id < other.id ? -1 : 1);
}

function absent(): ProblemError {
  return new ProblemError('not-found', 'There is no trace with this id');
}
