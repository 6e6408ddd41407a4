import type { Message, Meter, OverloadLevel } from '#libs/broker-ports';
import { Throttle, type RateParts } from './throttle.ts';
import { UserAccounts, type UserAccount, type UserQuotas } from './user-accounts.ts';

/** What bounds clients besides the limits. */
export interface BoundParts {
  /** How fast clients and users may send; without it as fast as they can. */
  readonly rates?: RateParts | undefined;
  /** What a user may have; without it whatever a client may. */
  readonly quotas?: UserQuotas | undefined;
  /** Whether the node has too much to do; without it that is never so. */
  readonly overload?: { readonly level: OverloadLevel } | undefined;
}

/** What is bounded of a connection. */
interface Bounded {
  throttle: Throttle | undefined;
  account: UserAccount | undefined;
}

/** A connection that may be there already when bounds change. */
interface Renewed extends Bounded {
  /** Undefined as long as it is not known who it is. */
  readonly client: { readonly username?: string | undefined } | undefined;
  readonly entry: { account: UserAccount | undefined } | undefined;
}

/** The rates, the quotas of users, and what is left while the node has too much to do. */
export class Bounds {
  /** The users with something bounded. */
  readonly accounts: UserAccounts;
  readonly #parts: BoundParts & { readonly nowMs: () => number };

  constructor(parts: BoundParts & { readonly meter: Meter; readonly nowMs: () => number }) {
    this.#parts = parts;
    this.accounts = new UserAccounts(parts);
  }

  /** Whether nobody may connect. */
  get refusesClients(): boolean {
    return (this.#parts.overload?.level ?? 0) > 0;
  }

  /** Whether a message is dropped that nobody is promised. */
  sheds({ qos, retain }: { readonly qos: number; readonly retain: boolean }): boolean {
    return qos === 0 && !retain && (this.#parts.overload?.level ?? 0) > 1;
  }

  /** Whether nobody who publishes is read from. */
  get pausesPublishers(): boolean {
    return this.#parts.overload?.level === 3;
  }

  /**
   * Counts a connection for its user, and bounds its rate.
   *
   * @param former - what the client has here by now, and will have no more.
   * @returns false when the user has as many connections, or sessions, as it may, and this one replaces none of them.
   */
  connect(
    connection: Bounded,
    user: string | undefined,
    former: { readonly connection: unknown; readonly account: UserAccount | undefined } | undefined,
  ): boolean {
    const account = this.accounts.of(user);
    const { rates, nowMs } = this.#parts;
    connection.throttle = rates && Throttle.of(rates, account?.pace, nowMs());
    if (account === undefined) return true;
    if (!account.connect(former?.account === account ? former : undefined)) return false;
    connection.account = account;
    return true;
  }

  /** Rates or quotas have other values: those who are connected get them as well. Sessions without a connection follow with it. */
  renew(connections: Iterable<Renewed>): void {
    const { rates, nowMs } = this.#parts;
    this.accounts.renew();
    for (const connection of connections) {
      if (connection.client === undefined) continue;
      const account = this.accounts.of(connection.client.username);
      if (connection.account === undefined && account !== undefined) {
        account.adopt();
        connection.account = account;
        if (connection.entry !== undefined) connection.entry.account = account;
      }
      connection.throttle = rates && Throttle.of(rates, account?.pace, nowMs());
    }
  }

  /** Counts a message of a user, if it is to be retained; false when the user has as many of these as it may. */
  mayRetain(
    user: string | undefined,
    { retain, topic, payload }: Pick<Message, 'retain' | 'topic' | 'payload'>,
  ): boolean {
    if (!retain) return true;
    return this.accounts.of(user)?.retain(topic, payload.length === 0) !== false;
  }
}
