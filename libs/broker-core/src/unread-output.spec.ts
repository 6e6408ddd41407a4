import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import {
  MemoryNode,
  quiet,
  subscriptionRequest,
  WIDE_LIMITS,
  type MemoryClient,
} from '#libs/testkit';

const { socketBufferBytesMax } = WIDE_LIMITS;
const clock = (): number => 0;

let retained: LocalRetainedStore;
let memory: MemoryNode;

beforeEach(() => {
  retained = new LocalRetainedStore({ clock });
  memory = new MemoryNode({ sessions: new LocalSessionStore({ clock }), retained });
});

async function connected(clientId: string, keepAlive = 10): Promise<MemoryClient> {
  const client = memory.client();
  await client.connect({ clientId, keepAlive });
  return client;
}

/** PINGREQ without end, until it is no longer read. */
async function ping(client: MemoryClient): Promise<void> {
  const pings = Buffer.alloc(16_384);
  for (let at = 0; at < pings.length; at += 2) pings[at] = 0xc0;
  for (let count = 0; count < 64 && !client.isHeld; count += 1) {
    client.writeBytes(pings);
    await quiet(2);
  }
}

/** SUBSCRIBE again and again, for the same retained messages. */
async function subscribe(client: MemoryClient, times: number): Promise<void> {
  for (let packetId = 1; packetId <= times; packetId += 1) {
    const subscriptions = [subscriptionRequest('r/#', { qos: 0 })];
    client.write({ kind: 'subscribe', packetId, subscriptions });
    await quiet(1);
  }
  await quiet();
}

describe('answers that a client does not take', () => {
  it('are bounded: it is read from again when it has taken them', async () => {
    const client = await connected('client');
    client.isFrozen = true;
    await ping(client);
    expect(client.isHeld).toBe(true);
    expect(client.bufferedBytes).toBeLessThan(3 * socketBufferBytesMax);
    client.take();
    client.writeBytes(Uint8Array.of(0xc0, 0));
    await quiet();
    expect(client.take()).toEqual([]);
    client.thaw();
    await quiet();
    expect(client.isHeld).toBe(false);
    expect(client.take()).toEqual([{ kind: 'pingresp' }]);
  });

  it('cost it the connection when it takes none of them for two minutes', async () => {
    const client = await connected('client');
    client.isFrozen = true;
    await ping(client);
    memory.sweepAfter(1000);
    memory.sweepAfter(119_000);
    client.bufferedBytes -= 1;
    memory.sweepAfter(1000);
    memory.sweepAfter(120_000);
    await quiet();
    expect(client.isEnded).toBe(false);
    memory.sweepAfter(1000);
    await client.closed();
    expect(memory.counts.get('disconnected')).toBe(1);
  });

  it('are not what is delivered: such a client is read from', async () => {
    const client = await connected('client');
    await client.subscribe('t');
    client.isFrozen = true;
    const publisher = await connected('publisher');
    for (let count = 0; count < 4; count += 1) {
      publisher.publish('t', 'x'.repeat(60_000), { qos: 1 });
      await publisher.next('puback');
    }
    await quiet();
    expect(client.bufferedBytes).toBeGreaterThan(socketBufferBytesMax);
    expect(client.isHeld).toBe(false);
  });
});

describe('retained messages that a client does not take', () => {
  it('are read once at a time, however often it asks, and it is read from', async () => {
    const publisher = await connected('publisher');
    for (let index = 0; index < 100; index += 1) {
      publisher.publish(`r/${index}`, 'x'.repeat(1000), { retain: true });
    }
    await quiet();
    const match = jest.spyOn(retained, 'match');
    const client = await connected('client');
    client.isFrozen = true;
    await subscribe(client, 100);
    expect(match).toHaveBeenCalledTimes(1);
    expect(client.isHeld).toBe(false);
    expect(client.take().filter(({ kind }) => kind === 'suback').length).toBe(100);
    client.thaw();
    await quiet();
    client.thaw();
    await quiet();
    expect(match).toHaveBeenCalledTimes(2);
    expect(client.take().filter(({ kind }) => kind === 'publish').length).toBeGreaterThan(100);
  });

  it('do not keep it connected when it is silent', async () => {
    const publisher = await connected('publisher', 0);
    for (const topic of ['r/1', 'r/2']) {
      publisher.publish(topic, 'x'.repeat(65_000), { retain: true });
    }
    await quiet();
    const client = await connected('client');
    client.isFrozen = true;
    await subscribe(client, 100);
    memory.sweepAfter(15_001);
    await client.closed();
    expect(memory.counts.get('disconnected')).toBe(1);
  });
});
