import { describe, expect, it } from '@jest/globals';
import {
  AccessControl,
  Acl,
  type AclRule,
  type Authenticator,
  type Identity,
  type StoredUser,
} from '#libs/access';
import { StoredUsers } from '#libs/access-sources';
import type { StoredDefinition } from '#libs/broker-ports';
import { REASON } from '#libs/mqtt-codec';
import { LocalDefinitionStore, LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryNode, fakeClock, quiet, type MemoryClient } from '#libs/testkit';

const allow = (topic: string): AclRule => ({
  ...{ effect: 'allow', actions: ['publish', 'subscribe'], topics: [topic] },
});

const user = (own: Partial<StoredUser> = {}): StoredUser => ({
  ...{ id: 'ann', credentials: [], groups: [], rules: [allow('open/#')], passwordSetAtMs: 1 },
  ...own,
});

/** A store that can be away. */
class FlakyStore extends LocalDefinitionStore<StoredUser> {
  isAway = false;

  override async get(id: string): Promise<StoredDefinition<StoredUser> | undefined> {
    if (this.isAway) throw new Error('away');
    return super.get(id);
  }
}

async function world() {
  const clock = fakeClock();
  const store = new FlakyStore('users');
  await store.put(user(), undefined);
  const users = new StoredUsers(store, 65_536);
  /** Waits before it lets in whom it has found. */
  const pause: { login: Promise<void> | undefined } = { login: undefined };
  const authenticator: Authenticator = {
    // `token` stands for any other source that knows the same name.
    login: async ({ username = '', password }) => {
      const isToken = Buffer.from(password ?? []).toString() === 'token';
      const identity: Identity | undefined = isToken
        ? { user: username, rules: [allow('token/#')] }
        : (await users.find(username))?.identity;
      await pause.login;
      return identity === undefined
        ? { kind: 'denied', backend: 'password', reason: 'credentials' }
        : { kind: 'allowed', backend: isToken ? 'jwt' : 'password', identity };
    },
    exchange: () => undefined,
  };
  const acl = new Acl([{ ...allow('crew/#'), who: { groups: ['crew'] } }], 'deny');
  const memory = new MemoryNode({
    clock,
    sessions: new LocalSessionStore({ clock: clock.now }),
    retained: new LocalRetainedStore({ clock: clock.now }),
    authenticator,
    storedUsers: users,
    access: { control: new AccessControl(acl), deniedPublish: 'close' },
  });
  await memory.node.start();
  const connect = async (clientId: string, password?: string): Promise<MemoryClient> => {
    const client = memory.client();
    const secret = password === undefined ? {} : { password: Buffer.from(password) };
    await client.connect({ clientId, username: 'ann', ...secret });
    return client;
  };
  return { memory, store, pause, connect };
}

async function puback(client: MemoryClient, topic: string) {
  client.publish(topic, 'x', { qos: 1 });
  return (await client.next('puback')).reasonCode;
}

describe('the connections of a stored user', () => {
  it('are held to other rules and groups at once', async () => {
    const { store, connect } = await world();
    const client = await connect('c');
    const token = await connect('t', 'token');
    expect(await client.subscribe('open/a')).toBe(1);
    expect(await puback(client, 'crew/a')).toBe(REASON.notAuthorized);
    await store.put(user({ rules: [], groups: ['crew'] }), 1);
    await quiet();
    expect(await puback(client, 'open/a')).toBe(REASON.notAuthorized);
    expect([await puback(client, 'crew/a'), client.takeTexts()]).toEqual([0, []]);
    // Who has the name by another source has its own rules.
    expect(await puback(token, 'crew/a')).toBe(REASON.notAuthorized);
    expect(await puback(token, 'token/a')).toBe(0);
  });

  it.each([
    ['has another password', (store: FlakyStore) => store.put(user({ passwordSetAtMs: 2 }), 1)],
    ['is removed', (store: FlakyStore) => store.remove('ann', 1)],
  ])('end with 0x87 when it %s, and those of others with its name do not', async (_, change) => {
    const { memory, store, connect } = await world();
    const client = await connect('c');
    const token = await connect('t', 'token');
    await change(store);
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: REASON.notAuthorized });
    await client.closed();
    expect(memory.disconnects.get('login_revoked')).toBe(1);
    expect(await puback(token, 'token/a')).toBe(0);
  });

  it('end without the will that only the rules of the removed user allowed', async () => {
    const { memory, store, connect } = await world();
    const witness = await connect('t', 'token');
    const client = memory.client();
    const will = { topic: 'token/ann', payload: Buffer.from('x'), qos: 0, retain: false } as const;
    await store.put(user({ rules: [allow('token/#')] }), 1);
    await quiet();
    await client.connect({ clientId: 'c', username: 'ann', will });
    expect(await witness.subscribe('token/#')).toBe(1);
    await store.remove('ann', 2);
    await client.closed();
    await quiet();
    expect(witness.takeTexts()).toEqual([]);
  });

  it('end also when the user was removed while the login took its time', async () => {
    const { store, pause, connect } = await world();
    let resolve = (): void => undefined;
    pause.login = new Promise((done) => (resolve = done));
    const connecting = connect('c');
    await quiet();
    await store.remove('ann', 1);
    resolve();
    const client = await connecting;
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: REASON.notAuthorized });
  });

  it('end when the store is back that could not be asked', async () => {
    const { memory, store, connect } = await world();
    const client = await connect('c');
    store.isAway = true;
    await store.remove('ann', 1);
    await quiet();
    memory.node.sweep();
    await quiet();
    expect(client.take()).toEqual([]);
    store.isAway = false;
    memory.node.sweep();
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: REASON.notAuthorized });
  });

  it('stay when anything may have changed, and nothing has', async () => {
    const { memory, store, connect } = await world();
    const clients = [await connect('c'), await connect('d')];
    await store.put(user({ id: 'bob' }), undefined);
    memory.node.sweep();
    await quiet();
    expect(clients.map((client) => client.take())).toEqual([[], []]);
  });
});
