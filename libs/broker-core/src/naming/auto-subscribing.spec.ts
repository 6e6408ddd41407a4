import { describe, expect, it } from '@jest/globals';
import { REASON } from '#libs/mqtt-codec';
import { LocalExclusiveStore, LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryNode, quiet, type MemoryClient, type MemoryNodeOptions } from '#libs/testkit';
import type { AutoSubscription } from '../topic-settings.ts';

const clock = (): number => 0;
const PLAIN = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 1000 } } as const;

function automatic(filter: string, partial: Partial<AutoSubscription> = {}): AutoSubscription {
  return { filter, ...PLAIN, ...partial };
}

function nodeWith(
  autoSubscribe: readonly AutoSubscription[],
  options: Partial<MemoryNodeOptions> = {},
) {
  const sessions = new LocalSessionStore({ clock });
  const retained = new LocalRetainedStore({ clock });
  const node = new MemoryNode({ sessions, retained, topics: { autoSubscribe }, ...options });
  return { node, sessions, retained };
}

async function filtersOf(node: MemoryNode, clientId: string): Promise<readonly string[]> {
  const { items } = await node.node.admin.subscriptions({ limit: 99, clientId });
  return items.map(({ filter }) => filter);
}

function received(client: MemoryClient): string[] {
  return client.take().map((packet) => (packet.kind === 'publish' ? packet.topic : packet.kind));
}

