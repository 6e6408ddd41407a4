import { describe, expect, it } from '@jest/globals';
import { REASON, type PublishPacket } from '#libs/mqtt-codec';
import { LocalDelayedStore, LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryNode, quiet, type MemoryClient, type MemoryNodeOptions } from '#libs/testkit';

const clock = (): number => 0;
const WILL = { payload: Buffer.from('gone'), qos: 1, retain: false } as const;

function nodeWith(options: Partial<MemoryNodeOptions> = {}) {
  const sessions = new LocalSessionStore({ clock });
  const retained = new LocalRetainedStore({ clock });
  const node = new MemoryNode({ sessions, retained, ...options });
  return { node, sessions, retained };
}

/** A node whose listener `tenant` has a mountpoint and whose others have none. */
function mounted(mountpoint = 'm/', options: Partial<MemoryNodeOptions> = {}) {
  return nodeWith({
    rules: (listener) => (listener === 'tenant' ? { mountpoint } : {}),
    ...options,
  });
}

async function connected(
  { node }: { readonly node: MemoryNode },
  clientId: string,
  listener?: string,
): Promise<MemoryClient> {
  const client = node.client(5, listener);
  const connack = await client.connect({ clientId });
  expect(connack.reasonCode).toBe(REASON.success);
  return client;
}

function published(client: MemoryClient): PublishPacket[] {
  return client.take().filter((packet) => packet.kind === 'publish');
}

function topics(client: MemoryClient): string[] {
  return published(client).map(({ topic }) => topic);
}

describe('rewrite rules', () => {
  const rewrite = [
    { action: 'all', filter: 'old/+/#', destination: 'new/$2/by/$1' },
    { action: 'publish', filter: 'cmd/#', destination: 'clients/${clientId}/$1' },
    { action: 'publish', filter: 'user', destination: 'users/${username}' },
    { action: 'subscribe', filter: 'jobs/#', destination: '$share/workers/jobs/$1' },
  ] as const;
  const world = (options: Partial<MemoryNodeOptions> = {}) =>
    nodeWith({ topics: { rewrite }, ...options });

  it('give messages another topic, before anybody is asked or anything is kept', async () => {
    const { node, retained } = world();
    const asked: string[] = [];
    node.hub.mayPublish = ({ topic }) => {
      asked.push(topic);
      return topic !== 'new/secret/by/a';
    };
    const client = await connected({ node }, 'c');
    client.publish('old/a/x/y', 'kept', { qos: 1, retain: true });
    expect(await client.next('puback')).toMatchObject({ reasonCode: REASON.success });
    client.publish('old/a/secret', 'refused', { qos: 1 });
    expect(await client.next('puback')).toMatchObject({ reasonCode: REASON.notAuthorized });
    expect(asked).toEqual(['new/x/y/by/a', 'new/secret/by/a']);
    expect(retained.bytesOf('new/x/y/by/a')).toBe('new/x/y/by/a'.length + 'kept'.length);
  });

  it('give filters another form, to subscribe and to unsubscribe', async () => {
    const own = world();
    const filters: string[] = [];
    own.node.hub.granted = (filter, qos) => {
      filters.push(filter);
      return qos;
    };
    const client = await connected(own, 'c');
    expect(await client.subscribe('old/+/x')).toBe(REASON.grantedQoS1);
    expect(filters).toEqual(['new/x/by/+']);
    const held = async () => (await own.node.node.admin.subscriptions({ limit: 9 })).items;
    expect((await held()).map(({ filter }) => filter)).toEqual(['new/x/by/+']);
    client.publish('old/a/x', '1');
    expect((await client.next('publish')).topic).toBe('new/x/by/a');
    client.write({ kind: 'unsubscribe', packetId: 9, filters: ['old/+/x', 'old/+/y'] });
    expect((await client.next('unsuback')).reasonCodes).toEqual([
      REASON.success,
      REASON.noSubscriptionExisted,
    ]);
    expect(await held()).toEqual([]);
  });

  it('are for publishing or subscribing, and may share a subscription', async () => {
    const own = world();
    const client = await connected(own, 'c');
    await client.subscribe('clients/c/#');
    await client.subscribe('jobs/#');
    client.publish('cmd/go', '1');
    client.publish('jobs/7', '2');
    await quiet();
    expect(topics(client)).toEqual(['clients/c/go', 'jobs/7']);
    expect(own.node.node.admin.client('c')?.subscriptionCount).toBe(2);
  });

  it('may share a subscription whose client wanted no messages of its own', async () => {
    const client = await connected(world(), 'c');
    expect(await client.subscribe('jobs/x', { noLocal: true })).toBe(REASON.grantedQoS1);
    await client.subscribe('$share/g/t', { noLocal: true }).catch(() => undefined);
    await client.closed();
  });

  it('know topics by alias, too', async () => {
    const client = await connected(world(), 'c');
    await client.subscribe('clients/#');
    client.publish('cmd/go', '1', { properties: { topicAlias: 3 } });
    client.publish('', '2', { properties: { topicAlias: 3 } });
    await quiet();
    expect(topics(client)).toEqual(['clients/c/go', 'clients/c/go']);
  });

  it('are for wills', async () => {
    const { node } = world();
    const watcher = await connected({ node }, 'watcher');
    await watcher.subscribe('clients/#');
    const client = node.client();
    await client.connect({ clientId: 'dying', will: { ...WILL, topic: 'cmd/dead' } });
    client.cut();
    expect((await watcher.next('publish')).topic).toBe('clients/dying/dead');
  });

  it('refuse what they cannot name', async () => {
    const { node } = world();
    const client = await connected({ node }, 'a/b');
    client.publish('cmd/go', 'x', { qos: 1 });
    expect(await client.next('puback')).toMatchObject({ reasonCode: REASON.topicNameInvalid });
    client.publish('user', 'x', { qos: 2 });
    expect(await client.next('pubrec')).toMatchObject({ reasonCode: REASON.topicNameInvalid });
    client.publish(`old/a/${'é'.repeat(32_764)}`, 'x', { qos: 1 });
    expect(await client.next('puback')).toMatchObject({ reasonCode: REASON.topicNameInvalid });
    expect(await client.subscribe('old/+/#')).toBe(REASON.topicFilterInvalid);
    expect(node.counts.get('publishRejected')).toBe(3);
    client.publish('cmd/go', 'x');
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: REASON.topicNameInvalid });
    const dying = node.client();
    const will = { ...WILL, topic: 'cmd/dead' };
    expect(await dying.connect({ clientId: 'a/b', will })).toMatchObject({
      reasonCode: REASON.topicNameInvalid,
    });
  });

  it('close the connection of an older client where they cannot name [MQTT3-3.3.5-2]', async () => {
    const { node } = world();
    const client = node.client(4);
    await client.connect({ clientId: 'a/b' });
    client.publish('cmd/go', 'x', { qos: 1 });
    await client.closed();
    expect(client.take()).toEqual([]);
  });
});

