import type { BrokerNode, Shedding } from '#libs/broker-core';
import type { ClusterBus, DisconnectReason, Log, Meter } from '#libs/broker-ports';
import type { Config } from '#libs/config';
import type { Readiness } from './readiness.ts';

const STEP_MS = 50;
const PAST_MAX = 20;
/** What the last client may take to end its handshakes, and some more. */
const HANDSHAKES_SECONDS = 5;
/** The rate where none is set and few are connected. */
const RATE_LEAST = 200;

/** What to do with whose clients. */
export interface DrainRequest {
  readonly kind: 'drain' | 'rebalance' | 'shutdown' | 'listener';
  /** @defaultValue that of the configuration */
  readonly connectionsPerSecond?: number | undefined;
  /** How long the node is not ready before the first client goes. @defaultValue 0 */
  readonly waitSeconds?: number | undefined;
  /** How long it is not ready after the last one. @defaultValue 0 */
  readonly settleSeconds?: number | undefined;
  readonly serverReference?: string | undefined;
  /** @defaultValue that of the configuration */
  readonly deadlineSeconds?: number | undefined;
  /** How many clients stay. @defaultValue 0 */
  readonly keep?: number | undefined;
  readonly listener?: string | undefined;
  /** What it belongs to. */
  readonly id?: string | undefined;
  /** Nodes without which it goes no further. */
  readonly needs?: readonly string[] | undefined;
  /** Whether to begin although no other node serves clients. @defaultValue false */
  readonly evenIfLast?: boolean | undefined;
}

/** What came of a wish to begin: it has begun, another one is under way, or no other node serves clients. */
export type DrainStart = 'begun' | 'busy' | 'last';

/** How far a drain is. `drained`: nobody is left, and clients that come are turned away. */
export type DrainState =
  'waiting' | 'shedding' | 'settling' | 'drained' | 'completed' | 'stopped' | 'aborted';

/** A drain of a node as others see it. */
export interface DrainView {
  readonly id: string | undefined;
  readonly kind: DrainRequest['kind'];
  readonly listener: string | undefined;
  readonly state: DrainState;
  readonly connectionsPerSecond: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number | undefined;
  readonly total: number;
  readonly gone: number;
  readonly remaining: number;
  readonly detail: string | undefined;
}

/** What a drain works on. */
export interface NodeDrainParts {
  readonly settings: Config['drain'];
  readonly serverReference: string | undefined;
  readonly nodeId: string;
  readonly node: Pick<BrokerNode, 'shed' | 'turnAway' | 'admin'>;
  readonly bus: Pick<ClusterBus, 'setState' | 'nodes'>;
  readonly readiness: Readiness;
  readonly meter: Pick<Meter, 'draining'>;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

const REASONS: Readonly<Record<DrainRequest['kind'], DisconnectReason>> = {
  drain: 'drain',
  listener: 'drain',
  shutdown: 'shutdown',
  rebalance: 'rebalance',
};

const ENDED: ReadonlySet<DrainState> = new Set(['completed', 'stopped', 'aborted']);

/** One drain of a node: it waits, sheds and settles, and says how far it is. */
class Drain {
  readonly request: DrainRequest;
  state: DrainState = 'waiting';
  detail: string | undefined;
  endedAtMs: number | undefined;
  shedding: Shedding | undefined;
  readonly startedAtMs: number;
  readonly connectionsPerSecond: number;
  /** When all have to have gone; Infinity for no such time. */
  readonly untilMs: number;
  /** When the present state is over, where time decides. */
  nextAtMs: number;

  constructor(
    request: DrainRequest,
    times: Pick<Drain, 'connectionsPerSecond' | 'startedAtMs' | 'untilMs' | 'nextAtMs'>,
  ) {
    this.request = request;
    this.connectionsPerSecond = times.connectionsPerSecond;
    this.startedAtMs = times.startedAtMs;
    this.untilMs = times.untilMs;
    this.nextAtMs = times.nextAtMs;
  }

  get view(): DrainView {
    const { request, state, connectionsPerSecond, startedAtMs, endedAtMs, detail } = this;
    const progress = this.shedding?.progress ?? { total: 0, gone: 0, remaining: 0 };
    const { id, kind, listener } = request;
    return {
      id,
      kind,
      listener,
      state,
      connectionsPerSecond,
      startedAtMs,
      endedAtMs,
      detail,
      ...progress,
    };
  }
}

/** The drains of a node, one at a time. */
export class NodeDrain {
  readonly #parts: NodeDrainParts;
  #drain: Drain | undefined;
  #past: readonly Drain[] = [];
  #timer: NodeJS.Timeout | undefined;
  #waiting: (() => void)[] = [];
  #skipUntilMs = 0;

