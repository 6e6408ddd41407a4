import { beforeEach, describe, expect, it } from '@jest/globals';
import { REASON } from '#libs/mqtt-codec';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import {
  MemoryNode,
  fakeClock,
  publishPacket,
  quiet,
  type FakeClock,
  type MemoryClient,
  type MemoryNodeOptions,
} from '#libs/testkit';

const NONE = {
  ...{ connectionsMax: 0, sessionsMax: 0, subscriptionsMax: 0 },
  ...{ retainedMessagesMax: 0, queueBytesMax: 0 },
};
const NO_RATE = { messagesPerSecond: 0, bytesPerSecond: 0 };
const RATES = { client: NO_RATE, user: NO_RATE, burstSeconds: 1, heldSecondsMax: 5 };

let clock: FakeClock;
let memory: MemoryNode;

beforeEach(() => {
  clock = fakeClock(1_700_000_000_000);
});

function begin(options: Partial<MemoryNodeOptions>): void {
  const sessions = new LocalSessionStore({ clock: clock.now });
  const retained = new LocalRetainedStore({ clock: clock.now });
  memory = new MemoryNode({ sessions, retained, clock, ...options });
}

async function connected(
  clientId: string,
  options: Parameters<MemoryClient['connect']>[0] = {},
  version: 4 | 5 = 5,
): Promise<MemoryClient> {
  const client = memory.client(version);
  const { reasonCode } = await client.connect({ clientId, username: 'ann', ...options });
  expect(reasonCode).toBe(REASON.success);
  return client;
}

/** Sends messages of QoS 1, each in a chunk of its own, and says how many were acknowledged. */
async function flood(client: MemoryClient, count: number): Promise<number> {
  for (let sent = 0; sent < count; sent += 1) client.publish('t', 'x', { qos: 1 });
  await quiet();
  return client.take().filter(({ kind }) => kind === 'puback').length;
}

describe('the rate of a client', () => {
  beforeEach(() => begin({ rates: { ...RATES, client: { ...NO_RATE, messagesPerSecond: 10 } } }));

  it('holds reading from it, and nothing that it has sent is lost', async () => {
    const client = await connected('fast');
    expect(await flood(client, 30)).toBe(11);
    expect(client.isHeld).toBe(true);
    memory.sweepAfter(1000);
    await quiet();
    expect(client.take()).toHaveLength(10);
    memory.sweepAfter(1000);
    await quiet();
    expect(client.take()).toHaveLength(9);
    expect(client.isHeld).toBe(false);
    expect(memory.disconnects.size).toBe(0);
  });

  it('is its own: another one is read from', async () => {
    const fast = await connected('fast');
    const slow = await connected('slow');
    await flood(fast, 30);
    expect(await flood(slow, 5)).toBe(5);
  });

  it('ends its connection with 0x97 when it goes on for too long', async () => {
    const client = await connected('fast');
    for (let second = 0; second < 6 && !client.isEnded; second += 1) {
      await flood(client, 15);
      memory.sweepAfter(1000);
      await quiet();
    }
    await client.closed();
    const last = client.take().at(-1);
    expect(last).toMatchObject({
      kind: 'disconnect',
      reasonCode: REASON.quotaExceeded,
      properties: { reasonString: 'too much is sent for too long' },
    });
    expect(memory.disconnects.get('quota')).toBe(1);
  });

  it('handles what has come before it reads more, however much comes at once', async () => {
    const bytes = { ...NO_RATE, messagesPerSecond: 4, bytesPerSecond: 1000 };
    begin({ rates: { ...RATES, client: bytes, heldSecondsMax: 0 } });
    const client = await connected('fast');
    const chunk = Array.from({ length: 10 }, () =>
      publishPacket('t', 'x'.repeat(200), { qos: 1, packetId: client.nextPacketId() }),
    );
    const acknowledged: number[] = [];
    client.write(...chunk);
    client.write(...chunk);
    for (let second = 0; second < 12; second += 1) {
      memory.sweepAfter(1000);
      await quiet();
      acknowledged.push(client.take().filter(({ kind }) => kind === 'puback').length);
    }
    // The first chunk is paid for after one second, and taken within three more; the other one follows.
    expect(acknowledged.slice(0, 4)).toEqual([0, 5, 4, 1]);
    expect(acknowledged.reduce((all, each) => all + each, 0)).toBe(20);
    expect(client.isHeld).toBe(false);
  });

  it('does not take for dead who is not read from', async () => {
    const client = await connected('fast', { keepAlive: 1 });
    await flood(client, 60);
    for (let second = 0; second < 4; second += 1) memory.sweepAfter(1000);
    expect(client.isEnded).toBe(false);
  });
});

