import type { DisconnectReason } from '#libs/broker-ports';
import { REASON, type ReasonCode } from '#libs/mqtt-codec';

/** How long a client that is sent away may take to end its QoS 1 and 2 handshakes. */
const HANDSHAKES_MS = 2_000;
/** So much of a second's clients may go at once, which makes a few of them go in no time. */
const BURST_SECONDS = 0.1;
/** Clients are looked for this long at most in a turn, and closed this many at most. */
const PER_STEP_MAX = 1_000;
/** Handshakes have to fit in before a deadline. */
const MARGIN_MS = HANDSHAKES_MS + 500;

/** Which clients to send away, and how. */
export interface ShedPlan {
  readonly connectionsPerSecond: number;
  /** How many connected clients may stay. */
  readonly keep: number;
  /** Only those of this listener. */
  readonly listener?: string | undefined;
  /** Where MQTT 5 clients are sent; without it they are told 0x8B. */
  readonly serverReference: string | undefined;
  /** When all have to have gone, in milliseconds since 1970; the rate grows to meet it. Infinity for no such time. */
  readonly untilMs: number;
  /** How long the wills of those that go are held back. */
  readonly willHoldSeconds: number;
  readonly reason: DisconnectReason;
}

/** How far it is. */
export interface ShedProgress {
  /** Those that were to go at the start. */
  readonly total: number;
  readonly gone: number;
  /** Of those that are to go, who is still connected. */
  readonly remaining: number;
}

/** A connection, as far as its client can be sent away. */
export interface ShedConnection {
  readonly isConnected: boolean;
  /** Whether nothing is under way with the client. */
  readonly isQuiet: boolean;
  readonly transport: { readonly listener: string };
  /** Begins nothing more with the client. */
  retire(): void;
  /** Goes on with it. */
  stay(): void;
  /** Ends the connection. */
  sendAway(
    reasonCode: ReasonCode,
    by: Pick<ShedPlan, 'serverReference' | 'willHoldSeconds' | 'reason'>,
  ): void;
}

interface Retiring {
  readonly connection: ShedConnection;
  readonly untilMs: number;
}

/**
 * Sends connected clients away at a rate: idle ones first, and each when its handshakes have come to an end.
 *
 * @remarks Only clients that were connected when it began are sent away, so that nobody who comes back here goes twice.
 */
export class Shedding {
  readonly #plan: ShedPlan;
  readonly #total: number;
  readonly #startedAtMs: number;
  readonly #retiring = new Set<Retiring>();
  /** Those to be looked at: who is busy comes after all others. */
  #idle: ShedConnection[];
  #busy: ShedConnection[] = [];
  #begun = 0;
  #gone = 0;
  #isHurried = false;

  /** @param connections - those of the node. */
  constructor(plan: ShedPlan, connections: Iterable<ShedConnection>, nowMs: number) {
    this.#plan = plan;
    this.#startedAtMs = nowMs;
    const { listener } = plan;
    this.#idle = [...connections].filter(
      ({ isConnected, transport }) =>
        isConnected && (listener === undefined || transport.listener === listener),
    );
    this.#total = Math.max(0, this.#idle.length - plan.keep);
  }

  get progress(): ShedProgress {
    return { total: this.#total, gone: this.#gone, remaining: this.#total - this.#gone };
  }

  /** Whether all have gone that were to go. */
  get isDone(): boolean {
    return this.#retiring.size === 0 && this.#begun >= this.#total;
  }

  /** All go at once, whatever the rate. */
  hurry(): void {
    this.#isHurried = true;
  }

  /** Nobody goes any more; who was about to stays. */
  release(): void {
    this.#begun = this.#total;
    for (const { connection } of this.#retiring) connection.stay();
    this.#retiring.clear();
  }

  /** Sends away who is due; to be called a few times a second. */
  step(nowMs: number): void {
    this.#closeRetiring(nowMs);
    let left = Math.min(this.#due(nowMs) - this.#begun, PER_STEP_MAX);
    for (; left > 0; left -= 1) {
      const connection = this.#next();
      if (connection === undefined) return this.#finish();
      this.#begun += 1;
      this.#retire(connection, nowMs);
    }
  }

  /** How many may have begun to go by now. */
  #due(nowMs: number): number {
    if (this.#isHurried) return this.#total;
    const { connectionsPerSecond: rate, untilMs } = this.#plan;
    const elapsedMs = nowMs - this.#startedAtMs;
    const byRate = Math.floor((elapsedMs / 1_000 + BURST_SECONDS) * rate) + 1;
    if (untilMs === Infinity) return Math.min(byRate, this.#total);
    const windowMs = untilMs - MARGIN_MS - this.#startedAtMs;
    const byDeadline = windowMs <= 0 ? this.#total : (this.#total * elapsedMs) / windowMs;
    return Math.min(Math.max(byRate, Math.ceil(byDeadline)), this.#total);
  }

  /** Who left by itself counts as gone: fewer have to go. */
  #next(): ShedConnection | undefined {
    for (let next = this.#idle.pop(); next !== undefined; next = this.#idle.pop()) {
      if (!next.isConnected) {
        this.#left();
        if (this.#begun >= this.#total) return undefined;
      } else if (next.isQuiet) return next;
      else this.#busy.push(next);
    }
    for (let next = this.#busy.pop(); next !== undefined; next = this.#busy.pop()) {
      if (next.isConnected) return next;
      this.#left();
      if (this.#begun >= this.#total) return undefined;
    }
    return undefined;
  }

  #left(): void {
    if (this.#begun >= this.#total) return;
    this.#begun += 1;
    this.#gone += 1;
  }

  #finish(): void {
    this.#begun = this.#total;
  }

  #retire(connection: ShedConnection, nowMs: number): void {
    connection.retire();
    if (this.#isHurried || connection.isQuiet) return this.#close(connection);
    this.#retiring.add({ connection, untilMs: nowMs + HANDSHAKES_MS });
  }

  #closeRetiring(nowMs: number): void {
    for (const each of this.#retiring) {
      const { connection, untilMs } = each;
      // Stops to read as soon as no acknowledgement is awaited.
      if (connection.isConnected) connection.retire();
      const isDue = this.#isHurried || nowMs >= untilMs || connection.isQuiet;
      if (connection.isConnected && !isDue) continue;
      this.#retiring.delete(each);
      this.#close(connection);
    }
  }

  #close(connection: ShedConnection): void {
    this.#gone += 1;
    const { serverReference, willHoldSeconds, reason } = this.#plan;
    const isElsewhere = serverReference !== undefined;
    const code = isElsewhere ? REASON.useAnotherServer : REASON.serverShuttingDown;
    connection.sendAway(code, { serverReference, willHoldSeconds, reason });
  }
}
