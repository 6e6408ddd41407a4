import { beforeAll, describe, expect, it } from '@jest/globals';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryNode, quiet } from '#libs/testkit';

const clock = (): number => 0;
const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 60 } };

function newNode(): MemoryNode {
  return new MemoryNode({
    sessions: new LocalSessionStore({ clock }),
    retained: new LocalRetainedStore({ clock }),
  });
}

describe('NodeAdminView', () => {
  const memory = newNode();
  const { admin } = memory.node;
  const idsOf = (page: { readonly items: readonly { readonly clientId: string }[] }): string[] =>
    page.items.map(({ clientId }) => clientId);

  beforeAll(async () => {
    for (const clientId of ['b', 'a', 'ab', 'c']) {
      const client = memory.client();
      await client.connect({ clientId, username: `user-${clientId}`, ...DURABLE });
      await client.subscribe('t/1');
      await client.subscribe('t/+', { qos: 2, identifier: 7 });
      if (clientId === 'c') client.cut();
    }
    await quiet();
  });

  it('lists clients by id, a page at a time', () => {
    const first = admin.clients({ limit: 3 });
    expect([idsOf(first), first.hasMore]).toEqual([['a', 'ab', 'b'], true]);
    const second = admin.clients({ limit: 3, after: 'b' });
    expect([idsOf(second), second.hasMore]).toEqual([['c'], false]);
  });

  it('lists those that were asked for', () => {
    expect(idsOf(admin.clients({ limit: 9, clientId: 'ab' }))).toEqual(['ab']);
    expect(idsOf(admin.clients({ limit: 9, clientIdPrefix: 'a' }))).toEqual(['a', 'ab']);
    expect(idsOf(admin.clients({ limit: 9, username: 'user-b' }))).toEqual(['b']);
    expect(idsOf(admin.clients({ limit: 9, state: 'disconnected' }))).toEqual(['c']);
    expect(admin.client('nobody')).toBeUndefined();
    expect(admin.client('c')).toMatchObject({
      username: 'user-c',
      listener: 'memory',
      version: 5,
      sessionExpirySeconds: 60,
      subscriptionCount: 2,
    });
  });

  it('lists subscriptions by client and filter, a page at a time', () => {
    const first = admin.subscriptions({ limit: 3 });
    expect(first.items.map(({ clientId, filter }) => `${clientId} ${filter}`)).toEqual([
      'a t/+',
      'a t/1',
      'ab t/+',
    ]);
    expect(first.hasMore).toBe(true);
    const after = { clientId: 'ab', filter: 't/+' };
    expect(admin.subscriptions({ limit: 1, after }).items).toMatchObject([
      { clientId: 'ab', filter: 't/1', qos: 1, subscriptionIdentifier: 0 },
    ]);
    expect(admin.subscriptions({ limit: 9, clientId: 'b' }).items).toHaveLength(2);
    expect(admin.subscriptions({ limit: 9, filter: 't/+' }).items).toHaveLength(4);
    expect(admin.subscriptions({ limit: 9, matchTopic: 't/2' }).items).toHaveLength(4);
  });

  it('tells the state of the node', () => {
    expect(admin.status()).toMatchObject({
      mode: 'embedded',
      connections: 3,
      sessions: 4,
      subscriptions: 8,
    });
    expect(admin.nodes()).toHaveLength(1);
  });

  it('disconnects a client, and ends its session when asked', async () => {
    const own = newNode();
    const client = own.client();
    await client.connect(DURABLE);
    expect(await own.node.admin.disconnect('client', false)).toBe(true);
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x98 });
    expect(own.node.admin.status()).toMatchObject({ connections: 0, sessions: 1 });
    expect(await own.node.admin.disconnect('client', true)).toBe(true);
    expect(own.node.admin.status().sessions).toBe(0);
    expect(await own.node.admin.disconnect('client', true)).toBe(false);
  });
});