describe('the rate of a user', () => {
  it('is that of all its connections together, in bytes', async () => {
    begin({ rates: { ...RATES, user: { ...NO_RATE, bytesPerSecond: 1000 } } });
    const [one, other, third] = [await connected('a'), await connected('b'), memory.client()];
    await third.connect({ clientId: 'c', username: 'ben' });
    one.publish('t', 'x'.repeat(2500));
    other.publish('t', 'x');
    third.publish('t', 'x');
    expect([one.isHeld, other.isHeld, third.isHeld]).toEqual([true, true, false]);
    memory.sweepAfter(1000);
    expect([one.isHeld, other.isHeld]).toEqual([true, true]);
    memory.sweepAfter(1000);
    await quiet();
    expect([one.isHeld, other.isHeld]).toEqual([false, false]);
  });
});

describe('quotas of a user', () => {
  it('bound its connections, and a client may come back in the place of its own', async () => {
    begin({ quotas: { ...NONE, connectionsMax: 2 } });
    const first = await connected('a');
    await connected('b');
    const third = memory.client();
    const { reasonCode, properties } = await third.connect({ clientId: 'c', username: 'ann' });
    expect(reasonCode).toBe(REASON.quotaExceeded);
    expect(properties?.reasonString).toBe('the user has as many connections or sessions as it may');
    await connected('a');
    await first.closed();
    await connected('d', { username: 'ben' });
    expect(memory.counts.get('quotaExceeded')).toBe(1);
    const old = memory.client(4);
    expect(await old.connect({ clientId: 'e', username: 'ann' })).toMatchObject({
      reasonCode: REASON.serverUnavailable,
    });
  });

  it('give the place of a connection that has gone to another', async () => {
    begin({ quotas: { ...NONE, connectionsMax: 1 } });
    const first = await connected('a');
    first.cut();
    const second = await connected('b');
    expect(second.isEnded).toBe(false);
  });

  it('bound its sessions, also those whose client is away, until one is over', async () => {
    begin({ quotas: { ...NONE, sessionsMax: 2 } });
    const properties = { sessionExpiryInterval: 100 };
    const refusal = async (clientId: string): Promise<number> =>
      (await memory.client().connect({ clientId, username: 'ann' })).reasonCode;
    for (const clientId of ['a', 'b']) {
      const client = await connected(clientId, { properties });
      client.cut();
      await quiet();
    }
    expect(await refusal('c')).toBe(REASON.quotaExceeded);
    memory.sweepAfter(1000);
    await quiet();
    expect(await refusal('c')).toBe(REASON.quotaExceeded);
    // What it has it may take up again, and what others have does not count.
    const back = await connected('a', { properties });
    await connected('ben', { username: 'ben' });
    back.write({ kind: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } });
    await back.closed();
    await connected('c');
    expect(await refusal('d')).toBe(REASON.quotaExceeded);
    memory.sweepAfter(100_000);
    await quiet();
    expect(await refusal('d')).toBe(REASON.success);
  });

  it('bound its subscriptions, of all its sessions', async () => {
    begin({ quotas: { ...NONE, subscriptionsMax: 2 } });
    const one = await connected('a');
    const other = await connected('b');
    expect(await one.subscribe('x')).toBe(1);
    expect(await other.subscribe('y')).toBe(1);
    expect(await other.subscribe('z')).toBe(REASON.quotaExceeded);
    expect(await other.subscribe('y')).toBe(1);
    one.cut();
    memory.sweepAfter(1000);
    await quiet();
    expect(await other.subscribe('z')).toBe(1);
  });

  it('bound its retained messages, be they wills, until it removes some', async () => {
    begin({ quotas: { ...NONE, retainedMessagesMax: 2 } });
    const client = await connected('a');
    const retain = async (topic: string, payload: string): Promise<number | undefined> => {
      client.publish(topic, payload, { qos: 1, retain: true });
      return (await client.next('puback')).reasonCode;
    };
    expect(await retain('r/1', 'x')).toBe(REASON.success);
    await retain('r/2', 'x');
    expect(await retain('r/3', 'x')).toBe(REASON.quotaExceeded);
    await retain('r/2', 'y');
    await retain('r/1', '');
    const will = { topic: 'r/4', payload: Buffer.from('w'), qos: 0, retain: true } as const;
    const dying = await connected('b', { will });
    dying.cut();
    await quiet();
    expect(await retain('r/5', 'x')).toBe(REASON.quotaExceeded);
  });

  it('bound what is queued for clients that are away, and not for one that is there', async () => {
    begin({ quotas: { ...NONE, queueBytesMax: 1000 } });
    const properties = { sessionExpiryInterval: 100 };
    const away = await connected('away', { properties });
    await away.subscribe('t');
    away.cut();
    const there = await connected('there', { properties });
    await there.subscribe('t');
    const publisher = await connected('publisher', { username: 'ben' });
    publisher.publish('t', 'x'.repeat(2000), { qos: 1 });
    await publisher.next('puback');
    memory.sweepAfter(1000);
    await quiet();
    publisher.publish('t', 'y', { qos: 1 });
    await publisher.next('puback');
    expect(memory.drops.get('quota')).toBe(1);
    await quiet();
    expect(there.takeTexts().at(-1)).toBe('y');
  });
});

