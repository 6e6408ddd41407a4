import { isHealthy, type Health } from '#libs/nest-support';

/** Where a node is in its life. */
export type NodePhase = 'starting' | 'serving' | 'draining';

/** What says whether clients had better go to a node, besides where it is in its life. */
export interface ReadinessParts {
  readonly overload: { readonly level: number };
  readonly bus: { readonly ready?: boolean };
  readonly stores: { readonly ready: boolean };
  /** The listeners that have no room, if that counts. */
  readonly room?: { full(): readonly string[] } | undefined;
  /** How long Redis may be away until clients had better go elsewhere. */
  readonly graceMs: number;
  /** Milliseconds that only grow. */
  readonly monotonicMs: () => number;
}

/** Whether a node is to be sent clients: for its probe, and for the API. */
export class Readiness {
  phase: NodePhase = 'starting';
  /** Why clients are sent away, if they are. */
  drain: string | undefined;
  /** Since when an administrator has kept new clients away, in milliseconds since 1970. */
  maintenanceSinceMs: number | undefined;
  readonly #parts: ReadinessParts;
  /** When Redis was first seen to be away. */
  #awaySinceMs: number | undefined;

  constructor(parts: ReadinessParts) {
    this.#parts = parts;
  }

  /** Whether this node and all other nodes meet in Redis. */
  get hasRedis(): boolean {
    return this.#parts.bus.ready !== undefined;
  }

  /** Whether Redis answers; true for a node without. */
  get reachesRedis(): boolean {
    const { bus, stores } = this.#parts;
    return bus.ready === undefined || (bus.ready && stores.ready);
  }

  /** The checks of the readiness probe. */
  checks(): Health {
    const { overload } = this.#parts;
    const node = { starting: 'starting', serving: 'ok', draining: 'draining' }[this.phase];
    // Who is refused here had better be sent elsewhere.
    const load = overload.level === 0 ? 'ok' : `level ${String(overload.level)}`;
    const own = {
      ...{ node, overload: load },
      ...this.#connections(),
      ...(this.drain !== undefined && { drain: this.drain }),
      ...(this.maintenanceSinceMs !== undefined && { maintenance: 'on' }),
    };
    if (!this.hasRedis) return own;
    return { ...own, redis: this.#redis() };
  }

  #connections(): Health {
    const full = this.#parts.room?.full();
    if (full === undefined) return {};
    return { connections: full.length === 0 ? 'ok' : `full, ${full.join('; ')}` };
  }

  #redis(): string {
    const { graceMs, monotonicMs } = this.#parts;
    if (this.reachesRedis) {
      this.#awaySinceMs = undefined;
      return 'ok';
    }
    this.#awaySinceMs ??= monotonicMs();
    return monotonicMs() - this.#awaySinceMs < graceMs ? 'ok, away for a moment' : 'unavailable';
  }

  /** What keeps clients away; empty when nothing does. */
  get obstacles(): readonly string[] {
    return Object.entries(this.checks())
      .filter(([, state]) => !isHealthy(state))
      .map(([name, state]) => `${name}: ${state}`);
  }
}
