import type { Meter } from '#libs/broker-ports';
import { Pace, type RateParts } from './throttle.ts';

/** What the clients of one user may have at this node. 0 sets no bound. Each is a key of `quotas` of the configuration. */
export interface UserQuotas {
  readonly connectionsMax: number;
  /** Sessions, connected or not, of those whose client has been at this node since its start. */
  readonly sessionsMax: number;
  /** Of all sessions of the user, connected or not. */
  readonly subscriptionsMax: number;
  /** Retained messages that the user's clients have set here since the start. */
  readonly retainedMessagesMax: number;
  /** Of messages queued for all sessions of the user. */
  readonly queueBytesMax: number;
}

/** What a session has that counts for its user. */
interface Holding {
  readonly account: UserAccount | undefined;
  readonly subscriptions: { readonly size: number };
  readonly heldBytes: number;
}

/**
 * What the clients of one user have at this node.
 *
 * @remarks Connections are counted as they come and go. Subscriptions and queued bytes are counted anew by each sweep, so that no
 * count can go astray; subscriptions made since are added at once.
 */
export class UserAccount {
  /** Of all connections of the user together; undefined when nothing bounds it. */
  pace: Pace | undefined;
  readonly #quotas: UserQuotas;
  readonly #meter: Meter;
  #connections = 0;
  #sessions = 0;
  #subscriptions = 0;
  #queueBytes = 0;
  /** What the sweep under way has found. */
  #found = { sessions: 0, subscriptions: 0, queueBytes: 0 };
  /** Topics of the retained messages that its clients have set. */
  #retained: Set<string> | undefined;

  constructor(quotas: UserQuotas, own: { readonly pace: Pace | undefined; readonly meter: Meter }) {
    this.#quotas = quotas;
    this.pace = own.pace;
    this.#meter = own.meter;
  }

  /** Whether nothing has to be remembered of the user. */
  get isIdle(): boolean {
    const retained = this.#retained?.size ?? 0;
    return this.#connections === 0 && this.#found.sessions === 0 && retained === 0;
  }

  /** Whether as much is queued for its sessions as may be. */
  get isQueueFull(): boolean {
    const { queueBytesMax } = this.#quotas;
    return queueBytesMax !== 0 && this.#queueBytes >= queueBytesMax;
  }

  /**
   * Counts one more connection, and its session, if there may be one.
   *
   * @param former - what the client has here by now: a session of the user, perhaps with a connection whose place it takes.
   */
  connect(former: { readonly connection: unknown } | undefined): boolean {
    const { connectionsMax, sessionsMax } = this.#quotas;
    const replaces = former?.connection !== undefined;
    if (connectionsMax !== 0 && this.#connections >= connectionsMax && !replaces) {
      this.#meter.quotaExceeded('connections');
      return false;
    }
    if (former === undefined) {
      if (sessionsMax !== 0 && this.#sessions >= sessionsMax) {
        this.#meter.quotaExceeded('sessions');
        return false;
      }
      this.#sessions += 1;
      this.#found.sessions += 1;
    }
    this.#connections += 1;
    return true;
  }

  /** Counts a connection that was there before anything of the user was bounded, and its session. */
  adopt(): void {
    this.#connections += 1;
    this.#sessions += 1;
    this.#found.sessions += 1;
  }

  /** One of its sessions is over: there is room for another one, before the sweep sees it. */
  sessionEnded(): void {
    this.#sessions -= 1;
  }

  disconnect(): void {
    this.#connections -= 1;
  }

  /** Counts one more subscription, if there may be one. */
  subscribe(): boolean {
    const { subscriptionsMax } = this.#quotas;
    if (subscriptionsMax !== 0 && this.#subscriptions >= subscriptionsMax) {
      this.#meter.quotaExceeded('subscriptions');
      return false;
    }
    this.#subscriptions += 1;
    this.#found.subscriptions += 1;
    return true;
  }

  /** Counts a message that is to be retained, or to remove one, if it may be. */
  retain(topic: string, isRemoval: boolean): boolean {
    const { retainedMessagesMax } = this.#quotas;
    if (retainedMessagesMax === 0) return true;
    this.#retained ??= new Set();
    if (isRemoval) this.#retained.delete(topic);
    else if (!this.#retained.has(topic) && this.#retained.size >= retainedMessagesMax) {
      this.#meter.quotaExceeded('retained');
      return false;
    } else this.#retained.add(topic);
    return true;
  }

  /** Whether a message for a session that does not take what it gets is dropped. */
  dropsQueued(): boolean {
    if (!this.isQueueFull) return false;
    this.#meter.quotaExceeded('queue');
    return true;
  }

  /** A sweep begins. @internal */
  begin(): void {
    this.#found = { sessions: 0, subscriptions: 0, queueBytes: 0 };
  }

  /** A sweep has come to one of its sessions. @internal */
  found(subscriptions: number, queueBytes: number): void {
    this.#found.sessions += 1;
    this.#found.subscriptions += subscriptions;
    this.#found.queueBytes += queueBytes;
  }

  /** The sweep has seen every session. @internal */
  settle(): void {
    this.#sessions = this.#found.sessions;
    this.#subscriptions = this.#found.subscriptions;
    this.#queueBytes = this.#found.queueBytes;
  }
}

/** The users with clients at this node, where something of theirs is bounded. */
export class UserAccounts {
  readonly #parts: {
    readonly quotas?: UserQuotas | undefined;
    readonly rates?: RateParts | undefined;
    readonly meter: Meter;
    readonly nowMs: () => number;
  };
  readonly #accounts = new Map<string, UserAccount>();

  constructor(parts: {
    readonly quotas?: UserQuotas | undefined;
    readonly rates?: RateParts | undefined;
    readonly meter: Meter;
    readonly nowMs: () => number;
  }) {
    this.#parts = parts;
  }

  /** The account of a user; undefined where nothing is bounded, and for clients without a user. */
  of(user: string | undefined): UserAccount | undefined {
    if (user === undefined) return undefined;
    const known = this.#accounts.get(user);
    if (known !== undefined) return known;
    const { quotas = UNBOUNDED, rates, meter, nowMs } = this.#parts;
    const pace = rates && Pace.of(rates.user, rates.burstSeconds, nowMs());
    if (pace === undefined && Object.values(quotas).every((max) => max === 0)) return undefined;
    const account = new UserAccount(quotas, { pace, meter });
    this.#accounts.set(user, account);
    return account;
  }

  /** The rates have changed: every account gets them. */
  renew(): void {
    const { rates, nowMs } = this.#parts;
    for (const account of this.#accounts.values()) {
      account.pace = rates && Pace.of(rates.user, rates.burstSeconds, nowMs());
    }
  }

  /** A sweep begins. */
  begin(): void {
    for (const account of this.#accounts.values()) account.begin();
  }

  /** The sweep has come to a session. */
  count({ account, subscriptions, heldBytes }: Holding): void {
    account?.found(subscriptions.size, heldBytes);
  }

  /** The sweep has come to its end. */
  settle(): void {
    for (const [user, account] of this.#accounts) {
      account.settle();
      if (account.isIdle) this.#accounts.delete(user);
    }
  }
}

const UNBOUNDED: UserQuotas = {
  connectionsMax: 0,
  sessionsMax: 0,
  subscriptionsMax: 0,
  retainedMessagesMax: 0,
  queueBytesMax: 0,
};
