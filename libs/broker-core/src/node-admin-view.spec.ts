import { beforeAll, describe, expect, it } from '@jest/globals';
import type { ClientInfo } from '#libs/broker-ports';
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

  it('lists clients by id, a page at a time', async () => {
    const first = await admin.clients({ limit: 3 });
    expect([idsOf(first), first.hasMore]).toEqual([['a', 'ab', 'b'], true]);
    const second = await admin.clients({ limit: 3, after: { clientId: 'b' } });
    expect([idsOf(second), second.hasMore]).toEqual([['c'], false]);
  });

  it('lists those that were asked for', async () => {
    expect(idsOf(await admin.clients({ limit: 9, clientId: 'ab' }))).toEqual(['ab']);
    expect(idsOf(await admin.clients({ limit: 9, clientId: 'nobody' }))).toEqual([]);
    const isWanted = ({ state }: ClientInfo): boolean => state === 'connected';
    expect(idsOf(await admin.clients({ limit: 2, isWanted }))).toEqual(['a', 'ab']);
    expect((await admin.clients({ limit: 2, isWanted })).hasMore).toBe(true);
    expect(admin.client('nobody')).toBeUndefined();
    expect(admin.client('c')).toMatchObject({
      username: 'user-c',
      listener: 'memory',
      version: 5,
      sessionExpirySeconds: 60,
      subscriptionCount: 2,
    });
  });

  it('lists in the order that was asked for', async () => {
    const down = { descending: true } as const;
    const first = await admin.clients({ limit: 3, ...down });
    expect([idsOf(first), first.hasMore]).toEqual([['c', 'b', 'ab'], true]);
    expect(idsOf(await admin.clients({ limit: 3, ...down, after: { clientId: 'ab' } }))).toEqual([
      'a',
    ]);

    const timed = newNode();
    for (const clientId of ['late', 'later', 'latest']) {
      await timed.connected(clientId);
      if (clientId === 'late') timed.clock.advance(5);
    }
    const order = 'connected_at' as const;
    const page = await timed.node.admin.clients({ limit: 2, order, ...down });
    expect(idsOf(page)).toEqual(['latest', 'later']);
    const after = page.items.at(-1);
    expect(idsOf(await timed.node.admin.clients({ limit: 2, order, ...down, after }))).toEqual([
      'late',
    ]);
    expect(idsOf(await timed.node.admin.clients({ limit: 1, order }))).toEqual(['late']);
  });

  it('lists subscriptions by client and filter, a page at a time', async () => {
    const first = await admin.subscriptions({ limit: 3 });
    expect(first.items.map(({ clientId, filter }) => `${clientId} ${filter}`)).toEqual([
      'a t/+',
      'a t/1',
      'ab t/+',
    ]);
    expect(first.hasMore).toBe(true);
    const after = { clientId: 'ab', filter: 't/+' };
    expect((await admin.subscriptions({ limit: 1, after })).items).toMatchObject([
      { clientId: 'ab', filter: 't/1', qos: 1, subscriptionIdentifier: 0 },
    ]);
    expect((await admin.subscriptions({ limit: 9, clientId: 'b' })).items).toHaveLength(2);
    expect((await admin.subscriptions({ limit: 9, filter: 't/+' })).items).toHaveLength(4);
    expect((await admin.subscriptions({ limit: 9, matchTopic: 't/2' })).items).toHaveLength(4);
    expect((await admin.subscriptions({ limit: 9, qos: 2 })).items).toHaveLength(4);
    expect((await admin.subscriptions({ limit: 9, group: 'g' })).items).toHaveLength(0);
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
    const stay = { reasonCode: 0x97, withWill: true, endSession: false };
    const end = { ...stay, endSession: true };
    const client = own.client();
    await client.connect(DURABLE);
    expect(await own.node.admin.sessions.disconnect('client', stay)).toBe(true);
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x97 });
    expect(own.node.admin.status()).toMatchObject({ connections: 0, sessions: 1 });
    expect(await own.node.admin.sessions.disconnect('client', end)).toBe(true);
    expect(own.node.admin.status().sessions).toBe(0);
    expect(await own.node.admin.sessions.disconnect('client', end)).toBe(false);
  });
});