describe('an automatic subscription', () => {
  it('is made at CONNECT, for that client, and tells it nothing', async () => {
    const { node } = nodeWith([automatic('inbox/${clientId}/#'), automatic('users/${username}')]);
    const client = node.client();
    await client.connect({ clientId: 'c', username: 'ann' });
    const other = node.client(4);
    await other.connect({ clientId: 'other', username: 'bob' });
    await quiet();
    expect(received(client)).toEqual([]);
    expect(await filtersOf(node, 'c')).toEqual(['inbox/c/#', 'users/ann']);
    for (const topic of ['inbox/c/x', 'inbox/other', 'users/ann', 'users/bob']) {
      other.publish(topic, 'x');
    }
    await quiet();
    expect(received(client)).toEqual(['inbox/c/x', 'users/ann']);
    expect(received(other)).toEqual(['inbox/other', 'users/bob']);
  });

  it('is not made where a rewrite rule would make it exclusive', async () => {
    const exclusive = new LocalExclusiveStore();
    const topics = {
      autoSubscribe: [automatic('jobs/1'), automatic('a')],
      rewrite: [
        { action: 'subscribe', filter: 'jobs/#', destination: '$exclusive/jobs/$1' },
      ] as const,
    };
    const { node } = nodeWith([], { exclusive, topics });
    await node.client().connect({ clientId: 'c' });
    await quiet();
    expect(await filtersOf(node, 'c')).toEqual(['a']);
  });

  it('is there before anything else of the client is handled', async () => {
    const { node } = nodeWith([automatic('a')]);
    const client = node.client();
    client.write(client.connectPacket(), {
      ...{ kind: 'publish', dup: false, qos: 0, retain: false, topic: 'a', packetId: 0 },
      payload: Buffer.from('x'),
    });
    await quiet();
    expect(received(client)).toEqual(['connack', 'a']);
  });

  it('brings retained messages: at every CONNECT, when it is new, or never', async () => {
    const { node } = nodeWith([
      automatic('always', { retainHandling: 0 }),
      automatic('new', { retainHandling: 1 }),
      automatic('never', { retainHandling: 2 }),
    ]);
    const publisher = node.client();
    await publisher.connect({ clientId: 'publisher' });
    for (const topic of ['always', 'new', 'never']) publisher.publish(topic, 'x', { retain: true });
    await quiet();
    const client = node.client();
    await client.connect({ clientId: 'c', ...DURABLE });
    await quiet();
    expect(received(client).sort()).toEqual(['always', 'new']);
    client.write({ kind: 'disconnect', reasonCode: 0 });
    const again = node.client();
    expect((await again.connect({ clientId: 'c', ...DURABLE })).sessionPresent).toBe(true);
    await quiet();
    expect(received(again)).toEqual(['always']);
  });

  it('may be given up by the client, until it connects again', async () => {
    const { node } = nodeWith([automatic('a')]);
    const client = node.client();
    await client.connect({ clientId: 'c', ...DURABLE });
    client.write({ kind: 'unsubscribe', packetId: 1, filters: ['a'] });
    expect((await client.next('unsuback')).reasonCodes).toEqual([REASON.success]);
    expect(await filtersOf(node, 'c')).toEqual([]);
    client.write({ kind: 'disconnect', reasonCode: 0 });
    await node.client().connect({ clientId: 'c', ...DURABLE });
    await quiet();
    expect(await filtersOf(node, 'c')).toEqual(['a']);
  });

  it('is kept with a durable session, and queues for it', async () => {
    const { node, sessions } = nodeWith([automatic('a')]);
    const client = node.client();
    await client.connect({ clientId: 'c', ...DURABLE });
    await quiet();
    expect((await sessions.load('c'))?.subscriptions.map(({ filter }) => filter)).toEqual(['a']);
    client.write({ kind: 'disconnect', reasonCode: 0 });
    const publisher = node.client();
    await publisher.connect({ clientId: 'publisher' });
    publisher.publish('a', 'queued', { qos: 1 });
    await quiet();
    const again = node.client();
    await again.connect({ clientId: 'c', ...DURABLE });
    expect(await again.nextText()).toBe('queued');
  });

  it('needs no permission, and has its own options', async () => {
    const options = { qos: 2, noLocal: true, retainAsPublished: true } as const;
    const { node } = nodeWith([automatic('a', options)], { rules: { qosMax: 1 } });
    node.hub.granted = () => undefined;
    const client = node.client();
    await client.connect({ clientId: 'c' });
    await quiet();
    expect((await node.node.admin.subscriptions({ limit: 9 })).items).toEqual([
      {
        ...{ clientId: 'c', filter: 'a', qos: 1, noLocal: true, retainAsPublished: true },
        ...{ retainHandling: 0, subscriptionIdentifier: 0 },
      },
    ]);
    client.publish('a', 'x');
    await quiet();
    expect(received(client)).toEqual([]);
    expect(await client.subscribe('b')).toBe(REASON.notAuthorized);
  });

  it('is below the mountpoint of the client, and may be shared', async () => {
    const { node } = nodeWith([automatic('a'), automatic('$share/${username}/jobs')], {
      rules: { mountpoint: 'm/' },
    });
    const client = node.client();
    await client.connect({ clientId: 'c', username: 'ann' });
    await quiet();
    expect(await filtersOf(node, 'c')).toEqual(['$share/ann/m/jobs', 'm/a']);
    client.publish('a', 'x');
    client.publish('jobs', 'x');
    await quiet();
    expect(received(client)).toEqual(['a', 'jobs']);
    client.write({ kind: 'unsubscribe', packetId: 1, filters: ['$share/ann/jobs'] });
    expect((await client.next('unsuback')).reasonCodes).toEqual([REASON.success]);
  });

  it.each(['#', '+', 'a/b', '$SYS'])(
    'is not made for a client that would reach further by it: %s',
    async (clientId) => {
      const { node } = nodeWith([automatic('inbox/${clientId}'), automatic('all')]);
      await node.client().connect({ clientId });
      await quiet();
      expect(await filtersOf(node, clientId)).toEqual(['all']);
      expect(node.counts.get('subscribed')).toBe(2);
    },
  );

  it('counts among the subscriptions that a session may have', async () => {
    const { node } = nodeWith([automatic('a'), automatic('b')], {
      limits: { subscriptionsMax: 1 },
    });
    const client = node.client();
    await client.connect({ clientId: 'c' });
    expect(await client.subscribe('c')).toBe(REASON.quotaExceeded);
    expect(await filtersOf(node, 'c')).toEqual(['a']);
  });

  it('ends the connection when it cannot be kept: the client comes again', async () => {
    const { node } = nodeWith([automatic('a')]);
    node.announced = Promise.reject(new Error('no cluster'));
    node.announced.catch(() => undefined);
    const client = node.client();
    await client.connect({ clientId: 'c' });
    expect(await client.next('disconnect')).toMatchObject({
      reasonCode: REASON.implementationSpecificError,
    });
  });
});