  constructor(parts: NodeDrainParts) {
    this.#parts = parts;
  }

  /** Until when the process, if it is to end, does so without sending clients away at a rate; 0 if it does not. */
  get skipUntilMs(): number {
    return this.#skipUntilMs > this.#parts.nowMs() ? this.#skipUntilMs : 0;
  }

  /** Clients are sent away all at once, and nothing is waited for, when the process is to end before that; 0 takes it back. */
  set skipUntilMs(untilMs: number) {
    this.#skipUntilMs = untilMs;
  }

  /** How long it is from now until the first client goes. */
  get waitMs(): number {
    const drain = this.#drain;
    if (drain?.state !== 'waiting') return 0;
    return Math.max(0, drain.nextAtMs - this.#parts.nowMs());
  }

  /** The present one, or the latest. */
  get view(): DrainView | undefined {
    return this.#drain?.view;
  }

  /** The present one, and those that ended not long ago, the latest first. */
  get views(): readonly DrainView[] {
    const present = this.#drain === undefined ? [] : [this.#drain];
    return [...present, ...this.#past].map(({ view }) => view);
  }

  /** Whether one is under way, or keeps clients away. */
  get isActive(): boolean {
    return this.#drain !== undefined && !ENDED.has(this.#drain.state);
  }

  /** Begins to send clients away. The end of the process goes before all others, and asks for no other node. */
  start(request: DrainRequest): DrainStart {
    const isEnd = request.kind === 'shutdown';
    if (this.isActive && !isEnd) return 'busy';
    if (request.kind === 'drain' && request.evenIfLast !== true && this.#isLast()) return 'last';
    const drain = this.#begun(request);
    if (this.#drain !== undefined) {
      this.#replace(this.#drain);
      this.#past = [this.#drain, ...this.#past].slice(0, PAST_MAX);
    }
    this.#drain = drain;
    this.#mark(request);
    const { connectionsPerSecond } = drain;
    this.#parts.log.info('drain-started', { kind: request.kind, connectionsPerSecond });
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#step(drain), STEP_MS).unref();
    this.#step(drain);
    if (isEnd && this.skipUntilMs > 0) this.hurry();
    return 'begun';
  }

  /** How long it takes to send everybody away who is here, where no deadline is set. */
  get secondsMax(): number {
    const { connections } = this.#parts.node.admin.status();
    return connections / this.#rateFor({ kind: 'shutdown' }) + HANDSHAKES_SECONDS;
  }

  /** Resolves when nobody is left who is to go. */
  idle(): Promise<void> {
    const isOver = this.#drain === undefined || this.#isOver(this.#drain);
    return isOver ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** All who are to go do so at once. */
  hurry(): void {
    const drain = this.#drain;
    if (drain === undefined) return;
    drain.nextAtMs = 0;
    this.#step(drain);
    drain.shedding?.hurry();
    this.#step(drain);
  }

  /** Ends it: whoever is here stays, and clients may come again. Returns whether there was one. */
  stop(): boolean {
    const drain = this.#drain;
    if (drain === undefined || !this.isActive || drain.request.kind === 'shutdown') return false;
    this.#end(drain, drain.state === 'drained' ? 'completed' : 'stopped');
    return true;
  }

  #rateFor({ connectionsPerSecond, keep = 0 }: DrainRequest): number {
    const { settings, node } = this.#parts;
    const set = connectionsPerSecond ?? settings.connectionsPerSecond;
    if (set > 0) return set;
    const { connections } = node.admin.status();
    return Math.max(RATE_LEAST, Math.ceil((connections - keep) / settings.durationSeconds));
  }

  #begun(request: DrainRequest): Drain {
    const { settings } = this.#parts;
    const startedAtMs = this.#parts.nowMs();
    const { kind, deadlineSeconds = settings.deadlineSeconds } = request;
    // A deadline is that of a node which is to be emptied: who balances has time.
    const isBound = deadlineSeconds > 0 && (kind === 'drain' || kind === 'shutdown');
    const spanMs = isBound ? deadlineSeconds * 1_000 : Infinity;
    const waitMs = this.#waitMsOf(request, startedAtMs);
    return new Drain(request, {
      connectionsPerSecond: this.#rateFor(request),
      startedAtMs,
      untilMs: startedAtMs + spanMs,
      // Whoever has to be quick does not spend most of the time waiting.
      nextAtMs: startedAtMs + Math.min(waitMs, spanMs / 2),
    });
  }

  /** Balancers know a node that has been kept from new clients: its end need not tell them again. */
  #waitMsOf({ kind, waitSeconds = 0 }: DrainRequest, nowMs: number): number {
    if (kind !== 'shutdown') return waitSeconds * 1_000;
    const isDraining = this.isActive && this.#drain?.request.kind === 'drain';
    const sinceMs = Math.min(
      isDraining ? (this.#drain?.startedAtMs ?? nowMs) : nowMs,
      this.#parts.readiness.maintenanceSinceMs ?? nowMs,
    );
    return Math.max(0, waitSeconds * 1_000 - (nowMs - sinceMs));
  }

  /** Whether clients that are sent away could go nowhere. */
  #isLast(): boolean {
    const { bus, nodeId } = this.#parts;
    return !bus.nodes().some((node) => node.nodeId !== nodeId && node.state === 'alive');
  }

  /** The end of the process goes on where another drain was. */
  #replace(drain: Drain): void {
    if (ENDED.has(drain.state)) return;
    drain.state = drain.state === 'drained' ? 'completed' : 'stopped';
    drain.detail = drain.state === 'stopped' ? 'the node ends' : undefined;
    drain.endedAtMs = this.#parts.nowMs();
    drain.shedding?.release();
  }

