import type { ApiState, DefinitionStore, StoredDefinition } from '#libs/broker-ports';
import { hashOf, isSecretOf, keyIdOf, newSecret, prefixOf } from './key-secret.ts';
import type { StoredApiKey, StoredKeyUse, StoredSecret } from './stored.ts';

/** How many keys there may be. */
export const API_KEYS_MAX = 10_000;

/** How exactly it is known when a key was used. */
const USE_STEP_MS = 60_000;

/** Compared with when there is no such key, so that it takes as long. */
const NOBODY = hashOf('nobody');

/** Whose secret it is. */
export type KeyVerdict =
  | { readonly kind: 'known'; readonly key: StoredApiKey }
  | { readonly kind: 'expired' }
  | { readonly kind: 'unknown' };

/** A stored key and the secret that was made for it. */
export interface IssuedKey {
  readonly stored: StoredDefinition<StoredApiKey>;
  readonly secret: string;
}

/**
 * The API keys of the cluster.
 *
 * @remarks A key is read whenever it is shown, so that what was revoked at any replica is refused from then on at all.
 */
export class ApiKeys {
  readonly store: DefinitionStore<StoredApiKey>;
  readonly #uses: DefinitionStore<StoredKeyUse>;
  readonly #now: () => number;
  /** When a use was last written here, by id. */
  readonly #noted = new Map<string, number>();
  #exist = false;

  /** @param now - milliseconds since 1970. */
  constructor(state: ApiState, now: () => number) {
    this.store = state.definitions<StoredApiKey>('api-keys');
    this.#uses = state.definitions<StoredKeyUse>('api-key-uses');
    this.#now = now;
  }

  /** Whether there is any key, or was one since this process began. */
  async exist(): Promise<boolean> {
    this.#exist ||= (await this.store.page({ limit: 1 })).length > 0;
    return this.#exist;
  }

  /** Whether a key is known to exist; without asking. */
  get areKnownToExist(): boolean {
    return this.#exist;
  }

  /** Whose secret it is. With Basic the user has to be the key's id, or its prefix. */
  async identify(secret: string, user: string | undefined): Promise<KeyVerdict> {
    const id = keyIdOf(secret);
    if (id === undefined) return { kind: 'unknown' };
    const isHis = user === undefined || user === id || user === prefixOf(id);
    const key = isHis ? (await this.store.get(id))?.item : undefined;
    const secrets: readonly StoredSecret[] = key?.secrets ?? [{ hash: NOBODY }];
    const fitting = secrets.filter(({ hash }) => isSecretOf(secret, hash));
    const [found] = fitting;
    if (key === undefined || found === undefined) return { kind: 'unknown' };
    const endsAtMs = Math.min(key.expiresAtMs ?? Infinity, found.expiresAtMs ?? Infinity);
    return this.#now() < endsAtMs ? { kind: 'known', key } : { kind: 'expired' };
  }

  /** Makes a key; undefined when there is one of that id. */
  async create(key: Omit<StoredApiKey, 'secrets' | 'createdAtMs'>): Promise<IssuedKey | undefined> {
    const secret = newSecret(key.id);
    const item = { ...key, createdAtMs: this.#now(), secrets: [{ hash: hashOf(secret) }] };
    const result = await this.store.put(item, undefined);
    if (result.kind !== 'stored') return undefined;
    this.#exist = true;
    return { stored: result.stored, secret };
  }

  /** Gives a key another secret; undefined when it was changed meanwhile. */
  async rotate(
    { item, revision }: StoredDefinition<StoredApiKey>,
    overlapMs: number,
  ): Promise<IssuedKey | undefined> {
    const secret = newSecret(item.id);
    const endsAtMs = this.#now() + overlapMs;
    const [former] = item.secrets;
    const kept =
      former === undefined || overlapMs === 0 ? [] : [{ ...former, expiresAtMs: endsAtMs }];
    const secrets = [{ hash: hashOf(secret) }, ...kept];
    const result = await this.store.put({ ...item, secrets }, revision);
    return result.kind === 'stored' ? { stored: result.stored, secret } : undefined;
  }

  /** Revokes a key, of one state or of any. */
  async revoke(id: string, revision: number | undefined) {
    const result = await this.store.remove(id, revision);
    if (result.kind === 'stored') await this.#uses.remove(id, undefined);
    this.#noted.delete(id);
    return result.kind;
  }

  /** Notes that a key was used, not more often than once a minute. Never rejects: that it cannot be noted refuses nobody. */
  async used(id: string): Promise<void> {
    const nowMs = this.#now();
    if (nowMs - (this.#noted.get(id) ?? -Infinity) < USE_STEP_MS) return;
    if (this.#noted.size >= API_KEYS_MAX) this.#noted.clear();
    this.#noted.set(id, nowMs);
    try {
      const before = await this.#uses.get(id);
      await this.#uses.put({ id, atMs: nowMs }, before?.revision);
    } catch {
      this.#noted.delete(id);
    }
  }

  /** When a key was used last; undefined when it never was. */
  async lastUse(id: string): Promise<number | undefined> {
    return (await this.#uses.get(id))?.item.atMs;
  }

  /** When keys were used last, by id. */
  async lastUses(): Promise<ReadonlyMap<string, number>> {
    return new Map((await this.#uses.list()).map(({ item }) => [item.id, item.atMs]));
  }
}
