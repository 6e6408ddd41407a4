import { beforeEach, describe, expect, it } from '@jest/globals';
import { AccessControl, Acl } from '#libs/access';
import type { SessionStore, StoredSubscription } from '#libs/broker-ports';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryNode, fakeClock, quiet, type FakeClock, type MemoryClient } from '#libs/testkit';

const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 60 } };
const PAGE = { after: undefined, limit: 10 };

const request = (filter: string, more: Partial<StoredSubscription> = {}): StoredSubscription => ({
  ...{ filter, qos: 1, noLocal: false, retainAsPublished: false },
  ...{ retainHandling: 0, subscriptionIdentifier: 0 },
  ...more,
});

let clock: FakeClock;
let store: SessionStore;
let memory: MemoryNode;

const admin = () => memory.node.admin.sessions;

beforeEach(() => {
  clock = fakeClock();
  store = new LocalSessionStore({ clock: clock.now });
  memory = nodeWith();
});

function nodeWith(more: Partial<ConstructorParameters<typeof MemoryNode>[0]> = {}): MemoryNode {
  const retained = new LocalRetainedStore({ clock: clock.now });
  return new MemoryNode({ clock, sessions: store, retained, ...more });
}

async function publish(payloads: readonly string[], qos: 1 | 2 = 1): Promise<void> {
  const publisher = await memory.connected('publisher');
  for (const payload of payloads) publisher.publish('t/1', payload, { qos });
  await quiet();
}

/** A client with one message in flight: its window holds no more. */
async function slowClient(options: object): Promise<MemoryClient> {
  const client = memory.client();
  const base = { clientId: 'slow', cleanStart: false };
  const properties = { sessionExpiryInterval: 60, receiveMaximum: 1, ...options };
  await client.connect({ ...base, properties });
  await client.subscribe('t/#', { qos: 1 });
  return client;
}

describe('subscribing for a client', () => {
  it('delivers what is published, also what is retained, and stores the subscription', async () => {
    const publisher = await memory.connected('publisher');
    publisher.publish('t/kept', 'retained', { retain: true, qos: 1 });
    const client = await memory.connected('client', DURABLE);
    await quiet();
    const requests = [request('t/#', { qos: 2, subscriptionIdentifier: 7 }), request('bad/#/x')];
    expect(await admin().subscribe('client', requests)).toEqual([2, 0x8f]);
    await quiet();
    await publish(['live']);
    expect(client.takeTexts()).toEqual(['retained', 'live']);
    expect((await store.load('client'))?.subscriptions).toEqual([requests[0]]);
    expect(await admin().unsubscribe('client', ['t/#', 'none'])).toEqual([0, 0x11]);
    await publish(['later']);
    expect(client.takeTexts()).toEqual([]);
    expect((await store.load('client'))?.subscriptions).toEqual([]);
  });

  it('fills the queue of one that is away', async () => {
    (await memory.connected('client', DURABLE)).cut();
    await quiet();
    expect(await admin().subscribe('client', [request('t/#')])).toEqual([1]);
    await publish(['while away']);
    const back = await memory.connected('client', DURABLE);
    await quiet();
    expect(back.takeTexts()).toEqual(['while away']);
  });

  it('refuses what the client may not have, and No Local for a group', async () => {
    const control = new AccessControl(
      new Acl([{ effect: 'deny', actions: ['subscribe'], topics: ['secret/#'] }], 'allow'),
    );
    memory = nodeWith({ access: { control, deniedPublish: 'acknowledge' } });
    await memory.connected('client');
    const requests = [
      request('secret/1'),
      request('$share/g/t', { noLocal: true }),
      request('$exclusive/t'),
    ];
    expect(await admin().subscribe('client', requests)).toEqual([0x87, 0x82, 0x8f]);
  });

  it('knows sessions of its own only', async () => {
    expect(await admin().subscribe('nobody', [request('t')])).toBeUndefined();
    expect(await admin().unsubscribe('nobody', ['t'])).toBeUndefined();
    expect(await admin().queued('nobody', PAGE)).toBeUndefined();
    expect(await admin().clearQueue('nobody')).toBeUndefined();
    expect(admin().inflight('nobody')).toBeUndefined();
    expect(admin().verdicts('nobody')).toBeUndefined();
    expect(admin().forgetVerdicts('nobody')).toBe(false);
    expect(await admin().setExpiry('nobody', 1)).toBe('absent');
  });
});

