import { AddressRange, networkOf, type BanKind } from '#libs/access';
import type { DisconnectReason, HubClient, Log, Meter } from '#libs/broker-ports';
import type { NewBan } from '../bans.ts';

/** When coming and going is too much. Each is a key of `flapping` of the configuration. */
export interface FlappingSettings {
  /** Most connections of a client id that end within a window. 0 sets no bound. */
  readonly connectionsMax: number;
  /** Most of those of a user from one address. 0 sets no bound. */
  readonly connectionsPerAddressMax: number;
  readonly windowSeconds: number;
  /** How long a ban lasts. */
  readonly banSeconds: number;
}

/** What flapping is told to. */
export interface FlappingHost {
  readonly meter: Meter;
  readonly log: Log;
  readonly nowMs: () => number;
  /** Makes a ban; rejects when the other nodes cannot be told. */
  readonly ban: (wanted: NewBan) => Promise<unknown>;
}

/** A connection that has ended. */
export interface EndedConnection {
  readonly client: HubClient;
  readonly reason: DisconnectReason;
  readonly lastedMs: number;
}

/** Ends that are not the client's doing: it comes again since it was sent away. */
const BY_NODE: ReadonlySet<DisconnectReason> = new Set([
  'banned',
  'kicked',
  'shutdown',
  'drain',
  'rebalance',
  'storage_unavailable',
  'lease_lost',
  'credential_expired',
  'login_revoked',
]);

/** Who comes and goes within a window and is counted; others are not, until the next one. Some 10 MiB. */
const COUNTED_MAX = 100_000;

/**
 * Finds clients that come and go all the time, and has them banned for a while.
 *
 * @remarks Only connections that had their CONNACK count, so that nobody has a client id banned that it may not use; and only
 * those that lasted less than a window, so that a network that fails once bans nobody. A window begins with the first
 * count after the last one.
 */
export class Flapping {
  #settings: FlappingSettings;
  readonly #host: FlappingHost;
  readonly #counts = new Map<string, number>();
  #windowEndsMs = -Infinity;

  constructor(settings: FlappingSettings, host: FlappingHost) {
    this.#settings = settings;
    this.#host = host;
  }

  /** Other bounds from now on: what was counted by those before is forgotten. */
  configure(settings: FlappingSettings): void {
    this.#settings = settings;
    this.#counts.clear();
    this.#windowEndsMs = -Infinity;
  }

  /** Counts a connection that had its CONNACK and has ended. */
  ended({ client, reason, lastedMs }: EndedConnection): void {
    const { connectionsMax, connectionsPerAddressMax, windowSeconds } = this.#settings;
    if (lastedMs >= windowSeconds * 1000 || BY_NODE.has(reason)) return;
    const { clientId, username = '', remoteAddress } = client;
    if (connectionsMax > 0 && this.#isOver(`c${clientId}`, connectionsMax)) {
      this.#ban('client_id', clientId, connectionsMax);
    }
    if (connectionsPerAddressMax === 0) return;
    if (this.#isOver(`a${networkOf(remoteAddress)} ${username}`, connectionsPerAddressMax)) {
      this.#ban('address', bannedOf(remoteAddress), connectionsPerAddressMax);
    }
  }

  /** Counts one more; true once in a window, with the first one that is too many. */
  #isOver(who: string, max: number): boolean {
    const nowMs = this.#host.nowMs();
    if (nowMs >= this.#windowEndsMs) {
      this.#counts.clear();
      this.#windowEndsMs = nowMs + this.#settings.windowSeconds * 1000;
    }
    const count = this.#counts.get(who);
    if (count === undefined && this.#counts.size >= COUNTED_MAX) return false;
    this.#counts.set(who, (count ?? 0) + 1);
    return count === max;
  }

  #ban(kind: Extract<BanKind, 'client_id' | 'address'>, value: string, max: number): void {
    const { meter, log, nowMs, ban } = this.#host;
    const { windowSeconds, banSeconds } = this.#settings;
    meter.flapped(kind);
    const reason = `more than ${String(max)} connections ended within ${String(windowSeconds)} s`;
    const untilMs = nowMs() + banSeconds * 1000;
    ban({ kind, value, reason, by: 'flapping', untilMs }).catch((error: unknown) => {
      log.warn('ban-not-shared', { kind, value, reason: String(error) });
    });
  }
}

/** What a ban on an address names: of an IPv6 address its /64, which one host can have all of. */
function bannedOf(address: string): string {
  const [host = ''] = address.split('%', 1);
  return AddressRange.parse(`${host}/64`)?.text ?? host;
}
