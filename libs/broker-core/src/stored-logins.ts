import type { ChangingDirectory, KnownUser } from '#libs/access';
import type { Log } from '#libs/broker-ports';
import { REASON } from '#libs/mqtt-codec';
import type { AccessGuard } from './access-guard.ts';
import type { Connection } from './connection.ts';

/** Users that are read at a time, when all of them may have changed. */
const READS_MAX = 32;

/**
 * Keeps the connections of stored users to what is stored of them: those of a user who is gone, or has another password, end;
 * other groups and rules are in force at once.
 *
 * @remarks Whoever has just come is looked at once more: the user may have changed while the login took its time. That costs
 * nothing, since the user was read for the login.
 */
export class StoredLogins {
  readonly #users: ChangingDirectory;
  readonly #guard: Pick<AccessGuard, 'renewed' | 'disowned'>;
  readonly #log: Log;
  readonly #connections = new Map<string, Set<Connection>>();
  /** Users who are to be read. */
  readonly #pending = new Set<string>();
  #reading = 0;
  #isAway = false;

  constructor(
    users: ChangingDirectory,
    guard: Pick<AccessGuard, 'renewed' | 'disowned'>,
    log: Log,
  ) {
    this.#users = users;
    this.#guard = guard;
    this.#log = log;
  }

  /** Begins to follow the users. */
  start(): void {
    this.#users.follow((changed) => {
      for (const user of changed ?? this.#connections.keys()) {
        if (this.#connections.has(user)) this.#pending.add(user);
      }
      this.#read();
    });
  }

  /** A client has joined, or has proven again who it is. */
  joined(connection: Connection): void {
    const user = connection.client?.username;
    if (user === undefined) return;
    this.left(connection);
    if (connection.passwordSetAtMs === undefined) return;
    const connections = this.#connections.get(user);
    if (connections === undefined) this.#connections.set(user, new Set([connection]));
    else connections.add(connection);
    this.#pending.add(user);
    this.#read();
  }

  /** A connection has ended. */
  left(connection: Connection): void {
    const user = connection.client?.username ?? '';
    const connections = this.#connections.get(user);
    if (connections?.delete(connection) === true && connections.size === 0) {
      this.#connections.delete(user);
    }
  }

  /** Reads what could not be read before. Called about once a second. */
  sweep(): void {
    this.#isAway = false;
    this.#read();
  }

  #read(): void {
    for (const user of this.#pending) {
      if (this.#isAway || this.#reading >= READS_MAX) return;
      this.#pending.delete(user);
      this.#reading += 1;
      this.#users.find(user).then(
        (known) => {
          this.#reading -= 1;
          this.#apply(user, known);
          this.#read();
        },
        () => {
          // The store is away, and says so itself: the next sweep tries again.
          this.#reading -= 1;
          this.#pending.add(user);
          this.#isAway = true;
        },
      );
    }
  }

  #apply(user: string, known: KnownUser | undefined): void {
    const { passwordSetAtMs, groups = [], rules = [] } = known?.identity ?? {};
    for (const connection of this.#connections.get(user) ?? []) {
      const { entry } = connection;
      // Its will is published when it goes, as far as that is still allowed.
      if (entry !== undefined && known === undefined) this.#guard.disowned(entry);
      if (passwordSetAtMs === undefined || connection.passwordSetAtMs !== passwordSetAtMs) {
        this.#log.info('login-revoked', { user, clientId: entry?.clientId });
        const detail = 'the user was removed, or has another password';
        connection.close(REASON.notAuthorized, detail, 'login_revoked');
        continue;
      }
      if (entry !== undefined) this.#guard.renewed(entry, { groups, rules });
    }
  }
}