describe.each([
  ['stored', {}],
  ['in memory', { sessionExpiryInterval: 0 }],
])('the queue of a session that is %s', (kind, properties) => {
  it('shows what waits and what is in flight, and is cleared of what waits', async () => {
    const client = await slowClient(properties);
    await publish(['one', 'two', 'three']);
    expect(client.takeTexts()).toEqual(['one']);

    const queued = (await admin().queued('slow', PAGE)) ?? [];
    const texts = queued.map(({ message }) => Buffer.from(message.payload).toString());
    expect(texts).toEqual(kind === 'stored' ? ['one', 'two', 'three'] : ['two', 'three']);
    expect(queued.map(({ isInflight }) => isInflight)).toEqual(
      kind === 'stored' ? [true, false, false] : [false, false],
    );
    const [first] = queued;
    const rest = await admin().queued('slow', { after: first?.position, limit: 1 });
    expect(rest).toEqual([queued[1]]);
    expect(admin().inflight('slow')).toMatchObject([
      { awaits: 'puback', qos: 1, message: { topic: 't/1' } },
    ]);

    expect(await admin().clearQueue('slow')).toBe(2);
    await quiet();
    client.write({ kind: 'puback', packetId: 1, reasonCode: 0 });
    await quiet();
    expect(client.takeTexts()).toEqual([]);
    expect(admin().inflight('slow')).toEqual([]);
    await publish(['four']);
    expect(client.takeTexts()).toEqual(['four']);
  });
});

it('clears a long queue of a client that is away', async () => {
  const client = await slowClient({});
  client.cut();
  await quiet();
  await publish(Array.from({ length: 900 }, (_, index) => String(index)));
  await quiet(60);
  expect(memory.node.admin.client('slow')).toMatchObject({ queueMessages: 900 });
  expect(await admin().clearQueue('slow')).toBe(900);
  await quiet();
  expect(memory.node.admin.client('slow')).toMatchObject({ queueMessages: 0, queueBytes: 0 });
  expect(await store.read('slow', undefined, 10)).toEqual([]);
});

describe('the time that a session outlives its connection', () => {
  it('is set for a connected client', async () => {
    const client = await memory.connected('client', DURABLE);
    expect(await admin().setExpiry('client', 600)).toBe('done');
    client.cut();
    await quiet();
    memory.sweepAfter(599_000);
    await quiet();
    expect(memory.node.admin.client('client')).toMatchObject({ sessionExpirySeconds: 600 });
    memory.sweepAfter(2_000);
    await quiet();
    expect(memory.node.admin.client('client')).toBeUndefined();
  });

  it('begins anew for one that is away', async () => {
    (await memory.connected('client', DURABLE)).cut();
    await quiet();
    memory.clock.advance(59_000);
    expect(await admin().setExpiry('client', 60)).toBe('done');
    expect((await store.load('client'))?.expiresAtMs).toBe(clock.now() + 60_000);
    memory.sweepAfter(59_000);
    await quiet();
    expect(memory.node.admin.client('client')).toMatchObject({ state: 'disconnected' });
  });

  it('is not for a session that ends with its connection', async () => {
    await memory.connected('client');
    expect(await admin().setExpiry('client', 60)).toBe('transient');
  });
});

it('shows and forgets the verdicts that a connection remembers', async () => {
  const topics = ['t/#'];
  const control = new AccessControl(
    new Acl([{ effect: 'deny', who: { users: ['x'] }, actions: ['publish'], topics }], 'allow'),
  );
  control.replace(
    new Acl([{ effect: 'deny', actions: ['publish'], topics: ['t/${clientid}'] }], 'allow'),
  );
  memory = nodeWith({ access: { control, deniedPublish: 'acknowledge' } });
  const client = await memory.connected('client');
  client.publish('t/client', 'no', { qos: 1 });
  client.publish('t/other', 'yes', { qos: 0, retain: true });
  await quiet();
  expect(admin().verdicts('client')).toEqual([
    { action: 'publish', topic: 't/client', qos: 1, retain: false, isAllowed: false },
    { action: 'publish', topic: 't/other', qos: 0, retain: true, isAllowed: true },
  ]);
  expect(admin().forgetVerdicts('client')).toBe(true);
  expect(admin().verdicts('client')).toEqual([]);
  expect(memory.node.admin.principalOf('client')).toMatchObject({ clientId: 'client' });
});