  #referenceOf({ serverReference }: DrainRequest): string | undefined {
    const { settings, serverReference: own } = this.#parts;
    return serverReference ?? settings.serverReference ?? own;
  }

  #step(drain: Drain): void {
    const { nowMs, meter } = this.#parts;
    if (drain !== this.#drain) return;
    const now = nowMs();
    if (this.#aborts(drain)) return;
    if (drain.state === 'waiting' && now >= drain.nextAtMs) this.#beginToShed(drain);
    if (drain.state === 'shedding') {
      drain.shedding?.step(now);
      meter.draining(drain.shedding?.progress.remaining ?? 0);
      if (drain.shedding?.isDone === true) this.#shed(drain);
    }
    if (drain.state === 'settling' && now >= drain.nextAtMs) this.#end(drain, 'completed');
  }

  #beginToShed(drain: Drain): void {
    const { settings, node, nowMs } = this.#parts;
    const { request, connectionsPerSecond, untilMs } = drain;
    drain.state = 'shedding';
    drain.shedding = node.shed({
      connectionsPerSecond,
      keep: request.keep ?? 0,
      listener: request.listener,
      serverReference: this.#referenceOf(request),
      untilMs,
      willHoldSeconds: settings.willHoldSeconds,
      reason: REASONS[request.kind],
    });
    drain.shedding.step(nowMs());
  }

  #shed(drain: Drain): void {
    const { nowMs, log } = this.#parts;
    const { kind, settleSeconds = 0 } = drain.request;
    log.info('drain-shed', { kind, gone: drain.shedding?.progress.gone ?? 0 });
    const staysAway = kind === 'drain' || kind === 'shutdown';
    drain.state = staysAway ? 'drained' : 'settling';
    drain.nextAtMs = nowMs() + settleSeconds * 1_000;
    if (staysAway) clearInterval(this.#timer);
    for (const tell of this.#waiting.splice(0)) tell();
  }

  /** A rebalance that has lost a node would make the others carry more than it was meant to. */
  #aborts(drain: Drain): boolean {
    const { needs = [] } = drain.request;
    if (this.#isOver(drain) || needs.length === 0) return false;
    const present = new Set(this.#parts.bus.nodes().map(({ nodeId }) => nodeId));
    const missing = needs.filter((node) => !present.has(node));
    if (missing.length === 0) return false;
    drain.detail = `gone: ${missing.join(', ')}`;
    this.#end(drain, 'aborted');
    return true;
  }

  #isOver({ state }: Drain): boolean {
    return state === 'drained' || state === 'settling' || ENDED.has(state);
  }

  #end(drain: Drain, state: 'completed' | 'stopped' | 'aborted'): void {
    drain.state = state;
    drain.endedAtMs = this.#parts.nowMs();
    clearInterval(this.#timer);
    drain.shedding?.release();
    this.#mark(undefined);
    this.#parts.log.info('drain-ended', { kind: drain.request.kind, state, detail: drain.detail });
    for (const tell of this.#waiting.splice(0)) tell();
  }

  /** Tells everybody whether clients are to come here. */
  #mark(request: DrainRequest | undefined): void {
    const { node, readiness, meter, bus, log } = this.#parts;
    const kind = request?.kind;
    const turnsAway = kind === 'drain' || kind === 'shutdown';
    node.turnAway(turnsAway, request && this.#referenceOf(request));
    readiness.drain = kind === 'listener' ? undefined : kind;
    meter.draining(kind === undefined || kind === 'listener' ? undefined : 0);
    // The API shows it; nothing depends on it, so a Redis that is away holds up nothing.
    bus.setState(turnsAway ? 'draining' : 'alive').catch((error: unknown) => {
      log.warn('drain-untold', { reason: String(error) });
    });
  }
}