describe('a node with too much to do', () => {
  const overload: { level: 0 | 1 | 2 | 3 } = { level: 0 };
  beforeEach(() => {
    overload.level = 0;
  });

  it('refuses new clients, and tells where else they may go', async () => {
    begin({ overload });
    await connected('early');
    overload.level = 1;
    const late = await memory.client().connect({ clientId: 'late' });
    expect(late).toMatchObject({ reasonCode: REASON.serverBusy });
    const old = await memory.client(4).connect({ clientId: 'old' });
    expect(old).toMatchObject({ reasonCode: REASON.serverUnavailable });
    expect(memory.counts.get('connectThrottled')).toBe(2);
    begin({ overload, serverReference: 'other:1883' });
    const sent = await memory.client().connect({ clientId: 'late' });
    expect(sent).toMatchObject({
      reasonCode: REASON.useAnotherServer,
      properties: { serverReference: 'other:1883' },
    });
  });

  it('drops QoS 0 that is not to be retained, then', async () => {
    begin({ overload });
    const client = await connected('a');
    await client.subscribe('#');
    overload.level = 2;
    client.write(
      publishPacket('t', 'lost'),
      publishPacket('t', 'kept', { retain: true }),
      publishPacket('t', 'sure', { qos: 1, packetId: 1 }),
    );
    await quiet();
    expect(client.takeTexts().filter((text) => text !== 'puback')).toEqual(['kept', 'sure']);
    expect(memory.drops.get('overload')).toBe(1);
  });

  it('reads no more from who publishes, then, until it can go on', async () => {
    begin({ overload });
    const publisher = await connected('a');
    const subscriber = await connected('b');
    overload.level = 3;
    expect(await flood(publisher, 5)).toBe(1);
    expect(publisher.isHeld).toBe(true);
    expect(await subscriber.subscribe('x')).toBe(1);
    memory.sweepAfter(1000);
    expect(publisher.isHeld).toBe(true);
    overload.level = 2;
    memory.sweepAfter(1000);
    await quiet();
    expect(publisher.take()).toHaveLength(4);
    expect(publisher.isHeld).toBe(false);
  });
});

describe('bounds that change', () => {
  const rates = { ...RATES, client: { ...NO_RATE }, user: { ...NO_RATE } };
  const quotas = { ...NONE };

  beforeEach(() => begin({ rates, quotas }));

  it('hold for clients that are there, and are lifted from them', async () => {
    const client = await connected('there');
    expect(await flood(client, 30)).toBe(30);
    rates.client.messagesPerSecond = 10;
    memory.node.renewBounds();
    expect(await flood(client, 30)).toBe(11);
    expect(client.isHeld).toBe(true);
    rates.client.messagesPerSecond = 0;
    memory.node.renewBounds();
    memory.sweepAfter(1000);
    await quiet();
    expect(client.isHeld).toBe(false);
    expect(client.take()).toHaveLength(19);
  });

  it('count connections of a user that were there before', async () => {
    await connected('one');
    const two = await connected('two');
    quotas.connectionsMax = 2;
    memory.node.renewBounds();
    const third = await memory.client(5).connect({ clientId: 'three', username: 'ann' });
    expect(third.reasonCode).toBe(REASON.quotaExceeded);
    two.cut();
    await quiet();
    await connected('three');
    quotas.connectionsMax = 0;
    memory.node.renewBounds();
    await connected('four');
  });

  it('pace all clients of a user together', async () => {
    const [one, two] = [await connected('one'), await connected('two')];
    rates.user.messagesPerSecond = 10;
    memory.node.renewBounds();
    expect(await flood(one, 11)).toBe(11);
    expect(await flood(two, 5)).toBe(1);
    rates.user.messagesPerSecond = 0;
    memory.node.renewBounds();
  });
});
