import { describe, expect, it } from '@jest/globals';
import { PasswordCheck, UserSource, hashCostOf, type StoredUser } from '#libs/access';
import type { StoredDefinition } from '#libs/broker-ports';
import { LocalDefinitionStore } from '#libs/store-local';
import { NodeScramCrypto, StoredCredentials, StoredUsers } from './index.ts';

const CACHE_BYTES = 65_536;
const OPTIONS = { hashCost: 10, iterations: 4096 };
const LOGIN = { clientId: 'c', address: '192.0.2.1', listener: 'tcp' };

const user = (id: string, own: Partial<StoredUser> = {}): StoredUser => ({
  ...{ id, credentials: [], groups: [], rules: [], passwordSetAtMs: 1 },
  ...own,
});

/** A store that counts its reads, and holds them back. */
class WatchedStore extends LocalDefinitionStore<StoredUser> {
  readonly reads: string[] = [];
  held: Promise<void> | undefined;

  override async get(id: string): Promise<StoredDefinition<StoredUser> | undefined> {
    this.reads.push(id);
    const found = await super.get(id);
    await this.held;
    return found;
  }
}

async function credentialsOf(password: string, scram = false): Promise<readonly string[]> {
  const made = await new StoredCredentials().make(password, { ...OPTIONS, scram });
  return made.kind === 'made' ? made.credentials : [];
}

describe('stored users', () => {
  it('are read when they are asked for, once for all who ask, and kept', async () => {
    const store = new WatchedStore('users');
    await store.put(user('ann', { groups: ['crew'] }), undefined);
    const users = new StoredUsers(store, CACHE_BYTES);
    const [one, other] = await Promise.all([users.find('ann'), users.find('ann')]);
    expect(one).toBe(other);
    expect(await users.find('ann')).toBe(one);
    expect(one?.identity).toEqual({ user: 'ann', groups: ['crew'], rules: [], passwordSetAtMs: 1 });
    expect(store.reads).toEqual(['ann']);
    expect(await users.find('bob')).toBeUndefined();
  });

  it('are read again when they have changed', async () => {
    const store = new WatchedStore('users');
    await store.put(user('ann'), undefined);
    const users = new StoredUsers(store, CACHE_BYTES);
    const told: (readonly string[] | undefined)[] = [];
    users.follow((changed) => told.push(changed));
    await users.find('ann');
    await store.put(user('ann', { groups: ['crew'] }), 1);
    expect((await users.find('ann'))?.identity.groups).toEqual(['crew']);
    await store.remove('ann', undefined);
    expect(await users.find('ann')).toBeUndefined();
    expect(told).toEqual([['ann'], ['ann']]);
  });

  it('are not kept as they were read before a change that came meanwhile', async () => {
    const store = new WatchedStore('users');
    await store.put(user('ann'), undefined);
    const users = new StoredUsers(store, CACHE_BYTES);
    let resolve = (): void => undefined;
    store.held = new Promise((done) => (resolve = done));
    const old = users.find('ann');
    await store.put(user('ann', { groups: ['crew'] }), 1);
    const fresh = users.find('ann');
    resolve();
    expect((await old)?.identity.groups).toEqual([]);
    expect((await fresh)?.identity.groups).toEqual(['crew']);
    expect((await users.find('ann'))?.identity.groups).toEqual(['crew']);
  });

  it('are kept as long as there is room, and those that failed to be read are read again', async () => {
    const store = new WatchedStore('users');
    const users = new StoredUsers(store, 10_000);
    const rules: StoredUser['rules'] = [
      { effect: 'allow', actions: ['publish'], topics: ['t'.repeat(1_000)] },
    ];
    for (const id of ['a', 'b', 'c']) {
      await store.put(user(id, { rules }), undefined);
      await users.find(id);
    }
    store.reads.length = 0;
    await users.find('c');
    await users.find('a');
    expect(store.reads).toEqual(['a']);
    store.held = Promise.reject(new Error('away'));
    await expect(users.find('b')).rejects.toThrow('away');
    store.held = undefined;
    expect(await users.find('b')).toBeDefined();
  });

  it('log in with their passwords, and with SCRAM if that was wanted', async () => {
    const store = new LocalDefinitionStore<StoredUser>('users');
    const crypto = new NodeScramCrypto();
    const hashing = { hasher: crypto, cost: hashCostOf(10) };
    const passwords = new PasswordCheck({ crypto, saltSecret: 's', iterations: 4096, hashing });
    const users = new StoredUsers(store, CACHE_BYTES);
    const source = new UserSource(users, passwords);
    await store.put(user('ann', { credentials: await credentialsOf('löw') }), undefined);
    await store.put(user('bob', { credentials: await credentialsOf('high', true) }), undefined);
    const login = (username: string, password: string) =>
      source.login({ ...LOGIN, username, password: Buffer.from(password) });
    expect(await login('ann', 'lo\u0308w')).toMatchObject({
      kind: 'allowed',
      identity: { user: 'ann' },
    });
    expect(await login('bob', 'high')).toMatchObject({ kind: 'allowed' });
    expect(await login('ann', 'high')).toMatchObject({ kind: 'denied' });
    expect(await login('eve', 'high')).toEqual({ kind: 'not-mine' });
    expect((await users.find('ann'))?.credentials).toEqual([]);
    const mechanisms = (await users.find('bob'))?.credentials.map(({ mechanism }) => mechanism);
    expect(mechanisms).toEqual(['SCRAM-SHA-256', 'SCRAM-SHA-512']);
  });
});

describe('credentials of a password', () => {
  it('have another salt each time, and hold nothing of it', async () => {
    const [one, other] = [await credentialsOf('low water', true), await credentialsOf('low water')];
    expect(one).toHaveLength(3);
    expect(other).toHaveLength(1);
    expect(one[0]).not.toBe(other[0]);
    expect(one.join()).not.toContain('low water');
  });

  it.each(['', '\u0007'])('are not made of %j', async (password) => {
    const made = await new StoredCredentials().make(password, { ...OPTIONS, scram: false });
    expect(made.kind).toBe('refused');
  });

  it('are made for so many at a time', async () => {
    const maker = new StoredCredentials();
    const makings = Array.from({ length: 80 }, () => maker.make('x', { ...OPTIONS, scram: false }));
    const kinds = (await Promise.all(makings)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'busy')).toHaveLength(80 - 66);
  });
});
