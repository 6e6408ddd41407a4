import {
  parsePasswordHash,
  parseScramCredential,
  type ChangingDirectory,
  type KnownUser,
  type StoredUser,
} from '#libs/access';
import type { DefinitionStore, StoredDefinition } from '#libs/broker-ports';
import { BoundedCache } from './bounded-cache.ts';

/** A user who was read, and how much of the cache that takes. */
interface Cached {
  readonly user: KnownUser;
  readonly bytes: number;
}

/** A read that has not come back; what has changed meanwhile must not be kept. */
interface Reading {
  readonly user: Promise<KnownUser | undefined>;
  isOutdated: boolean;
}

/** What a cached user takes besides the texts of it. */
const OVERHEAD_BYTES = 1_024;

/**
 * The users of a store, read when they log in and kept for a while: a node holds those it needs, and no more than fit.
 *
 * @remarks Who has changed is read again, within the time that the store takes to tell. While the store is away those that
 * are kept may still log in.
 */
export class StoredUsers implements ChangingDirectory {
  readonly #store: Pick<DefinitionStore<StoredUser>, 'get' | 'follow'>;
  readonly #cache: BoundedCache<Cached>;
  readonly #readings = new Map<string, Reading>();
  readonly #followers: ((users: readonly string[] | undefined) => void)[] = [];

  /** @param cacheBytes - what the users that are kept may take, about. */
  constructor(store: Pick<DefinitionStore<StoredUser>, 'get' | 'follow'>, cacheBytes: number) {
    this.#store = store;
    this.#cache = new BoundedCache(cacheBytes, ({ bytes }) => bytes);
    store.follow((users) => this.#changed(users));
  }

  find(user: string): Promise<KnownUser | undefined> {
    const cached = this.#cache.get(user);
    if (cached !== undefined) return Promise.resolve(cached.user);
    const reading = this.#readings.get(user) ?? this.#read(user);
    return reading.user;
  }

  follow(changed: (users: readonly string[] | undefined) => void): void {
    this.#followers.push(changed);
  }

  #read(id: string): Reading {
    const reading: Reading = {
      isOutdated: false,
      user: this.#store.get(id).then(
        (stored) => {
          if (this.#readings.get(id) === reading) this.#readings.delete(id);
          const user = stored && knownUserOf(stored);
          if (stored !== undefined && user !== undefined && !reading.isOutdated) {
            this.#cache.set(id, { user, bytes: bytesOf(stored) });
          }
          return user;
        },
        (error: unknown) => {
          if (this.#readings.get(id) === reading) this.#readings.delete(id);
          throw error;
        },
      ),
    };
    this.#readings.set(id, reading);
    return reading;
  }

  #changed(users: readonly string[] | undefined): void {
    if (users === undefined) this.#cache.clear();
    for (const user of users ?? this.#readings.keys()) {
      this.#cache.delete(user);
      const reading = this.#readings.get(user);
      if (reading !== undefined) reading.isOutdated = true;
      // Who asks from now on is not told what was read before.
      this.#readings.delete(user);
    }
    for (const changed of this.#followers) changed(users);
  }
}

function knownUserOf({ item }: StoredDefinition<StoredUser>): KnownUser {
  const { id: user, groups, rules, passwordSetAtMs } = item;
  const identity = { user, groups, rules, passwordSetAtMs };
  const hash = item.credentials.map(parsePasswordHash).find((each) => each !== undefined);
  const credentials = item.credentials
    .map(parseScramCredential)
    .filter((each) => each !== undefined);
  return { hash, credentials, identity };
}

/** About: what is made of a text takes some times as much. */
function bytesOf({ item }: StoredDefinition<StoredUser>): number {
  return OVERHEAD_BYTES + 4 * JSON.stringify(item).length;
}