describe('a mountpoint', () => {
  it('parts the clients of a listener from all others, who see them below it', async () => {
    const own = mounted();
    const [inside, other, outside] = [
      await connected(own, 'inside', 'tenant'),
      await connected(own, 'other', 'tenant'),
      await connected(own, 'outside'),
    ];
    for (const client of [inside, other, outside]) await client.subscribe('#');
    inside.publish('a/b', '1', { qos: 1 });
    outside.publish('a/b', '2');
    outside.publish('m/c', '3');
    await quiet();
    expect(topics(other)).toEqual(['a/b', 'c']);
    expect(topics(inside)).toEqual(['a/b', 'c']);
    expect(topics(outside)).toEqual(['m/a/b', 'a/b', 'm/c']);
  });

  it('is in what hooks, stores and administrators see', async () => {
    const own = mounted();
    const filters: string[] = [];
    own.node.hub.granted = (filter, qos) => {
      filters.push(filter);
      return qos;
    };
    const client = await connected(own, 'c', 'tenant');
    await client.subscribe('$share/g/a/+');
    await client.subscribe('b');
    client.publish('c', 'x', { qos: 1, retain: true });
    await client.next('puback');
    expect(filters).toEqual(['$share/g/m/a/+', 'm/b']);
    expect(own.retained.bytesOf('m/c')).toBe('m/c'.length + 1);
    const held = await own.node.node.admin.subscriptions({ limit: 9, clientId: 'c' });
    expect(held.items.map(({ filter }) => filter)).toEqual(['$share/g/m/a/+', 'm/b']);
  });

  it('holds for retained messages, shared subscriptions, no local and identifiers', async () => {
    const own = mounted();
    const outside = await connected(own, 'outside');
    for (const topic of ['m/r', 'r']) outside.publish(topic, topic, { qos: 1, retain: true });
    const client = await connected(own, 'c', 'tenant');
    await client.subscribe('+', { identifier: 7, noLocal: true });
    const kept = await client.next('publish');
    expect([kept.topic, kept.retain, kept.properties?.subscriptionIdentifiers]).toEqual([
      ...['r', true, [7]],
    ]);
    client.publish('mine', 'x');
    await client.subscribe('$share/g/jobs/#');
    outside.publish('m/jobs/1', 'x');
    outside.publish('jobs/1', 'x');
    await quiet();
    expect(topics(client)).toEqual(['jobs/1']);
  });

  it('holds for wills and response topics', async () => {
    const own = mounted();
    const outside = await connected(own, 'outside');
    const other = await connected(own, 'other', 'tenant');
    await outside.subscribe('#');
    await other.subscribe('#');
    const client = own.node.client(5, 'tenant');
    const will = { ...WILL, topic: 'w', properties: { responseTopic: 'answers' } };
    await client.connect({ clientId: 'c', will });
    client.cut();
    const seen = await outside.next('publish');
    expect([seen.topic, seen.properties?.responseTopic]).toEqual(['m/w', 'm/answers']);
    const seenInside = await other.next('publish');
    expect([seenInside.topic, seenInside.properties?.responseTopic]).toEqual(['w', 'answers']);
  });

  it('refuses a message whose response topic cannot be below it', async () => {
    const client = await connected(mounted(), 'c', 'tenant');
    await client.subscribe('#');
    client.publish('a', 'x', { qos: 1, properties: { responseTopic: '$r' } });
    expect(await client.next('puback')).toMatchObject({ reasonCode: REASON.topicNameInvalid });
    await quiet();
    expect(client.take()).toEqual([]);
  });

  it('holds for what is published later', async () => {
    const bounds = { secondsMax: 100, messagesMax: 100, bytesMax: 10_000 };
    const delayed = { store: new LocalDelayedStore({ clock: () => nowMs }), ...bounds };
    let nowMs = 0;
    const own = mounted('m/', { delayed });
    await own.node.node.start();
    const outside = await connected(own, 'outside');
    const client = await connected(own, 'c', 'tenant');
    await outside.subscribe('#');
    await client.subscribe('#');
    client.publish('$delayed/5/a', 'x', { qos: 1 });
    expect(await client.next('puback')).toMatchObject({ reasonCode: REASON.success });
    nowMs = 6000;
    own.node.sweepAfter(6000);
    expect((await outside.next('publish')).topic).toBe('m/a');
    expect((await client.next('publish')).topic).toBe('a');
  });

  it('leaves $SYS to all, and no other name that begins with $', async () => {
    const own = mounted('m/', { topics: { sysIntervalSeconds: 10 } });
    await own.node.node.start();
    const client = await connected(own, 'c', 'tenant');
    await client.subscribe('$SYS/broker/version');
    expect((await client.next('publish')).topic).toBe('$SYS/broker/version');
    client.publish('$SYS/x', 'x', { qos: 1 });
    expect(await client.next('puback')).toMatchObject({ reasonCode: REASON.notAuthorized });
    client.publish('$mine/x', 'x', { qos: 1 });
    expect(await client.next('puback')).toMatchObject({ reasonCode: REASON.topicNameInvalid });
  });

  it('may be each client’s own', async () => {
    const own = mounted('clients/${clientId}/${username}/');
    const client = own.node.client(5, 'tenant');
    await client.connect({ clientId: 'c', username: 'ann' });
    await client.subscribe('#');
    const outside = await connected(own, 'outside');
    outside.publish('clients/c/ann/x', '1');
    outside.publish('clients/c/bob/x', '2');
    await quiet();
    expect(topics(client)).toEqual(['x']);
  });

  it.each([
    { clientId: 'a/b', username: 'ann', reasonCode: REASON.clientIdentifierNotValid },
    { clientId: '#', username: 'ann', reasonCode: REASON.clientIdentifierNotValid },
    { clientId: 'c', username: '+', reasonCode: REASON.badUserNameOrPassword },
    { clientId: 'c', username: '', reasonCode: REASON.badUserNameOrPassword },
  ])('refuses a client that would reach into another’s: %j', async ({ reasonCode, ...who }) => {
    const own = mounted('${clientId}/${username}/');
    const client = own.node.client(5, 'tenant');
    expect(await client.connect(who)).toMatchObject({ reasonCode });
    expect((await own.sessions.load(who.clientId)) === undefined).toBe(true);
  });

  it('hides from a session what it had elsewhere, until its client is back', async () => {
    const own = mounted();
    const properties = { sessionExpiryInterval: 1000 };
    const outside = own.node.client();
    await outside.connect({ clientId: 'c', properties });
    await outside.subscribe('x');
    outside.write({ kind: 'disconnect', reasonCode: 0 });
    const other = await connected(own, 'other');
    other.publish('x', 'queued', { qos: 1 });
    await other.next('puback');
    const inside = own.node.client(5, 'tenant');
    const resumed = await inside.connect({ clientId: 'c', cleanStart: false, properties });
    expect(resumed.sessionPresent).toBe(true);
    await inside.subscribe('x');
    other.publish('m/x', 'seen', { qos: 1 });
    other.publish('x', 'hidden', { qos: 1 });
    expect((await inside.next('publish')).topic).toBe('x');
    await quiet();
    expect(published(inside)).toEqual([]);
    expect(own.node.drops.get('outside_mountpoint')).toBe(2);
    inside.write({ kind: 'disconnect', reasonCode: 0 });
    const back = own.node.client();
    await back.connect({ clientId: 'c', cleanStart: false, properties });
    other.publish('x', 'again', { qos: 1 });
    await quiet();
    expect(topics(back)).toContain('x');
  });
});
